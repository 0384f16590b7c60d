"""Groups: members that come, go and die; commits and what they are for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import TopicPartition

from compat.aiokafka.kit import (
    Settings,
    admin_client,
    consumer,
    create_topic,
    member,
    poll,
    scenario,
    send,
)
from compat.harness import Context, Scenario, equal, eventually
from compat.members import Member, all_read_once, end, settled
from compat.records import Record, numbered

PARTITIONS = 6


def group_of_three(context: Context) -> None:
    topic = asyncio.run(create_topic(context, context.topic(), PARTITIONS))
    members: list[Member] = []

    def state_and_size() -> tuple[str, int]:
        return asyncio.run(_state_and_size(context))

    try:
        members = [member(context, context.group(), topic) for _ in range(3)]
        settled(members, PARTITIONS)
        asyncio.run(send(context, topic, numbered("a", 300, PARTITIONS)))
        all_read_once(members, [f"a{number}" for number in range(300)])
        equal(state_and_size(), ("Stable", 3), "state and members")

        members.pop().leave()
        settled(members, PARTITIONS, 15)
        # Its session has to end first.
        members.pop().kill()
        settled(members, PARTITIONS, 25)
        survivor = members[0]
        before = len(survivor.records)
        asyncio.run(send(context, topic, numbered("b", 60, PARTITIONS)))
        eventually(lambda: len(survivor.records) >= before + 60, "the last member reads all")
        survivor.leave()
        eventually(lambda: state_and_size() == ("Empty", 0), "the group is empty")
    finally:
        end(members)


def static_member(context: Context) -> None:
    topic = asyncio.run(create_topic(context, context.topic(), 4))
    members: list[Member] = []

    def static(name: str) -> Member:
        # Long enough that the session does not end while the member is away.
        settings: Settings = {"group_instance_id": name, "session_timeout_ms": 20_000}
        members.append(member(context, context.group(), topic, settings))
        return members[-1]

    try:
        first, second = static("first"), static("second")
        settled([first, second], 4)
        share, rebalances = first.assigned, second.rebalances
        first.leave()  # A static member does not say that it leaves.
        returned = static("first")
        eventually(lambda: returned.assigned == share, "the member has its partitions back")
        equal(second.rebalances, rebalances, "rebalances seen by the other member")
    finally:
        end(members)


async def commit_sync(context: Context) -> None:
    topic = await _resumed(context, lambda client: client.commit())
    where = TopicPartition(topic, 0)
    async with consumer(context, context.group()) as client:
        client.assign([where])
        await client.commit({where: (7, "a note")})
        equal(await client.committed(where), 7, "a commit by hand")
    async with admin_client(context) as admin:
        found = (await admin.list_consumer_group_offsets(context.group()))[where]
        equal((found.offset, found.metadata), (7, "a note"), "the commit, with its metadata")
    async with consumer(context, context.group("fresh")) as fresh:
        equal(await fresh.committed(where), None, "a group without commits")


async def commit_async(context: Context) -> None:
    async def commit(client: Any) -> None:
        await asyncio.create_task(client.commit())

    await _resumed(context, commit)


async def commit_auto(context: Context) -> None:
    async def wait(client: Any) -> None:
        """Closing commits what was consumed."""

    await _resumed(context, wait, {"enable_auto_commit": True, "auto_commit_interval_ms": 200})


async def _resumed(
    context: Context, commit: Callable[[Any], Awaitable[None]], settings: Settings | None = None
) -> str:
    """Read 40 of 100, commit, come back, and go on at 40."""
    topic = await create_topic(context, context.topic())
    await send(context, topic, [Record(b"%d" % number) for number in range(100)])
    async with consumer(context, context.group(), settings) as client:
        client.subscribe([topic])
        equal([message.offset for message in await poll(client, 40)], list(range(40)), "first reading")
        client.pause(*client.assignment())
        await commit(client)
    async with consumer(context, context.group(), settings) as client:
        client.subscribe([topic])
        equal([message.offset for message in await poll(client, 60)], list(range(40, 100)), "second reading")
    return topic


async def _state_and_size(context: Context) -> tuple[str, int]:
    async with admin_client(context) as admin:
        answer = (await admin.describe_consumer_groups([context.group()]))[0]
    _, _, state, _, _, members, *_ = answer.groups[0]
    return state, len(members)


SCENARIOS: dict[str, Scenario] = {
    "group_of_three": group_of_three,
    "static_member": static_member,
    "commit_sync": scenario(commit_sync),
    "commit_async": scenario(commit_async),
    "commit_auto": scenario(commit_auto),
}
