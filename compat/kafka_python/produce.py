"""Producing: codecs, keys, headers, sizes, acknowledgements."""

import random
import time

from kafka.errors import KafkaError, MessageSizeTooLargeError

from compat.harness import Context, Failed, Scenario, check, equal
from compat.kafka_python.kit import (
    Settings,
    as_records,
    create_topic,
    producer,
    read,
    refused,
    send,
)
from compat.records import BATCH_OVERHEAD, MAX_BATCH, Record, mixed


def produce_with(codec: str | None) -> Scenario:
    """A scenario: batches of one codec."""

    def scenario(context: Context) -> None:
        topic = create_topic(context, context.topic(), 3)
        sent = mixed(600, partitions=3)
        send(context, topic, sent, {"compression_type": codec, "linger_ms": 20, "batch_size": 60_000})
        found = as_records(read(context, topic, len(sent), range(3), {"check_crcs": True}))
        for partition in range(3):
            values = [record.value for record in found if record.partition == partition]
            equal(values, [r.value for r in sent if r.partition == partition], f"partition {partition}")

    return scenario


def keyed_and_unkeyed(context: Context) -> None:
    topic = create_topic(context, context.topic(), 6)
    keyed = [Record(b"%d" % number, b"key-%d" % (number % 20)) for number in range(200)]
    special = [
        Record(b"empty key", b""),
        Record(b"no key"),
        Record(None, b"tombstone"),
        Record(b"", b"empty value"),
    ]
    unkeyed = [Record(b"unkeyed-%d" % number) for number in range(200)]
    send(context, topic, [*keyed, *special, *unkeyed])
    found = as_records(read(context, topic, 404, range(6)))
    for key in {record.key for record in keyed}:
        mine = [record for record in found if record.key == key]
        equal(len({record.partition for record in mine}), 1, f"partitions of {key!r}")
        equal([r.value for r in mine], [r.value for r in keyed if r.key == key], f"order of {key!r}")
    pairs = {(record.key, record.value) for record in found}
    for record in special:
        check((record.key, record.value) in pairs, f"{record} did not come back as it was")


def headers(context: Context) -> None:
    topic = create_topic(context, context.topic())
    # This client knows no null value of a header.
    cases: list[list[tuple[str, bytes | None]]] = [
        [("one", b"1")],
        [("same", b"first"), ("same", b"second"), ("other", b"x"), ("same", b"third")],
        [("empty", b""), ("binary", bytes(range(256))), ("ünïcode", "✓".encode())],
        [(f"header-{number}", b"v" * number) for number in range(100)],
        [],
    ]
    send(context, topic, [Record(b"v", headers=case) for case in cases])
    for expected, found in zip(cases, as_records(read(context, topic, len(cases))), strict=True):
        equal(found.headers, expected, "headers")


def message_size_boundary(context: Context) -> None:
    settings: Settings = {"max_request_size": 10_000_000}
    numbers = random.Random(1)
    topic = create_topic(context, context.topic())
    largest = Record(numbers.randbytes(MAX_BATCH - BATCH_OVERHEAD))
    send(context, topic, [largest], settings)
    larger = Record((largest.value or b"") + b"x")
    refused(context, MessageSizeTooLargeError, topic, larger, "one byte more", settings)
    equal(as_records(read(context, topic, 1))[0].value, largest.value, "the largest record")

    roomy = create_topic(context, context.topic("roomy"), config={"max.message.bytes": "5000000"})
    big = Record(numbers.randbytes(4_000_000))
    send(context, roomy, [big], settings)
    # At least one batch comes, however small the limits of the consumer are.
    small_limits = {"fetch_max_bytes": 1000, "max_partition_fetch_bytes": 1000}
    equal(as_records(read(context, roomy, 1, settings=small_limits))[0].value, big.value, "a large record")

    narrow = create_topic(context, context.topic("narrow"), config={"max.message.bytes": "1000"})
    send(context, narrow, [Record(b"x" * (1000 - BATCH_OVERHEAD))], settings)
    refused(context, MessageSizeTooLargeError, narrow, Record(b"x" * 1000), "above the topic's limit")


def idempotent(context: Context) -> None:
    topic = create_topic(context, context.topic(), 6)
    sent = [Record(b"%d" % number, partition=number % 6) for number in range(6000)]
    settings: Settings = {"enable_idempotence": True, "linger_ms": 1, "batch_size": 600}
    placed = send(context, topic, sent, settings)
    for partition in range(6):
        offsets = [offset for place, offset in placed if place == partition]
        equal(offsets, list(range(1000)), f"acknowledged offsets of partition {partition}")
        found = [record.value for record in as_records(read(context, topic, 1000, [partition]))]
        equal(found, [r.value for r in sent if r.partition == partition], f"partition {partition}")


def acks_0_1_all(context: Context) -> None:
    topic = create_topic(context, context.topic(), 3)
    for partition, acks in enumerate((0, 1, "all")):
        sent = [Record(b"%s-%d" % (str(acks).encode(), number), partition=partition) for number in range(300)]
        settings: Settings = {"acks": acks, "enable_idempotence": False, "batch_size": 600}
        placed = send(context, topic, sent, settings)
        if acks != 0:
            equal([offset for _, offset in placed], list(range(300)), f"offsets with acks={acks}")
        found = [record.value for record in as_records(read(context, topic, 300, [partition]))]
        equal(found, [record.value for record in sent], f"acks={acks}")


def transactional_refused(context: Context) -> None:
    started_at_s = time.monotonic()
    with producer(context, {"transactional_id": context.group()}) as client:
        try:
            client.init_transactions()
        except KafkaError as error:
            check(not error.retriable, f"an error that clients retry: {error}")
            check(time.monotonic() - started_at_s < 5, "the error took more than 5 s")
            return
    raise Failed("a transactional producer was let in")


CODECS = {"none": None, "gzip": "gzip", "snappy": "snappy", "lz4": "lz4", "zstd": "zstd"}

SCENARIOS: dict[str, Scenario] = {
    **{f"produce_{name}": produce_with(codec) for name, codec in CODECS.items()},
    "keyed_and_unkeyed": keyed_and_unkeyed,
    "headers": headers,
    "message_size_boundary": message_size_boundary,
    "idempotent": idempotent,
    "acks_0_1_all": acks_0_1_all,
    "transactional_refused": transactional_refused,
}
