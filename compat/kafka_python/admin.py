"""Administration: topics, partitions, configs, records, groups, cluster."""

from typing import Any

from kafka import OffsetAndMetadata, OffsetSpec, TopicPartition
from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType
from kafka.errors import (
    InvalidConfigurationError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
)

from compat.harness import Context, Scenario, check, equal, eventually
from compat.kafka_python.kit import (
    admin_client,
    consumer,
    create_topic,
    fails_with,
    poll,
    read,
    refused,
    send,
)
from compat.records import Record


def create_topic_scenario(context: Context) -> None:
    admin = admin_client(context)
    topic = create_topic(context, context.topic(), 3, {"retention.ms": "3600000"})
    equal(_partitions_of(admin, topic), [0, 1, 2], "partitions")
    send(context, topic, [Record(b"at once", partition=partition) for partition in range(3)])

    def create(name: str, partitions: int = 1, factor: int = 1, config: dict[str, str] | None = None) -> None:
        topic = {"num_partitions": partitions, "replication_factor": factor, "configs": config or {}}
        admin.create_topics({name: topic})

    fails_with(TopicAlreadyExistsError, lambda: create(topic), "twice the same name")
    fails_with(InvalidTopicError, lambda: create("not a name"), "a bad name")
    fails_with(InvalidReplicationFactorError, lambda: create(context.topic("rf"), factor=5), "five replicas")
    fails_with(InvalidPartitionsError, lambda: create(context.topic("p"), partitions=0), "no partitions")
    bad = {"retention.ms": "soon"}
    fails_with(InvalidConfigurationError, lambda: create(context.topic("c"), config=bad), "a bad config")
    unknown = {"no.such.config": "1"}
    fails_with(
        InvalidConfigurationError, lambda: create(context.topic("u"), config=unknown), "an unknown config"
    )
    tried = context.topic("tried")
    admin.create_topics({tried: {"num_partitions": 1, "replication_factor": 1}}, validate_only=True)
    check(tried not in admin.list_topics(), "validate_only has created a topic")
    admin.create_topics([context.topic("defaults")], wait_for_metadata=True)
    equal(_partitions_of(admin, context.topic("defaults")), [0], "default partitions")


def admin(context: Context) -> None:
    client = admin_client(context)
    topic = create_topic(context, context.topic(), 2)
    _cluster(client)
    _partitions(client, topic)
    _configs(context, client, topic)
    _records(context, client, topic)
    _groups(context, client, topic)
    client.delete_topics([topic])
    eventually(lambda: topic not in client.list_topics(), "the topic is gone")
    # The name is free again, and nothing of the old topic shows.
    create_topic(context, topic, 1)
    send(context, topic, [Record(b"new")])
    equal([(m.offset, m.value) for m in read(context, topic, 1)], [(0, b"new")], "the topic's second life")


def _partitions_of(client: Any, topic: str) -> list[int]:
    return sorted(each["partition_index"] for each in client.describe_topics([topic])[0]["partitions"])


def _cluster(client: Any) -> None:
    cluster = client.describe_cluster()
    check(cluster["cluster_id"], "no cluster id")
    equal([node["broker_id"] for node in cluster["brokers"]], [1], "nodes")
    equal(cluster["controller_id"], 1, "controller")
    directories = client.describe_log_dirs()
    equal([(each["broker"], len(each["log_dirs"])) for each in directories], [(1, 1)], "log directories")
    quorum = client.describe_metadata_quorum()["topics"][0]["partitions"][0]
    equal(quorum["leader_id"], 1, "leader of the quorum")


def _partitions(client: Any, topic: str) -> None:
    client.create_partitions({topic: 5})
    client.wait_for_topics([topic])
    eventually(lambda: _partitions_of(client, topic) == list(range(5)), "five partitions")
    fails_with(InvalidPartitionsError, lambda: client.create_partitions({topic: 3}), "fewer partitions")
    partitions = client.describe_topic_partitions([topic])["topics"][0]["partitions"]
    equal([each["leader_id"] for each in partitions], [1] * 5, "leaders")
    equal([each["isr_nodes"] for each in partitions], [[1]] * 5, "in-sync replicas")


def _configs(context: Context, client: Any, topic: str) -> None:
    def described(name: str) -> dict[str, Any]:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        entry: dict[str, Any] = client.describe_configs([resource], config_filter="all")["topic"][topic][name]
        return entry

    def alter(name: str, value: str | None, operation: AlterConfigOp) -> str:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {name: (operation, value)})
        answer: str = client.alter_configs([resource])["topic"][topic]
        return answer

    def becomes(value: str) -> None:
        # Apache Kafka's broker learns of it a moment after its controller has answered.
        eventually(lambda: described(name)["value"] == value, f"{name} becomes {value}", 10)

    name = "max.message.bytes"
    equal(described(name)["value"], "1048588", "the default")
    equal(described(name)["config_source"], "DEFAULT_CONFIG", "source of the default")
    equal(alter(name, "2000", AlterConfigOp.SET), "OK", "the alteration")
    becomes("2000")
    equal(described(name)["config_source"], "DYNAMIC_TOPIC_CONFIG", "source of the altered value")
    refused(context, MessageSizeTooLargeError, topic, Record(b"x" * 3000), "the new limit")
    equal(alter(name, None, AlterConfigOp.DELETE), "OK", "the way back")
    becomes("1048588")
    send(context, topic, [Record(b"x" * 3000, partition=4)])
    answer = alter("retention.ms", "soon", AlterConfigOp.SET)
    check("InvalidConfiguration" in answer, f"a bad value: {answer}")
    broker = ConfigResource(ConfigResourceType.BROKER, "1")
    entries = client.describe_configs([broker], config_filter="all")["broker"]["1"]
    equal(entries["node.id"]["value"], "1", "node.id of the broker")


def _records(context: Context, client: Any, topic: str) -> None:
    send(context, topic, [Record(b"%d" % number, partition=0) for number in range(50)])
    where = TopicPartition(topic, 0)
    equal(client.delete_records({where: 30})[where]["low_watermark"], 30, "low watermark")
    with consumer(context) as reader:
        reader.assign([where])
        reader.seek(where, 0)
        equal([message.offset for message in poll(reader, 20)], list(range(30, 50)), "what is left")
    fails_with(OffsetOutOfRangeError, lambda: client.delete_records({where: 51}), "beyond the end")
    for spec, expected in ((OffsetSpec.LATEST, 50), (OffsetSpec.EARLIEST, 30)):
        equal(client.list_partition_offsets({where: spec})[where].offset, expected, f"{spec.name} offset")


def _groups(context: Context, client: Any, topic: str) -> None:
    group = context.group()

    def offsets() -> dict[int, int]:
        found = client.list_group_offsets(group)[group]
        return {where.partition: offset.offset for where, offset in found.items() if offset.offset >= 0}

    with consumer(context, group) as member:
        member.subscribe([topic])
        poll(member, 21)
        member.commit(timeout_ms=10_000)
        check(group in _listed(client), "the group is not listed")
        equal(client.delete_groups([group]), {group: "NonEmptyGroupError"}, "deleting a living group")
    equal({p: offset for p, offset in offsets().items() if offset}, {0: 50, 4: 1}, "committed offsets")
    where = TopicPartition(topic, 0)
    client.alter_group_offsets(group, {where: OffsetAndMetadata(35, "", -1)})
    equal(offsets()[0], 35, "moved offset")
    client.delete_group_offsets(group, [where])
    check(0 not in offsets(), "a deleted offset is still there")
    equal(client.delete_groups([group]), {group: "OK"}, "deleting the empty group")
    check(group not in _listed(client), "the group is still there")
    equal(client.delete_groups([group]), {group: "GroupIdNotFoundError"}, "deleting what is not there")


def _listed(client: Any) -> set[str]:
    return {each["group_id"] for each in client.list_groups()}


SCENARIOS: dict[str, Scenario] = {"create_topic": create_topic_scenario, "admin": admin}
