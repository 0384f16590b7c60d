"""Small words the scenarios are written in: make, send, read."""

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from compat.harness import Context, Failed, check, eventually
from compat.members import Member
from compat.records import Record

Settings = dict[str, Any]


def admin_client(context: Context) -> AdminClient:
    """Kept for all scenarios: its futures die with it."""
    return _admin_client(context.bootstrap)


@functools.cache
def _admin_client(bootstrap: str) -> AdminClient:
    settings: Settings = {
        "bootstrap.servers": bootstrap,
        "log_level": 0,
        "reconnect.backoff.max.ms": 500,
        # Bootstrapping anew it would ask groups' coordinators through a handle that has ended, and hang.
        "metadata.recovery.strategy": "none",
    }
    return AdminClient(settings)


def create_topic(
    context: Context, name: str, partitions: int = 1, config: dict[str, str] | None = None
) -> str:
    """Create a topic and give its name back."""
    admin = admin_client(context)
    admin.create_topics([NewTopic(name, partitions, 1, config=config or {})])[name].result(30)
    if context.broker_kind == "kafka":
        # Apache Kafka answers before its partitions are served.
        eventually(lambda: _served(admin, name, partitions), f"{name} is served")
    return name


def _served(admin: AdminClient, topic: str, partitions: int) -> bool:
    latest = {TopicPartition(topic, partition): OffsetSpec.latest() for partition in range(partitions)}
    try:
        admin.list_topics(topic, 10)  # Else it may believe for long that there is no leader.
        return all(offset.result(30) for offset in admin.list_offsets(latest).values())
    except KafkaException:
        return False


def producer(context: Context, settings: Settings | None = None) -> Producer:
    # One request at a time, so that a retry can not change the order; idempotent scenarios say otherwise.
    defaults = {"bootstrap.servers": context.bootstrap, "log_level": 0, "max.in.flight": 1}
    return Producer({**defaults, **(settings or {})})


def send(
    context: Context, topic: str, records: Iterable[Record], settings: Settings | None = None
) -> list[tuple[int, int]]:
    """Send all and wait; partition and offset of each. Raises the first failed delivery."""
    placed: dict[int, tuple[int, int]] = {}
    failures: list[KafkaError] = []

    def delivered(index: int) -> Callable[[KafkaError | None, Message], None]:
        def note(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failures.append(error)
            else:
                placed[index] = (message.partition() or 0, _offset(message))

        return note

    client = producer(context, settings)
    count = 0
    for record in records:
        _produce(client, topic, record, delivered(count))
        client.poll(0)
        count += 1
    left = client.flush(60)
    if failures:
        raise KafkaException(failures[0])
    check(left == 0, f"{left} of {count} records not delivered within 60 s")
    return [placed[index] for index in range(count)]


def refused(context: Context, topic: str, record: Record, settings: Settings | None = None) -> KafkaError:
    """The error a record is refused with."""
    try:
        send(context, topic, [record], settings)
    except KafkaException as error:
        return error_of(error)
    raise Failed("the record was taken")


def error_of(exception: KafkaException) -> KafkaError:
    error = exception.args[0]
    assert isinstance(error, KafkaError)
    return error


def fails_with(code: int, action: Callable[[], object], what: str) -> KafkaError:
    """Run something that must fail with one error code."""
    try:
        action()
    except KafkaException as exception:
        error = error_of(exception)
        check(
            error.code() == code,
            f"{what}: expected {KafkaError(code).name()}, found {error.name()}: {error.str()}",
        )
        return error
    raise Failed(f"{what}: expected {KafkaError(code).name()}, but it worked")


def consumer(context: Context, group: str = "", settings: Settings | None = None) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": context.bootstrap,
            "group.id": group or context.group("reader"),
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
            **(settings or {}),
        }
    )


def poll(client: Consumer, count: int, timeout_s: float = 20.0) -> list[Message]:
    """Exactly `count` messages; fails when they do not come in time, or an error does."""
    found: list[Message] = []
    deadline = time.monotonic() + timeout_s
    while len(found) < count:
        if time.monotonic() > deadline:
            raise Failed(f"{len(found)} of {count} messages within {timeout_s:.0f} s")
        for message in client.consume(count - len(found), 0.5):
            if error := message.error():
                raise KafkaException(error)
            found.append(message)
    return found


def silent(client: Consumer, seconds: float = 1.0) -> None:
    """Fails when a message comes."""
    message = client.poll(seconds)
    if message is not None:
        if error := message.error():
            raise KafkaException(error)
        raise Failed(f"a message where none was due: offset {message.offset()}")


def read(
    context: Context,
    topic: str,
    count: int,
    partitions: Sequence[int] = (0,),
    settings: Settings | None = None,
) -> list[Message]:
    """The first `count` messages of some partitions, without a group, and no more."""
    client = consumer(context, settings=settings)
    try:
        client.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        found = poll(client, count)
        silent(client, 0.3)
        return found
    finally:
        client.close()


def as_records(messages: Iterable[Message]) -> list[Record]:
    return [
        Record(
            _bytes(message.value()),
            _bytes(message.key()),
            _headers(message),
            message.partition() or 0,
            message.timestamp()[1],
        )
        for message in messages
    ]


def member(context: Context, group: str, topic: str, settings: Settings | None = None) -> Member:
    """A consumer in a process of its own."""
    options = {"bootstrap": context.bootstrap, "group": group, "topic": topic, **(settings or {})}
    return Member("compat.confluent_kafka.member", options)


def _produce(
    client: Producer, topic: str, record: Record, note: Callable[[KafkaError | None, Message], None]
) -> None:
    options: dict[str, Any] = {"timestamp": record.timestamp_ms} if record.timestamp_ms else {}
    if record.partition >= 0:
        options["partition"] = record.partition
    if record.headers:
        options["headers"] = record.headers
    while True:
        try:
            client.produce(topic, record.value, record.key, on_delivery=note, **options)
            return
        except BufferError:
            client.poll(0.1)


def _offset(message: Message) -> int:
    offset = message.offset()
    return -1 if offset is None else offset


def _headers(message: Message) -> list[tuple[str, bytes | None]]:
    # The package's own types forget the shape of a pair.
    pairs: list[Any] = list(message.headers() or [])
    return [(name, value) for name, value in pairs]


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
