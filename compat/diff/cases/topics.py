"""CreateTopics, DeleteTopics, CreatePartitions, Metadata, DescribeTopicPartitions."""

from compat.diff.cases.offsets import NO_TOPICS
from compat.diff.world import World, can_carry, versions
from kbroker.protocol.generated.create_partitions_request import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kbroker.protocol.generated.create_topics_request import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest, DeleteTopicState
from kbroker.protocol.generated.describe_topic_partitions_request import (
    Cursor,
    DescribeTopicPartitionsRequest,
    TopicRequest,
)
from kbroker.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from kbroker.protocol.primitives import ZERO_UUID

HERE = "topics-here"
UNKNOWN_ID = b"no such topic id"
NAMES = (*NO_TOPICS[1:], "ok.name_1-2", "a_b.c", "a.b_c")
CONFIGS: tuple[tuple[str, str | None], ...] = (
    ("retention.ms", "1000"),
    ("retention.ms", "-1"),
    ("retention.ms", "-2"),
    ("retention.ms", "x"),
    ("retention.ms", ""),
    ("retention.ms", None),
    ("retention.ms", "1e3"),
    ("retention.ms", " 5 "),
    ("retention.ms", "9223372036854775808"),
    ("retention.bytes", "-5"),
    ("cleanup.policy", "delete"),
    ("cleanup.policy", "compact,delete"),
    ("cleanup.policy", ""),
    ("cleanup.policy", "nothing"),
    ("cleanup.policy", "delete,delete"),
    ("segment.bytes", "1"),
    ("segment.bytes", "1048576"),
    ("segment.bytes", "2147483648"),
    ("compression.type", "zip"),
    ("compression.type", "ZSTD"),
    ("compression.gzip.level", "10"),
    ("compression.gzip.level", "-1"),
    ("compression.gzip.level", "0"),
    ("message.timestamp.type", "Now"),
    ("message.format.version", "2.0"),
    ("message.downconversion.enable", "false"),
    ("max.message.bytes", "-1"),
    ("min.insync.replicas", "0"),
    ("min.insync.replicas", "2"),
    ("min.cleanable.dirty.ratio", "1.5"),
    ("min.cleanable.dirty.ratio", "NaN"),
    ("preallocate", "maybe"),
    ("preallocate", "TRUE"),
    ("unclean.leader.election.enable", "yes"),
    ("follower.replication.throttled.replicas", "1:1"),
    ("leader.replication.throttled.replicas", "x"),
    ("remote.storage.enable", "true"),
    ("remote.storage.enable", "false"),
    ("local.retention.ms", "5"),
    ("local.retention.bytes", "5"),
    ("remote.log.copy.disable", "true"),
    ("flush.messages", "0"),
    ("no.such.config", "1"),
    ("", "1"),
    ("Retention.ms", "1"),
)


def run(world: World) -> None:
    here = world.topic(HERE, 3)
    _create(world)
    _create_with_configs(world)
    _partitions(world)
    _metadata(world, here)
    _describe_partitions(world)
    _delete(world)


# --- CreateTopics -------------------------------------------------------------------------------


def _one(name: str, partitions: int = 1, factor: int = 1, **more: list[object]) -> CreatableTopic:
    return CreatableTopic(name, partitions, factor, **more)  # type: ignore[arg-type]


def _assigned(*brokers: list[int], start: int = 0) -> dict[str, list[object]]:
    return {
        "assignments": [CreatableReplicaAssignment(index, ids) for index, ids in enumerate(brokers, start)]
    }


def _create(world: World) -> None:
    for version in versions(CreateTopicsRequest):
        create = _Create(world, version)
        for name in NAMES:
            create(f"name {name[:20]!r}", _one(name), validate_only=True)
            create(f"name {name[:20]!r}, for good", _one(name))
        for count in (-(2**31), -2, -1, 0, 3):
            create(f"{count} partitions", _one(create.name(), count))
        for factor in (-2, -1, 0, 2, 32767):
            create(f"replication factor {factor}", _one(create.name(), 1, factor))
        create("nothing said", _one(create.name(), -1, -1))
        create("too many partitions", _one(create.name(), 20_000_000))
        create("there already", _one(HERE))
        create("there already, and wrong", _one(HERE, 0, 0))
        create("internal", _one("__consumer_offsets"))
        create("twice", _one("topics-twice"), _one("topics-twice"))
        create("twice and once", _one("topics-twice"), _one("topics-twice"), _one(create.name()))
        create("none")
        create("good and bad", _one(create.name()), _one("a b"), _one(create.name(), 0))
        create("collides", _one(f"topics.collision-{version}"))
        create("collides now", _one(f"topics_collision-{version}"))
        create("assigned", _one(create.name(), -1, -1, **_assigned([1], [1])))
        create("assigned, counts too", _one(create.name(), 2, 1, **_assigned([1], [1])))
        create("assigned, count only", _one(create.name(), 2, -1, **_assigned([1], [1])))
        create("assigned to an unknown broker", _one(create.name(), -1, -1, **_assigned([2])))
        create("assigned to a negative broker", _one(create.name(), -1, -1, **_assigned([-1])))
        create("assigned twice", _one(create.name(), -1, -1, **_assigned([1, 1])))
        create("assigned to nobody", _one(create.name(), -1, -1, **_assigned([])))
        create("assigned from 1", _one(create.name(), -1, -1, **_assigned([1], start=1)))
        create("assigned unevenly", _one(create.name(), -1, -1, **_assigned([1], [1, 2])))
        twice = [CreatableReplicaAssignment(0, [1]), CreatableReplicaAssignment(0, [1])]
        create("a partition assigned twice", CreatableTopic(create.name(), -1, -1, twice))
        for timeout_ms in (-1, 0):
            create(f"timeout {timeout_ms}", _one(HERE), timeout_ms=timeout_ms)


class _Create:
    """CreateTopics of one version, with names that nobody else has."""

    def __init__(self, world: World, version: int) -> None:
        self._world = world
        self._version = version
        self._count = 0

    def name(self) -> str:
        self._count += 1
        return f"topics-{self._version}-{self._count}"

    def __call__(
        self, case: str, *topics: CreatableTopic, validate_only: bool = False, timeout_ms: int = 30_000
    ) -> None:
        request = CreateTopicsRequest(list(topics), timeout_ms, validate_only)
        if can_carry(request, self._version):
            self._world.ask(request, self._version, case)


def _create_with_configs(world: World) -> None:
    for version in (4, 5, 7):
        create = _Create(world, version)
        for name, value in CONFIGS:
            topic = CreatableTopic("topics-configured", 1, 1, [], [CreatableTopicConfig(name, value)])
            create(f"{name}={value}", topic, validate_only=True)
        double = [CreatableTopicConfig("retention.ms", "1"), CreatableTopicConfig("retention.ms", "2")]
        create("a config twice", CreatableTopic("topics-configured", 1, 1, [], double), validate_only=True)
        configs = [
            CreatableTopicConfig("retention.ms", "5"),
            CreatableTopicConfig("cleanup.policy", "compact"),
        ]
        create("configs", CreatableTopic(f"topics-configured-{version}", 1, 1, [], configs))


# --- CreatePartitions ---------------------------------------------------------------------------


def _partitions(world: World) -> None:
    for version in versions(CreatePartitionsRequest):

        def ask(
            case: str, *topics: CreatePartitionsTopic, validate_only: bool = False, timeout_ms: int = 30_000
        ) -> None:
            request = CreatePartitionsRequest(list(topics), timeout_ms, validate_only)
            world.ask(request, version, case)  # noqa: B023

        name = f"topics-grown-{version}"
        world.topic(name, 2)
        for count in (-1, 0, 1, 2, 3):
            ask(
                f"{count} partitions, validated", CreatePartitionsTopic(name, count, None), validate_only=True
            )
        # Not more than 10,000 at once: Apache Kafka adds some of them and answers with an unknown error.
        ask("empty assignments", CreatePartitionsTopic(name, 3, []))
        ask("assigned", CreatePartitionsTopic(name, 4, [CreatePartitionsAssignment([1])]))
        ask(
            "assigned to an unknown broker", CreatePartitionsTopic(name, 5, [CreatePartitionsAssignment([7])])
        )
        ask("assigned to nobody", CreatePartitionsTopic(name, 5, [CreatePartitionsAssignment([])]))
        ask("assigned twice", CreatePartitionsTopic(name, 5, [CreatePartitionsAssignment([1, 1])]))
        ask("too many assigned", CreatePartitionsTopic(name, 5, [CreatePartitionsAssignment([1])] * 3))
        ask("grown", CreatePartitionsTopic(name, 6, None))
        ask("twice", CreatePartitionsTopic(name, 7, None), CreatePartitionsTopic(name, 8, None))
        ask("none")
        ask("good and bad", CreatePartitionsTopic(name, 7, None), CreatePartitionsTopic("nowhere", 8, None))
        for unknown in NO_TOPICS:
            ask(f"topic {unknown[:20]!r}", CreatePartitionsTopic(unknown, 3, None))
        ask("internal", CreatePartitionsTopic("__consumer_offsets", 3, None))
        for timeout_ms in (-1, 0):
            ask(f"timeout {timeout_ms}", CreatePartitionsTopic(name, 1, None), timeout_ms=timeout_ms)


# --- Metadata -----------------------------------------------------------------------------------


def _metadata(world: World, here: bytes) -> None:
    def ask(
        case: str, topics: list[MetadataRequestTopic] | None, *, create: bool = False, **more: bool
    ) -> None:
        for version in versions(MetadataRequest):
            # Before version 4 creation can not be declined, and before 1 no topics mean all.
            request = MetadataRequest(topics, create or version < 4, **more)
            if can_carry(request, version):
                world.ask(request, version, case)

    def named(*names: str) -> list[MetadataRequestTopic]:
        return [MetadataRequestTopic(name=name) for name in names]

    ask("all", None)
    ask("none", [])
    ask("one", named(HERE))
    ask("twice", named(HERE, HERE))
    ask("internal", named("__consumer_offsets"))
    for name in NO_TOPICS[1:]:
        if name not in ("offsets-nowhere", "x" * 249):
            ask(f"topic {name[:20]!r}", named(name))
    ask("an empty name", named(""))
    by_id = [MetadataRequestTopic(here, None)]
    unknown_id = [MetadataRequestTopic(UNKNOWN_ID, None)]
    for version in range(10, 14):
        for case, topics in {
            "by id": by_id,
            "by id twice": by_id + by_id,
            "by unknown id": unknown_id,
            "by id and unknown id": by_id + unknown_id,
            "zero id, no name": [MetadataRequestTopic(ZERO_UUID, None)],
            "id and name": [MetadataRequestTopic(here, HERE)],
            "id and other name": [MetadataRequestTopic(here, "nowhere")],
            "name and id mixed": by_id + named(HERE),
        }.items():
            world.ask(MetadataRequest(topics, False), version, case)
    for version in range(4, 14):
        world.ask(MetadataRequest(named("nowhere"), False), version, "unknown, not to be created")
        world.ask(MetadataRequest(named("nowhere", HERE, "a b"), False), version, "unknown, known, invalid")
    ask("cluster operations", None, include_cluster_authorized_operations=True)
    ask("topic operations", named(HERE), include_topic_authorized_operations=True)
    ask("created", named("topics-auto"), create=True)


# --- DescribeTopicPartitions --------------------------------------------------------------------


def _describe_partitions(world: World) -> None:
    def ask(case: str, *names: str, limit: int = 2000, cursor: Cursor | None = None) -> None:
        topics = [TopicRequest(name) for name in names]
        world.each(DescribeTopicPartitionsRequest(topics, limit, cursor), case)

    world.topic("topics-aa", 2)
    world.topic("topics-zz", 2)
    names = ("topics-zz", HERE, "topics-aa")
    ask("several", *names)
    ask("twice", HERE, HERE)
    ask("unknown", "nowhere", HERE)
    # Not the empty name: Apache Kafka fails on the way to its answer.
    for name in filter(None, NO_TOPICS):
        ask(f"topic {name[:20]!r}", name)
    for limit in (-1, 0, 1, 2, 3, 4, 5, 2**31 - 1):
        ask(f"limit {limit}", *names, limit=limit)
    for topic, partition in (
        *(("topics-aa", 1), (HERE, 0), (HERE, 2), (HERE, 3), (HERE, -1)),
        *(("topics-ab", 0), ("topics-zzz", 0), ("", 0)),
    ):
        ask(f"cursor {topic} {partition}", *names, cursor=Cursor(topic, partition))
        ask(f"cursor {topic} {partition}, limit 2", *names, limit=2, cursor=Cursor(topic, partition))
    ask("cursor at an unknown topic", "nowhere", HERE, cursor=Cursor("nowhere", 0))


# --- DeleteTopics -------------------------------------------------------------------------------


def _delete(world: World) -> None:
    for version in versions(DeleteTopicsRequest):
        names = [f"topics-gone-{version}-{number}" for number in range(6)]
        ids = {name: world.topic(name) for name in names}

        def ask(case: str, *topics: DeleteTopicState, timeout_ms: int = 30_000) -> None:
            if version >= 6:  # noqa: B023
                request = DeleteTopicsRequest(list(topics), [], timeout_ms)
            else:
                request = DeleteTopicsRequest([], [topic.name or "" for topic in topics], timeout_ms)
            world.ask(request, version, case)  # noqa: B023

        ask("one", DeleteTopicState(names[0]))
        ask("again", DeleteTopicState(names[0]))
        ask("twice", DeleteTopicState(names[1]), DeleteTopicState(names[1]))
        ask("good and unknown", DeleteTopicState(names[2]), DeleteTopicState("nowhere"))
        ask("none")
        for name in NO_TOPICS:
            ask(f"topic {name[:20]!r}", DeleteTopicState(name))
        for timeout_ms in (-1, 0):
            ask(f"timeout {timeout_ms}", DeleteTopicState("nowhere"), timeout_ms=timeout_ms)
        if version >= 6:
            ask("by id", DeleteTopicState(None, ids[names[3]]))
            ask("by id again", DeleteTopicState(None, ids[names[3]]))
            ask("by unknown id", DeleteTopicState(None, UNKNOWN_ID))
            ask("by zero id", DeleteTopicState(None))
            ask("by name and id", DeleteTopicState(names[4], ids[names[4]]))
            ask("by name and by id", DeleteTopicState(names[4]), DeleteTopicState(None, ids[names[4]]))
            ask("by id twice", *[DeleteTopicState(None, ids[names[5]])] * 2)
