"""Consuming by hand: where to begin, pausing, seeking, what is not there."""

import time

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, TopicPartition

from compat.confluent_kafka.kit import (
    admin_client,
    as_records,
    consumer,
    create_topic,
    fails_with,
    poll,
    producer,
    read,
    refused,
    send,
    silent,
)
from compat.harness import Context, Scenario, check, equal
from compat.records import THEN_MS, Record


def consume_beginning(context: Context) -> None:
    topic = _filled(context, 100)
    client = consumer(context)
    client.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    equal([message.offset() for message in poll(client, 100)], list(range(100)), "offsets")
    equal(client.get_watermark_offsets(TopicPartition(topic, 0), timeout=10), (0, 100), "watermarks")
    client.close()


def consume_end(context: Context) -> None:
    topic = _filled(context, 50)
    client = consumer(context)
    client.assign([TopicPartition(topic, 0, OFFSET_END)])
    silent(client, 1.0)
    send(context, topic, [Record(b"late")])
    equal([(m.offset(), m.value()) for m in poll(client, 1)], [(50, b"late")], "what came after")
    client.close()


def consume_offset(context: Context) -> None:
    topic = _filled(context, 100)
    client = consumer(context)
    client.assign([TopicPartition(topic, 0, 42)])
    equal([message.offset() for message in poll(client, 58)], list(range(42, 100)), "offsets")
    client.assign([TopicPartition(topic, 0, 5000)])
    equal(
        [message.offset() for message in poll(client, 100)], list(range(100)), "after a reset to the earliest"
    )
    client.close()

    strict = consumer(context, settings={"auto.offset.reset": "error"})
    strict.assign([TopicPartition(topic, 0, 5000)])
    fails_with(KafkaError._AUTO_OFFSET_RESET, lambda: poll(strict, 1), "out of range")
    strict.close()


def consume_timestamp(context: Context) -> None:
    # Old records, which retention must not take away.
    topic = create_topic(context, context.topic(), 2, {"retention.ms": "-1"})
    # One batch a record, so that the index has something to find.
    send(
        context,
        topic,
        [Record(b"%d" % n, partition=0, timestamp_ms=THEN_MS + n * 1000) for n in range(100)],
        {"batch.num.messages": 1},
    )
    client = consumer(context)

    def offset_at(timestamp_ms: int, partition: int = 0) -> int:
        found = client.offsets_for_times([TopicPartition(topic, partition, timestamp_ms)], timeout=10)
        offset: int = found[0].offset
        return offset

    equal(offset_at(THEN_MS + 40_000), 40, "the exact time")
    equal(offset_at(THEN_MS + 40_001), 41, "between two records")
    equal(offset_at(THEN_MS - 1), 0, "before all")
    equal(offset_at(THEN_MS + 99_001), OFFSET_END, "after all")
    equal(offset_at(THEN_MS, partition=1), OFFSET_END, "an empty partition")
    client.assign([TopicPartition(topic, 0, offset_at(THEN_MS + 90_000))])
    found = as_records(poll(client, 10))
    equal(
        [record.timestamp_ms for record in found], [THEN_MS + n * 1000 for n in range(90, 100)], "timestamps"
    )
    client.close()

    stamped = create_topic(
        context, context.topic("append-time"), config={"message.timestamp.type": "LogAppendTime"}
    )
    before_ms = int(time.time() * 1000)
    send(context, stamped, [Record(b"v", timestamp_ms=THEN_MS)])
    at_ms = as_records(read(context, stamped, 1))[0].timestamp_ms
    check(before_ms - 1000 <= at_ms <= time.time() * 1000 + 1000, f"LogAppendTime gave {at_ms}")


def pause_resume(context: Context) -> None:
    topic = create_topic(context, context.topic(), 2)
    client = consumer(context)
    both = [TopicPartition(topic, partition, 0) for partition in range(2)]
    client.assign(both)
    send(context, topic, [Record(b"a", partition=p) for p in range(2) for _ in range(50)])
    poll(client, 100)
    client.pause([TopicPartition(topic, 0)])
    send(context, topic, [Record(b"b", partition=p) for p in range(2) for _ in range(50)])
    equal({message.partition() for message in poll(client, 50)}, {1}, "partitions while one is paused")
    silent(client)
    client.resume([TopicPartition(topic, 0)])
    found = poll(client, 50)
    equal([(m.partition(), m.offset()) for m in found], [(0, n) for n in range(50, 100)], "after the pause")
    client.close()


def seek(context: Context) -> None:
    topic = _filled(context, 200)
    client = consumer(context)
    client.assign([TopicPartition(topic, 0, 0)])
    poll(client, 150)
    for target in (10, 199, 0, 120):
        client.seek(TopicPartition(topic, 0, target))
        found = poll(client, min(20, 200 - target))
        equal(
            [m.offset() for m in found],
            list(range(target, min(target + 20, 200))),
            f"after a seek to {target}",
        )
    equal(client.position([TopicPartition(topic, 0)])[0].offset, 140, "position")
    client.close()


def unknown_topic(context: Context) -> None:
    absent = context.topic("absent")
    client = consumer(context, settings={"allow.auto.create.topics": False})
    client.subscribe([absent])
    fails_with(
        KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: poll(client, 1, 10), "subscribing to what is not there"
    )
    client.close()
    admin = admin_client(context)
    deletion = admin.delete_topics([absent])[absent]
    fails_with(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: deletion.result(10), "deleting what is not there")
    check(absent not in admin.list_topics(timeout=10).topics, "asking for a topic has created it")

    wanted = context.topic("wanted")
    send(context, wanted, [Record(b"creates its topic")])
    equal(as_records(read(context, wanted, 1))[0].value, b"creates its topic", "the auto-created topic")
    error = refused(context, "no such name/", Record(b"v"), {"message.timeout.ms": 5000})
    check(
        error.code() in (KafkaError.TOPIC_EXCEPTION, KafkaError._UNKNOWN_TOPIC), f"a bad name: {error.name()}"
    )


def bad_partition(context: Context) -> None:
    topic = _filled(context, 10)
    error = refused(context, topic, Record(b"v", partition=99), {"message.timeout.ms": 10_000})
    equal(error.code(), KafkaError._UNKNOWN_PARTITION, "producing")
    client = consumer(context)
    absent = TopicPartition(topic, 99, 0)
    fails_with(
        KafkaError._UNKNOWN_PARTITION, lambda: client.get_watermark_offsets(absent, timeout=10), "asking"
    )
    fails_with(
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        lambda: client.commit(offsets=[absent], asynchronous=False),
        "committing",
    )
    # The same client still reads what is there.
    client.assign([TopicPartition(topic, 0, 0)])
    equal(len(poll(client, 10)), 10, "records of the partition that is there")
    client.close()
    check(
        producer(context).list_topics(topic, 10).topics[topic].partitions.keys() == {0},
        "partitions were added",
    )


def _filled(context: Context, count: int) -> str:
    topic = create_topic(context, context.topic())
    send(context, topic, [Record(b"%d" % number) for number in range(count)], {"batch.num.messages": 7})
    return topic


SCENARIOS: dict[str, Scenario] = {
    "consume_beginning": consume_beginning,
    "consume_end": consume_end,
    "consume_offset": consume_offset,
    "consume_timestamp": consume_timestamp,
    "pause_resume": pause_resume,
    "seek": seek,
    "unknown_topic": unknown_topic,
    "bad_partition": bad_partition,
}
