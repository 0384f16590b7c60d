"""Consuming by hand: where to begin, pausing, seeking, what is not there."""

import time

from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError, OffsetOutOfRangeError, UnknownTopicOrPartitionError

from compat.aiokafka.kit import (
    admin_client,
    as_records,
    consumer,
    create_topic,
    equal_codes,
    fails_with,
    poll,
    read,
    scenario,
    send,
    silent,
)
from compat.harness import Context, Scenario, check, equal
from compat.records import THEN_MS, Record


async def consume_beginning(context: Context) -> None:
    topic = await _filled(context, 100)
    where = TopicPartition(topic, 0)
    async with consumer(context) as client:
        client.assign([where])
        await client.seek_to_beginning(where)
        equal([message.offset for message in await poll(client, 100)], list(range(100)), "offsets")
        equal(await client.beginning_offsets([where]), {where: 0}, "the first offset")
        equal(await client.end_offsets([where]), {where: 100}, "the end")
        equal(client.highwater(where), 100, "high watermark")


async def consume_end(context: Context) -> None:
    topic = await _filled(context, 50)
    where = TopicPartition(topic, 0)
    async with consumer(context) as client:
        client.assign([where])
        await client.seek_to_end(where)
        await silent(client)
        await send(context, topic, [Record(b"late")])
        equal([(m.offset, m.value) for m in await poll(client, 1)], [(50, b"late")], "what came after")


async def consume_offset(context: Context) -> None:
    topic = await _filled(context, 100)
    where = TopicPartition(topic, 0)
    async with consumer(context) as client:
        client.assign([where])
        client.seek(where, 42)
        equal([message.offset for message in await poll(client, 58)], list(range(42, 100)), "offsets")
        client.seek(where, 5000)
        equal([m.offset for m in await poll(client, 100)], list(range(100)), "after a reset to the earliest")

    async with consumer(context, settings={"auto_offset_reset": "none"}) as strict:
        strict.assign([where])
        strict.seek(where, 5000)
        await fails_with(OffsetOutOfRangeError, poll(strict, 1), "out of range")


async def consume_timestamp(context: Context) -> None:
    # Old records, which retention must not take away.
    topic = await create_topic(context, context.topic(), 2, {"retention.ms": "-1"})
    # One batch a record, so that the index has something to find.
    sent = [Record(b"%d" % n, partition=0, timestamp_ms=THEN_MS + n * 1000) for n in range(100)]
    await send(context, topic, sent, {"max_batch_size": 1})
    async with consumer(context) as client:

        async def offset_at(timestamp_ms: int, partition: int = 0) -> int | None:
            where = TopicPartition(topic, partition)
            found = (await client.offsets_for_times({where: timestamp_ms}))[where]
            return None if found is None else int(found.offset)

        equal(await offset_at(THEN_MS + 40_000), 40, "the exact time")
        equal(await offset_at(THEN_MS + 40_001), 41, "between two records")
        equal(await offset_at(THEN_MS - 1), 0, "before all")
        equal(await offset_at(THEN_MS + 99_001), None, "after all")
        equal(await offset_at(THEN_MS, partition=1), None, "an empty partition")
        where = TopicPartition(topic, 0)
        client.assign([where])
        client.seek(where, await offset_at(THEN_MS + 90_000))
        found = as_records(await poll(client, 10))
        expected = [THEN_MS + n * 1000 for n in range(90, 100)]
        equal([record.timestamp_ms for record in found], expected, "timestamps")

    stamped = await create_topic(
        context, context.topic("append-time"), config={"message.timestamp.type": "LogAppendTime"}
    )
    before_ms = int(time.time() * 1000)
    await send(context, stamped, [Record(b"v", timestamp_ms=THEN_MS)])
    at_ms = as_records(await read(context, stamped, 1))[0].timestamp_ms
    check(before_ms - 1000 <= at_ms <= time.time() * 1000 + 1000, f"LogAppendTime gave {at_ms}")


async def pause_resume(context: Context) -> None:
    topic = await create_topic(context, context.topic(), 2)
    both = [TopicPartition(topic, partition) for partition in range(2)]
    async with consumer(context) as client:
        client.assign(both)
        await send(context, topic, [Record(b"a", partition=p) for p in range(2) for _ in range(50)])
        await poll(client, 100)
        client.pause(both[0])
        await send(context, topic, [Record(b"b", partition=p) for p in range(2) for _ in range(50)])
        found = {message.partition for message in await poll(client, 50)}
        equal(found, {1}, "partitions while one is paused")
        await silent(client)
        client.resume(both[0])
        after = [(message.partition, message.offset) for message in await poll(client, 50)]
        equal(after, [(0, n) for n in range(50, 100)], "after the pause")


async def seek(context: Context) -> None:
    topic = await _filled(context, 200)
    where = TopicPartition(topic, 0)
    async with consumer(context) as client:
        client.assign([where])
        await poll(client, 150)
        for target in (10, 199, 0, 120):
            client.seek(where, target)
            found = [message.offset for message in await poll(client, min(20, 200 - target))]
            equal(found, list(range(target, min(target + 20, 200))), f"after a seek to {target}")
        equal(await client.position(where), 140, "position")


async def unknown_topic(context: Context) -> None:
    absent = context.topic("absent")
    async with admin_client(context) as admin:
        equal_codes(await admin.delete_topics([absent]), 3, "deleting what is not there")
        check(absent not in await admin.list_topics(), "asking for a topic has created it")
    # This client can not but create what it asks for.
    wanted = context.topic("wanted")
    await send(context, wanted, [Record(b"creates its topic")])
    found = as_records(await read(context, wanted, 1))
    equal(found[0].value, b"creates its topic", "the auto-created topic")
    # It hopes for the topic until its time is over.
    bad = send(context, "no such name/", [Record(b"v")], {"request_timeout_ms": 1000})
    await fails_with(UnknownTopicOrPartitionError, bad, "a bad name")


async def bad_partition(context: Context) -> None:
    topic = await _filled(context, 10)
    there, absent = TopicPartition(topic, 0), TopicPartition(topic, 99)
    # The client knows the partitions, and refuses it by itself.
    await fails_with(AssertionError, send(context, topic, [Record(b"v", partition=99)]), "producing")
    async with consumer(context, settings={"request_timeout_ms": 2000}) as client:
        # It hopes for the partition until its time is over.
        await fails_with(KafkaTimeoutError, client.end_offsets([absent]), "asking")
        # The same client still reads what is there.
        client.assign([there])
        equal(len(await poll(client, 10)), 10, "records of the partition that is there")
    async with admin_client(context) as admin:
        partitions = (await admin.describe_topics([topic]))[0]["partitions"]
    equal([each["partition"] for each in partitions], [0], "partitions")


async def _filled(context: Context, count: int) -> str:
    topic = await create_topic(context, context.topic())
    await send(context, topic, [Record(b"%d" % number) for number in range(count)], {"max_batch_size": 128})
    return topic


SCENARIOS: dict[str, Scenario] = {
    "consume_beginning": scenario(consume_beginning),
    "consume_end": scenario(consume_end),
    "consume_offset": scenario(consume_offset),
    "consume_timestamp": scenario(consume_timestamp),
    "pause_resume": scenario(pause_resume),
    "seek": scenario(seek),
    "unknown_topic": scenario(unknown_topic),
    "bad_partition": scenario(bad_partition),
}
