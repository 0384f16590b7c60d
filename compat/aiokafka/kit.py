"""Small words the scenarios are written in: make, send, read."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from compat.harness import Context, Failed, Scenario, check
from compat.members import Member
from compat.records import Record

Settings = dict[str, Any]


def scenario(body: Callable[[Context], Coroutine[Any, Any, None]]) -> Scenario:
    """A coroutine as a scenario, in a loop of its own."""

    def run(context: Context) -> None:
        try:
            asyncio.run(body(context))
        except asyncio.CancelledError as error:
            # No `Exception`: it would end the program.
            raise Failed("a client cancelled its caller") from error

    return run


@contextlib.asynccontextmanager
async def admin_client(context: Context) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=context.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create_topic(
    context: Context, name: str, partitions: int = 1, config: dict[str, str] | None = None
) -> str:
    """Create a topic and give its name back."""
    async with admin_client(context) as admin:
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
    equal_codes(answer, 0, f"creating {name}")
    if context.broker_kind == "kafka":
        # Apache Kafka answers before its partitions are served.
        await becomes(lambda: _served(context, name, partitions), f"{name} is served")
    return name


async def _served(context: Context, topic: str, partitions: int) -> bool:
    all_of_them = [TopicPartition(topic, partition) for partition in range(partitions)]
    with contextlib.suppress(KafkaError):
        async with consumer(context) as client:
            client.assign(all_of_them)
            return len(await client.end_offsets(all_of_them)) == partitions
    return False


def equal_codes(answer: Any, code: int, what: str) -> None:
    """Fail when an answer about topics has other error codes than this."""
    for error in answer.topic_errors if hasattr(answer, "topic_errors") else answer.topic_error_codes:
        check(error[1] == code, f"{what}: {error[0]} has error {error[1]}, not {code}")


async def becomes(condition: Callable[[], Awaitable[object]], what: str, timeout_s: float = 20.0) -> None:
    """Fail when a condition is not true in time; the loop goes on meanwhile."""
    deadline = time.monotonic() + timeout_s
    while not await condition():
        if time.monotonic() > deadline:
            raise Failed(f"not within {timeout_s:.0f} s: {what}")
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def producer(context: Context, settings: Settings | None = None) -> AsyncIterator[Any]:
    client = AIOKafkaProducer(bootstrap_servers=context.bootstrap, **(settings or {}))
    try:
        await client.start()
        yield client
    finally:
        await client.stop()


async def send(
    context: Context, topic: str, records: Iterable[Record], settings: Settings | None = None
) -> list[tuple[int, int]]:
    """Send all and wait; partition and offset of each. Raises the first failed delivery."""
    async with producer(context, settings) as client:
        placed = await asyncio.gather(*[await produce(client, topic, record) for record in records])
    # Without acknowledgement nothing is known.
    return [(each.partition, each.offset) for each in placed if each is not None]


async def produce(client: Any, topic: str, record: Record) -> asyncio.Future[Any]:
    """Hand one record to a producer; its future."""
    future: asyncio.Future[Any] = await client.send(
        topic,
        record.value,
        record.key,
        record.partition if record.partition >= 0 else None,
        record.timestamp_ms or None,
        record.headers,
    )
    return future


async def fails_with(error: type[BaseException], action: Awaitable[object], what: str) -> None:
    """Await something that must fail with one kind of error."""
    try:
        await action
    except error:
        return
    except Exception as exception:
        raise Failed(f"{what}: expected {error.__name__}, found {exception!r}") from exception
    raise Failed(f"{what}: expected {error.__name__}, but it worked")


@contextlib.asynccontextmanager
async def consumer(context: Context, group: str = "", settings: Settings | None = None) -> AsyncIterator[Any]:
    defaults: Settings = {
        "group_id": group or None,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
    }
    client = AIOKafkaConsumer(bootstrap_servers=context.bootstrap, **{**defaults, **(settings or {})})
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def poll(client: Any, count: int, timeout_s: float = 20.0) -> list[Any]:
    """Exactly `count` messages; fails when they do not come in time."""
    found: list[Any] = []
    deadline = time.monotonic() + timeout_s
    while len(found) < count:
        if time.monotonic() > deadline:
            raise Failed(f"{len(found)} of {count} messages within {timeout_s:.0f} s")
        polled = await client.getmany(timeout_ms=500, max_records=count - len(found))
        for messages in polled.values():
            found.extend(messages)
    return found


async def silent(client: Any, seconds: float = 1.0) -> None:
    """Fails when a message comes."""
    for messages in (await client.getmany(timeout_ms=int(seconds * 1000))).values():
        raise Failed(f"a message where none was due: offset {messages[0].offset}")


async def read(
    context: Context,
    topic: str,
    count: int,
    partitions: Sequence[int] = (0,),
    settings: Settings | None = None,
) -> list[Any]:
    """The first `count` messages of some partitions, without a group, and no more."""
    async with consumer(context, settings=settings) as client:
        client.assign([TopicPartition(topic, partition) for partition in partitions])
        found = await poll(client, count)
        await silent(client, 0.3)
        return found


def as_records(messages: Iterable[Any]) -> list[Record]:
    return [
        Record(each.value, each.key, list(each.headers), each.partition, each.timestamp) for each in messages
    ]


def member(context: Context, group: str, topic: str, settings: Settings | None = None) -> Member:
    """A consumer in a process of its own."""
    options = {"bootstrap": context.bootstrap, "group": group, "topic": topic, **(settings or {})}
    return Member("compat.aiokafka.member", options)
