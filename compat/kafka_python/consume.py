"""Consuming by hand: where to begin, pausing, seeking, what is not there."""

import time

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import (
    KafkaTimeoutError,
    OffsetOutOfRangeError,
    UnknownTopicOrPartitionError,
)

from compat.harness import Context, Scenario, check, equal, eventually
from compat.kafka_python.kit import (
    admin_client,
    as_records,
    consumer,
    create_topic,
    fails_with,
    poll,
    read,
    refused,
    send,
    silent,
)
from compat.records import THEN_MS, Record


def consume_beginning(context: Context) -> None:
    topic = _filled(context, 100)
    where = TopicPartition(topic, 0)
    with consumer(context) as client:
        client.assign([where])
        client.seek_to_beginning(where)
        equal([message.offset for message in poll(client, 100)], list(range(100)), "offsets")
        equal(client.beginning_offsets([where]), {where: 0}, "the first offset")
        equal(client.end_offsets([where]), {where: 100}, "the end")
        equal(client.highwater(where), 100, "high watermark")


def consume_end(context: Context) -> None:
    topic = _filled(context, 50)
    where = TopicPartition(topic, 0)
    with consumer(context) as client:
        client.assign([where])
        client.seek_to_end(where)
        silent(client)
        send(context, topic, [Record(b"late")])
        equal([(m.offset, m.value) for m in poll(client, 1)], [(50, b"late")], "what came after")


def consume_offset(context: Context) -> None:
    topic = _filled(context, 100)
    where = TopicPartition(topic, 0)
    with consumer(context) as client:
        client.assign([where])
        client.seek(where, 42)
        equal([message.offset for message in poll(client, 58)], list(range(42, 100)), "offsets")
        client.seek(where, 5000)
        equal([m.offset for m in poll(client, 100)], list(range(100)), "after a reset to the earliest")

    with consumer(context, settings={"auto_offset_reset": "none"}) as strict:
        strict.assign([where])
        strict.seek(where, 5000)
        fails_with(OffsetOutOfRangeError, lambda: poll(strict, 1), "out of range")


def consume_timestamp(context: Context) -> None:
    # Old records, which retention must not take away.
    topic = create_topic(context, context.topic(), 2, {"retention.ms": "-1"})
    # One batch a record, so that the index has something to find.
    sent = [Record(b"%d" % n, partition=0, timestamp_ms=THEN_MS + n * 1000) for n in range(100)]
    send(context, topic, sent, {"batch_size": 0})
    with consumer(context) as client:

        def offset_at(timestamp_ms: int, partition: int = 0) -> int | None:
            where = TopicPartition(topic, partition)
            found = client.offsets_for_times({where: timestamp_ms})[where]
            return None if found is None else int(found.offset)

        equal(offset_at(THEN_MS + 40_000), 40, "the exact time")
        equal(offset_at(THEN_MS + 40_001), 41, "between two records")
        equal(offset_at(THEN_MS - 1), 0, "before all")
        equal(offset_at(THEN_MS + 99_001), None, "after all")
        equal(offset_at(THEN_MS, partition=1), None, "an empty partition")
        where = TopicPartition(topic, 0)
        client.assign([where])
        client.seek(where, offset_at(THEN_MS + 90_000))
        found = as_records(poll(client, 10))
        expected = [THEN_MS + n * 1000 for n in range(90, 100)]
        equal([record.timestamp_ms for record in found], expected, "timestamps")

    stamped = create_topic(
        context, context.topic("append-time"), config={"message.timestamp.type": "LogAppendTime"}
    )
    before_ms = int(time.time() * 1000)
    send(context, stamped, [Record(b"v", timestamp_ms=THEN_MS)])
    at_ms = as_records(read(context, stamped, 1))[0].timestamp_ms
    check(before_ms - 1000 <= at_ms <= time.time() * 1000 + 1000, f"LogAppendTime gave {at_ms}")


def pause_resume(context: Context) -> None:
    topic = create_topic(context, context.topic(), 2)
    both = [TopicPartition(topic, partition) for partition in range(2)]
    with consumer(context) as client:
        client.assign(both)
        send(context, topic, [Record(b"a", partition=p) for p in range(2) for _ in range(50)])
        poll(client, 100)
        client.pause(both[0])
        send(context, topic, [Record(b"b", partition=p) for p in range(2) for _ in range(50)])
        equal({message.partition for message in poll(client, 50)}, {1}, "partitions while one is paused")
        silent(client)
        client.resume(both[0])
        found = [(message.partition, message.offset) for message in poll(client, 50)]
        equal(found, [(0, n) for n in range(50, 100)], "after the pause")


def seek(context: Context) -> None:
    topic = _filled(context, 200)
    where = TopicPartition(topic, 0)
    with consumer(context) as client:
        client.assign([where])
        poll(client, 150)
        for target in (10, 199, 0, 120):
            client.seek(where, target)
            found = [message.offset for message in poll(client, min(20, 200 - target))]
            equal(found, list(range(target, min(target + 20, 200))), f"after a seek to {target}")
        equal(client.position(where), 140, "position")


def unknown_topic(context: Context) -> None:
    absent = context.topic("absent")
    admin = admin_client(context)
    equal(admin.describe_topics([absent])[0]["error_code"], 3, "asking for what is not there")
    fails_with(
        UnknownTopicOrPartitionError, lambda: admin.delete_topics([absent]), "deleting what is not there"
    )
    check(absent not in admin.list_topics(), "asking for a topic has created it")

    wanted = context.topic("wanted")
    send(context, wanted, [Record(b"creates its topic")])
    equal(as_records(read(context, wanted, 1))[0].value, b"creates its topic", "the auto-created topic")
    # The client refuses it by itself.
    refused(context, ValueError, "no such name/", Record(b"v"), "a bad name")


def bad_partition(context: Context) -> None:
    topic = _filled(context, 10)
    there, absent = TopicPartition(topic, 0), TopicPartition(topic, 99)
    # The client knows the partitions, and refuses it by itself.
    refused(context, ValueError, topic, Record(b"v", partition=99), "producing")
    with consumer(context, context.group()) as client:
        # It hopes for the partition until its time is over.
        fails_with(KafkaTimeoutError, lambda: client.end_offsets([absent], 1000), "asking")
        equal(client.committed(there), None, "a group without commits")
        commit = client.commit_async({absent: OffsetAndMetadata(1, "", -1)})
        eventually(lambda: commit.is_done, "the commit is answered")
        check(isinstance(commit.exception, UnknownTopicOrPartitionError), f"committing: {commit.exception}")
        # The same client still reads what is there.
        client.assign([there])
        equal(len(poll(client, 10)), 10, "records of the partition that is there")
    partitions = admin_client(context).describe_topics([topic])[0]["partitions"]
    equal([each["partition_index"] for each in partitions], [0], "partitions")


def _filled(context: Context, count: int) -> str:
    topic = create_topic(context, context.topic())
    send(context, topic, [Record(b"%d" % number) for number in range(count)], {"batch_size": 128})
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
