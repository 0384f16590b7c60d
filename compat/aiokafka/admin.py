"""Administration: topics, partitions, configs, records, groups, cluster."""

from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidPartitionsError,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
)

from compat.aiokafka.kit import (
    admin_client,
    becomes,
    consumer,
    create_topic,
    equal_codes,
    fails_with,
    poll,
    read,
    scenario,
    send,
)
from compat.harness import Context, Scenario, check, equal
from compat.records import Record

# Error codes, which this client gives back as they are.
TOPIC_EXISTS, INVALID_TOPIC, INVALID_PARTITIONS, INVALID_FACTOR, INVALID_CONFIG = 36, 17, 37, 38, 40


async def create_topic_scenario(context: Context) -> None:
    topic = await create_topic(context, context.topic(), 3, {"retention.ms": "3600000"})
    await send(context, topic, [Record(b"at once", partition=partition) for partition in range(3)])
    async with admin_client(context) as admin:
        equal(await _partitions_of(admin, topic), [0, 1, 2], "partitions")
        bad, unknown = {"retention.ms": "soon"}, {"no.such.config": "1"}
        for what, code, new in (
            ("twice the same name", TOPIC_EXISTS, NewTopic(topic, 1, 1)),
            ("a bad name", INVALID_TOPIC, NewTopic("not a name", 1, 1)),
            ("five replicas", INVALID_FACTOR, NewTopic(context.topic("rf"), 1, 5)),
            ("no partitions", INVALID_PARTITIONS, NewTopic(context.topic("p"), 0, 1)),
            ("a bad config", INVALID_CONFIG, NewTopic(context.topic("c"), 1, 1, topic_configs=bad)),
            ("an unknown config", INVALID_CONFIG, NewTopic(context.topic("u"), 1, 1, topic_configs=unknown)),
        ):
            equal_codes(await admin.create_topics([new]), code, what)
        tried = context.topic("tried")
        equal_codes(await admin.create_topics([NewTopic(tried, 1, 1)], validate_only=True), 0, "trying")
        check(tried not in await admin.list_topics(), "validate_only has created a topic")


async def admin(context: Context) -> None:
    topic = await create_topic(context, context.topic(), 2)
    async with admin_client(context) as client:
        cluster = await client.describe_cluster()
        check(cluster["cluster_id"], "no cluster id")
        equal([node["node_id"] for node in cluster["brokers"]], [1], "nodes")
        equal(cluster["controller_id"], 1, "controller")
        await _partitions(client, topic)
        await _configs(context, client, topic)
        await _records(context, client, topic)
        await _groups(context, client, topic)
        equal_codes(await client.delete_topics([topic]), 0, "deleting the topic")

        async def gone() -> bool:
            return topic not in await client.list_topics()

        await becomes(gone, "the topic is gone")
    # The name is free again, and nothing of the old topic shows.
    await create_topic(context, topic, 1)
    await send(context, topic, [Record(b"new")])
    found = [(message.offset, message.value) for message in await read(context, topic, 1)]
    equal(found, [(0, b"new")], "the topic's second life")


async def _partitions_of(client: Any, topic: str) -> list[int]:
    return sorted(each["partition"] for each in (await client.describe_topics([topic]))[0]["partitions"])


async def _partitions(client: Any, topic: str) -> None:
    await client.create_partitions({topic: NewPartitions(5)})

    async def grown() -> bool:
        partitions = (await client.describe_topics([topic]))[0]["partitions"]
        return [each["leader"] for each in partitions] == [1] * 5

    await becomes(grown, "five partitions with their leader")
    fewer = client.create_partitions({topic: NewPartitions(3)})
    await fails_with(InvalidPartitionsError, fewer, "fewer partitions")


async def _configs(context: Context, client: Any, topic: str) -> None:
    async def described(name: str) -> Any:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        answer = (await client.describe_configs([resource]))[0]
        return next(entry for entry in answer.resources[0][4] if entry[0] == name)

    async def alter(configs: dict[str, str]) -> int:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs)
        answer = (await client.alter_configs([resource]))[0]
        return int(answer.resources[0][0])

    async def altered_to(value: str) -> None:
        async def changed() -> bool:
            return bool((await described(name))[1] == value)

        # Apache Kafka's broker learns of it a moment after its controller has answered.
        await becomes(changed, f"{name} becomes {value}")

    name = "max.message.bytes"
    equal((await described(name))[1], "1048588", "the default")
    equal(await alter({name: "2000"}), 0, "the alteration")
    await altered_to("2000")
    large = [Record(b"x" * 3000, partition=4)]
    await fails_with(MessageSizeTooLargeError, send(context, topic, large), "the new limit")
    # What is not named goes back to its default.
    equal(await alter({"retention.ms": "-1"}), 0, "the way back")
    await altered_to("1048588")
    await send(context, topic, large)
    equal(await alter({"retention.ms": "soon"}), INVALID_CONFIG, "a bad value")
    broker = (await client.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")]))[0]
    values = {entry[0]: entry[1] for entry in broker.resources[0][4]}
    equal(values["node.id"], "1", "node.id of the broker")


async def _records(context: Context, client: Any, topic: str) -> None:
    await send(context, topic, [Record(b"%d" % number, partition=0) for number in range(50)])
    where = TopicPartition(topic, 0)
    equal(await client.delete_records({where: RecordsToDelete(30)}), {where: 30}, "low watermark")
    async with consumer(context) as reader:
        reader.assign([where])
        reader.seek(where, 0)
        equal([message.offset for message in await poll(reader, 20)], list(range(30, 50)), "what is left")
        equal(await reader.beginning_offsets([where]), {where: 30}, "the earliest offset")
        equal(await reader.end_offsets([where]), {where: 50}, "the latest offset")
    beyond = client.delete_records({where: RecordsToDelete(51)})
    await fails_with(OffsetOutOfRangeError, beyond, "beyond the end")


async def _groups(context: Context, client: Any, topic: str) -> None:
    group = context.group()
    async with consumer(context, group) as member:
        member.subscribe([topic])
        await poll(member, 21)
        await member.commit()
        check(group in {each[0] for each in await client.list_consumer_groups()}, "the group is not listed")
    found = await client.list_consumer_group_offsets(group)
    committed = {where.partition: each.offset for where, each in found.items() if each.offset > 0}
    equal(committed, {0: 50, 4: 1}, "committed offsets")


SCENARIOS: dict[str, Scenario] = {
    "create_topic": scenario(create_topic_scenario),
    "admin": scenario(admin),
}
