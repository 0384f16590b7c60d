"""Groups: members that come, go and die; commits and what they are for."""

from collections.abc import Callable
from typing import Any

from kafka import OffsetAndMetadata, TopicPartition

from compat.harness import Context, Scenario, check, equal, eventually
from compat.kafka_python.kit import Settings, admin_client, consumer, create_topic, member, poll, send
from compat.members import Member, all_read_once, end, settled
from compat.records import Record, numbered

PARTITIONS = 6


def group_of_three(context: Context) -> None:
    topic = create_topic(context, context.topic(), PARTITIONS)
    admin = admin_client(context)
    members: list[Member] = []

    def described() -> dict[str, Any]:
        group: dict[str, Any] = admin.describe_groups([context.group()])[context.group()]
        return group

    try:
        members = [member(context, context.group(), topic) for _ in range(3)]
        settled(members, PARTITIONS)
        send(context, topic, numbered("a", 300, PARTITIONS))
        all_read_once(members, [f"a{number}" for number in range(300)])

        group = described()
        equal(group["group_state"], "Stable", "state")
        equal(len(group["members"]), 3, "members")
        assigned = [
            partition
            for each in group["members"]
            for owned in each["member_assignment"]["assigned_partitions"]
            for partition in owned["partitions"]
        ]
        equal(sorted(assigned), list(range(PARTITIONS)), "partitions in the description")

        members.pop().leave()
        settled(members, PARTITIONS, 15)
        # Its session has to end first.
        members.pop().kill()
        settled(members, PARTITIONS, 25)
        survivor = members[0]
        before = len(survivor.records)
        send(context, topic, numbered("b", 60, PARTITIONS))
        eventually(lambda: len(survivor.records) >= before + 60, "the last member reads all")
        survivor.leave()
        eventually(lambda: described()["group_state"] == "Empty", "the group is empty")
    finally:
        end(members)


def static_member(context: Context) -> None:
    topic = create_topic(context, context.topic(), 4)
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
        double = static("first")
        eventually(lambda: "FencedInstanceId" in returned.error, "the older of two doubles is fenced")
        eventually(lambda: double.assigned == share, "the younger one has the partitions")
    finally:
        end(members)


def cooperative(context: Context) -> None:
    topic = create_topic(context, context.topic(), PARTITIONS)
    members: list[Member] = []
    settings: Settings = {"cooperative": True}
    try:
        first = member(context, context.group(), topic, settings)
        members.append(first)
        settled([first], PARTITIONS)
        everything = first.assigned
        second = member(context, context.group(), topic, settings)
        members.append(second)
        settled([first, second], PARTITIONS)
        check(first.assigned < everything, "the first member did not simply give some away")
        send(context, topic, numbered("a", 120, PARTITIONS))
        all_read_once(members, [f"a{number}" for number in range(120)])
        second.leave()
        settled([first], PARTITIONS)
    finally:
        end(members)


def commit_sync(context: Context) -> None:
    topic = _resumed(context, lambda client: client.commit(timeout_ms=10_000))
    where = TopicPartition(topic, 0)
    with consumer(context, context.group()) as client:
        client.commit({where: OffsetAndMetadata(7, "a note", -1)}, 10_000)
        found = client.committed(where, metadata=True)
        equal((found.offset, found.metadata), (7, "a note"), "a commit by hand, with its metadata")
    with consumer(context, context.group("fresh")) as fresh:
        equal(fresh.committed(where), None, "a group without commits")


def commit_async(context: Context) -> None:
    answers: list[object] = []

    def commit(client: Any) -> None:
        client.commit_async(callback=lambda offsets, answer: answers.append(answer))
        # Its own thread sends it, but only polling calls back.
        eventually(lambda: not client.poll(100) and answers, "the commit is answered")

    _resumed(context, commit)
    check(not isinstance(answers[0], Exception), f"the commit failed: {answers[0]}")


def commit_auto(context: Context) -> None:
    # Closing commits what was consumed.
    _resumed(context, lambda client: None, {"enable_auto_commit": True, "auto_commit_interval_ms": 200})


def _resumed(context: Context, commit: Callable[[Any], None], settings: Settings | None = None) -> str:
    """Read 40 of 100, commit, come back, and go on at 40."""
    topic = create_topic(context, context.topic())
    send(context, topic, [Record(b"%d" % number) for number in range(100)])
    with consumer(context, context.group(), settings) as client:
        client.subscribe([topic])
        equal([message.offset for message in poll(client, 40)], list(range(40)), "first reading")
        client.pause(*client.assignment())
        commit(client)
    with consumer(context, context.group(), settings) as client:
        client.subscribe([topic])
        equal([message.offset for message in poll(client, 60)], list(range(40, 100)), "second reading")
    return topic


SCENARIOS: dict[str, Scenario] = {
    "group_of_three": group_of_three,
    "static_member": static_member,
    "cooperative": cooperative,
    "commit_sync": commit_sync,
    "commit_async": commit_async,
    "commit_auto": commit_auto,
}
