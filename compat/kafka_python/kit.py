"""Small words the scenarios are written in: make, send, read."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetSpec, TopicPartition
from kafka.errors import KafkaError

from compat.harness import Context, Failed, eventually
from compat.members import Member
from compat.records import Record

Settings = dict[str, Any]
# A broker that is away comes back soon.
RECONNECT: Settings = {"reconnect_backoff_ms": 20, "reconnect_backoff_max_ms": 200}


def admin_client(context: Context) -> Any:
    """Kept for all scenarios, and over the broker's restarts."""
    return _admin_client(context.bootstrap)


@functools.cache
def _admin_client(bootstrap: str) -> Any:
    return KafkaAdminClient(bootstrap_servers=bootstrap, **RECONNECT)


def create_topic(
    context: Context, name: str, partitions: int = 1, config: dict[str, str] | None = None
) -> str:
    """Create a topic and give its name back."""
    admin = admin_client(context)
    topic = {"num_partitions": partitions, "replication_factor": 1, "configs": config or {}}
    admin.create_topics({name: topic})
    if context.broker_kind == "kafka":
        # Apache Kafka answers before its partitions are served.
        eventually(lambda: _served(admin, name, partitions), f"{name} is served")
    return name


def _served(admin: Any, topic: str, partitions: int) -> bool:
    latest = {TopicPartition(topic, partition): OffsetSpec.LATEST for partition in range(partitions)}
    with contextlib.suppress(KafkaError):
        return len(admin.list_partition_offsets(latest)) == partitions
    return False


@contextlib.contextmanager
def _closed(client: Any) -> Any:
    try:
        yield client
    finally:
        client.close()


def producer(context: Context, settings: Settings | None = None) -> Any:
    """For `with`, which closes it."""
    return _closed(KafkaProducer(bootstrap_servers=context.bootstrap, **(settings or {})))


def send(
    context: Context, topic: str, records: Iterable[Record], settings: Settings | None = None
) -> list[tuple[int, int]]:
    """Send all and wait; partition and offset of each. Raises the first failed delivery."""
    with producer(context, settings) as client:
        futures = [produce(client, topic, record) for record in records]
        placed = [future.get(60) for future in futures]
    return [(each.partition, each.offset) for each in placed]


def produce(client: Any, topic: str, record: Record) -> Any:
    """Hand one record to a producer; its future."""
    return client.send(
        topic,
        record.value,
        record.key,
        record.headers,
        record.partition if record.partition >= 0 else None,
        record.timestamp_ms or None,
    )


def fails_with(error: type[Exception], action: Callable[[], object], what: str) -> Exception:
    """Run something that must fail with one kind of error."""
    try:
        action()
    except error as exception:
        return exception
    except Exception as exception:
        raise Failed(f"{what}: expected {error.__name__}, found {exception!r}") from exception
    raise Failed(f"{what}: expected {error.__name__}, but it worked")


def refused(
    context: Context,
    error: type[Exception],
    topic: str,
    record: Record,
    what: str,
    settings: Settings | None = None,
) -> None:
    """A record must be refused with one kind of error."""
    fails_with(error, lambda: send(context, topic, [record], settings), what)


def consumer(context: Context, group: str = "", settings: Settings | None = None) -> Any:
    """For `with`, which closes it."""
    defaults: Settings = {
        "group_id": group or None,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
    }
    return _closed(KafkaConsumer(bootstrap_servers=context.bootstrap, **{**defaults, **(settings or {})}))


def poll(client: Any, count: int, timeout_s: float = 20.0) -> list[Any]:
    """Exactly `count` messages; fails when they do not come in time."""
    found: list[Any] = []
    deadline = time.monotonic() + timeout_s
    while len(found) < count:
        if time.monotonic() > deadline:
            raise Failed(f"{len(found)} of {count} messages within {timeout_s:.0f} s")
        for messages in client.poll(timeout_ms=500, max_records=count - len(found)).values():
            found.extend(messages)
    return found


def silent(client: Any, seconds: float = 1.0) -> None:
    """Fails when a message comes."""
    for messages in client.poll(timeout_ms=int(seconds * 1000)).values():
        raise Failed(f"a message where none was due: offset {messages[0].offset}")


def read(
    context: Context,
    topic: str,
    count: int,
    partitions: Sequence[int] = (0,),
    settings: Settings | None = None,
) -> list[Any]:
    """The first `count` messages of some partitions, without a group, and no more."""
    with consumer(context, settings=settings) as client:
        client.assign([TopicPartition(topic, partition) for partition in partitions])
        found = poll(client, count)
        silent(client, 0.3)
        return found


def as_records(messages: Iterable[Any]) -> list[Record]:
    return [
        Record(each.value, each.key, list(each.headers), each.partition, each.timestamp) for each in messages
    ]


def member(context: Context, group: str, topic: str, settings: Settings | None = None) -> Member:
    """A consumer in a process of its own."""
    options = {"bootstrap": context.bootstrap, "group": group, "topic": topic, **(settings or {})}
    return Member("compat.kafka_python.member", options)
