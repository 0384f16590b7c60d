"""Administration: topics, partitions, configs, records, groups, cluster."""

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from compat.confluent_kafka.kit import (
    admin_client,
    consumer,
    create_topic,
    fails_with,
    poll,
    read,
    refused,
    send,
)
from compat.harness import Context, Scenario, check, equal, eventually
from compat.records import Record


def create_topic_scenario(context: Context) -> None:
    admin = admin_client(context)
    topic = create_topic(context, context.topic(), 3, {"retention.ms": "3600000"})
    partitions = admin.list_topics(topic, 10).topics[topic].partitions
    equal(sorted(partitions), [0, 1, 2], "partitions")
    send(context, topic, [Record(b"at once", partition=partition) for partition in range(3)])

    def create(name: str, partitions: int = 1, factor: int = 1, config: dict[str, str] | None = None) -> None:
        admin.create_topics([NewTopic(name, partitions, factor, config=config or {})])[name].result(10)

    fails_with(KafkaError.TOPIC_ALREADY_EXISTS, lambda: create(topic), "twice the same name")
    fails_with(KafkaError.TOPIC_EXCEPTION, lambda: create("not a name"), "a bad name")
    fails_with(
        KafkaError.INVALID_REPLICATION_FACTOR, lambda: create(context.topic("rf"), factor=5), "five replicas"
    )
    fails_with(
        KafkaError.INVALID_PARTITIONS, lambda: create(context.topic("p"), partitions=0), "no partitions"
    )
    bad = {"retention.ms": "soon"}
    fails_with(KafkaError.INVALID_CONFIG, lambda: create(context.topic("c"), config=bad), "a bad config")
    unknown = {"no.such.config": "1"}
    fails_with(
        KafkaError.INVALID_CONFIG, lambda: create(context.topic("u"), config=unknown), "an unknown config"
    )
    tried = context.topic("tried")
    admin.create_topics([NewTopic(tried, 1, 1)], validate_only=True)[tried].result(10)
    check(tried not in admin.list_topics(timeout=10).topics, "validate_only has created a topic")
    create(context.topic("defaults"), -1, -1)
    equal(
        len(admin.list_topics(timeout=10).topics[context.topic("defaults")].partitions),
        1,
        "default partitions",
    )


def admin(context: Context) -> None:
    client = admin_client(context)
    topic = create_topic(context, context.topic(), 2)
    _cluster(client)
    _partitions(client, topic)
    _configs(context, client, topic)
    _records(context, client, topic)
    _groups(context, client, topic)
    client.delete_topics([topic])[topic].result(10)
    eventually(lambda: topic not in client.list_topics(timeout=10).topics, "the topic is gone")
    # The name is free again, and nothing of the old topic shows.
    create_topic(context, topic, 1)
    send(context, topic, [Record(b"new")])
    equal(
        [(m.offset(), m.value()) for m in read(context, topic, 1)], [(0, b"new")], "the topic's second life"
    )


def _cluster(client: AdminClient) -> None:
    cluster = client.describe_cluster().result(10)
    check(cluster.cluster_id, "no cluster id")
    equal([node.id for node in cluster.nodes], [1], "nodes")
    equal(cluster.controller.id, 1, "controller")


def _partitions(client: AdminClient, topic: str) -> None:
    def grow(count: int) -> None:
        client.create_partitions([NewPartitions(topic, count)])[topic].result(10)

    grow(5)
    equal(len(client.list_topics(topic, 10).topics[topic].partitions), 5, "partitions")
    fails_with(KafkaError.INVALID_PARTITIONS, lambda: grow(3), "fewer partitions")
    description = client.describe_topics(TopicCollection([topic]))[topic].result(10)
    equal([p.leader.id for p in description.partitions], [1] * 5, "leaders")
    equal([[n.id for n in p.isr] for p in description.partitions], [[1]] * 5, "in-sync replicas")


def _configs(context: Context, client: AdminClient, topic: str) -> None:
    def described(name: str) -> ConfigEntry:
        resource = ConfigResource(ResourceType.TOPIC, topic)
        entries: dict[str, ConfigEntry] = client.describe_configs([resource])[resource].result(10)
        return entries[name]

    def alter(name: str, value: str | None, operation: AlterConfigOpType) -> None:
        entry = ConfigEntry(name, value or "", incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        client.incremental_alter_configs([resource])[resource].result(10)

    def becomes(value: str) -> None:
        # Apache Kafka's broker learns of it a moment after its controller has answered.
        eventually(lambda: described(name).value == value, f"{name} becomes {value}", 10)

    name = "max.message.bytes"
    equal(described(name).value, "1048588", "the default")
    equal(described(name).source, ConfigSource.DEFAULT_CONFIG.value, "source of the default")
    alter(name, "2000", AlterConfigOpType.SET)
    becomes("2000")
    equal(described(name).source, ConfigSource.DYNAMIC_TOPIC_CONFIG.value, "source of the altered value")
    equal(refused(context, topic, Record(b"x" * 3000)).code(), KafkaError.MSG_SIZE_TOO_LARGE, "the new limit")
    alter(name, None, AlterConfigOpType.DELETE)
    becomes("1048588")
    send(context, topic, [Record(b"x" * 3000, partition=4)])
    bad = ("retention.ms", "soon", AlterConfigOpType.SET)
    fails_with(KafkaError.INVALID_CONFIG, lambda: alter(*bad), "a bad value")
    broker = ConfigResource(ResourceType.BROKER, "1")
    entries = client.describe_configs([broker])[broker].result(10)
    equal(entries["node.id"].value, "1", "node.id of the broker")


def _records(context: Context, client: AdminClient, topic: str) -> None:
    send(context, topic, [Record(b"%d" % number, partition=0) for number in range(50)])
    where = TopicPartition(topic, 0, 30)
    equal(client.delete_records([where])[where].result(10).low_watermark, 30, "low watermark")
    reader = consumer(context)
    equal(reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=10), (30, 50), "watermarks")
    reader.assign([TopicPartition(topic, 0, 0)])
    equal([message.offset() for message in poll(reader, 20)], list(range(30, 50)), "what is left")
    reader.close()
    beyond = TopicPartition(topic, 0, 51)
    fails_with(
        KafkaError.OFFSET_OUT_OF_RANGE,
        lambda: client.delete_records([beyond])[beyond].result(10),
        "beyond the end",
    )
    latest = TopicPartition(topic, 0)
    equal(
        client.list_offsets({latest: OffsetSpec.latest()})[latest].result(10).offset, 50, "the latest offset"
    )
    equal(
        client.list_offsets({latest: OffsetSpec.earliest()})[latest].result(10).offset,
        30,
        "the earliest offset",
    )


def _groups(context: Context, client: AdminClient, topic: str) -> None:
    group = context.group()
    member = consumer(context, group)
    member.subscribe([topic])
    poll(member, 21)
    member.commit(asynchronous=False)
    check(
        group in {each.group_id for each in client.list_consumer_groups().result(10).valid},
        "the group is not listed",
    )
    fails_with(
        KafkaError.NON_EMPTY_GROUP,
        lambda: client.delete_consumer_groups([group])[group].result(10),
        "a living group",
    )
    member.close()
    query = ConsumerGroupTopicPartitions(group)
    found = client.list_consumer_group_offsets([query])[group].result(10).topic_partitions
    equal(
        {each.partition: each.offset for each in found if each.offset >= 0},
        {0: 50, 4: 1},
        "committed offsets",
    )
    moved = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 35)])
    client.alter_consumer_group_offsets([moved])[group].result(10)
    found = client.list_consumer_group_offsets([query])[group].result(10).topic_partitions
    equal({each.partition: each.offset for each in found if each.partition == 0}, {0: 35}, "moved offset")
    client.delete_consumer_groups([group])[group].result(10)
    check(
        group not in {g.group_id for g in client.list_consumer_groups().result(10).valid},
        "the group is still there",
    )
    fails_with(
        KafkaError.GROUP_ID_NOT_FOUND,
        lambda: client.delete_consumer_groups([group])[group].result(10),
        "no such group",
    )


SCENARIOS: dict[str, Scenario] = {"create_topic": create_topic_scenario, "admin": admin}
