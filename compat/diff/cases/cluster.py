"""What is asked of the cluster: versions, itself, quorum, coordinators, log directories, producers."""

from compat.diff.batches import records
from compat.diff.cases.offsets import NO_TOPICS, fill
from compat.diff.cases.produce import produce
from compat.diff.world import World, versions
from kbroker.protocol.generated.api_versions_request import ApiVersionsRequest
from kbroker.protocol.generated.describe_cluster_request import DescribeClusterRequest
from kbroker.protocol.generated.describe_log_dirs_request import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
)
from kbroker.protocol.generated.describe_producers_request import (
    DescribeProducersRequest,
    TopicRequest,
)
from kbroker.protocol.generated.describe_quorum_request import (
    DescribeQuorumRequest,
    PartitionData,
    TopicData,
)
from kbroker.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from kbroker.protocol.generated.init_producer_id_request import InitProducerIdRequest

HERE = "cluster-here"


def run(world: World) -> None:
    world.topic(HERE, 2)
    fill(world, HERE, 3)
    _api_versions(world)
    for operations in (False, True):
        for endpoint_type in (-1, 0, 1, 2, 3):
            for fenced in (False, True):
                request = DescribeClusterRequest(operations, endpoint_type, fenced)
                world.each(request, f"operations {operations}, endpoints {endpoint_type}, fenced {fenced}")
    _quorum(world)
    _coordinators(world)
    _log_directories(world)
    _producer_ids(world)
    _producers(world)


def _api_versions(world: World) -> None:
    for name, version in (
        ("diff", "1"),
        ("", ""),
        ("diff", ""),
        ("-diff", "1"),
        ("di ff", "1"),
        ("diff", "1-"),
        ("d" * 300, "1"),
    ):
        world.each(ApiVersionsRequest(name, version), f"software {name[:20]!r} {version!r}", on="versions")


def _quorum(world: World) -> None:
    def ask(case: str, *topics: TopicData) -> None:
        world.each(DescribeQuorumRequest(list(topics)), case)

    ask("the metadata log", TopicData("__cluster_metadata", [PartitionData(0)]))
    ask("none")
    ask("no partitions", TopicData("__cluster_metadata", []))
    ask("partition 1", TopicData("__cluster_metadata", [PartitionData(1)]))
    ask("twice", TopicData("__cluster_metadata", [PartitionData(0), PartitionData(0)]))
    ask("another topic", TopicData(HERE, [PartitionData(0)]))
    ask("an empty name", TopicData("", [PartitionData(0)]))


def _coordinators(world: World) -> None:
    for key_type in (-1, 0, 1, 2, 3, 127):
        for key in ("cluster-group", "", "g" * 300, "ä"):
            world.each(FindCoordinatorRequest(key, key_type), f"type {key_type}, key {key[:20]!r}")
            world.each(FindCoordinatorRequest("", key_type, [key]), f"type {key_type}, keys [{key[:20]!r}]")
        several = FindCoordinatorRequest("", key_type, ["one", "two", "one"])
        world.each(several, f"type {key_type}, several keys")
    world.each(FindCoordinatorRequest("", 0, []), "no keys")
    for key in (
        "g:AAAAAAAAAAAAAAAAAAAAAQ:0",
        "g:x:0",
        "g:AAAAAAAAAAAAAAAAAAAAAQ:x",
        "g:AAAAAAAAAAAAAAAAAAAAAQ",
        "a:b:c:d",
    ):
        world.each(FindCoordinatorRequest("", 2, [key]), f"share key {key!r}")


def _log_directories(world: World) -> None:
    world.each(DescribeLogDirsRequest([DescribableLogDirTopic(HERE, [0, 1])]), "two partitions")
    world.each(DescribeLogDirsRequest([DescribableLogDirTopic(HERE, [0, 7, -1])]), "unknown partitions")
    world.each(DescribeLogDirsRequest([DescribableLogDirTopic(HERE, [])]), "no partitions")
    world.each(DescribeLogDirsRequest([DescribableLogDirTopic(HERE, [0, 0])]), "a partition twice")
    world.each(DescribeLogDirsRequest([]), "none")
    for name in NO_TOPICS:
        world.each(DescribeLogDirsRequest([DescribableLogDirTopic(name, [0])]), f"topic {name[:20]!r}")


def _producer_ids(world: World) -> None:
    for version in versions(InitProducerIdRequest):
        world.ask(InitProducerIdRequest(None, 60_000), version, "idempotent")
        for timeout_ms in (-1, 0, 2**31 - 1):
            world.ask(InitProducerIdRequest(None, timeout_ms), version, f"timeout {timeout_ms}")
        world.ask(InitProducerIdRequest("", 60_000), version, "an empty transactional id")
        world.ask(InitProducerIdRequest("cluster-transaction", 60_000), version, "a transactional id")
        world.ask(InitProducerIdRequest("cluster-transaction", 0), version, "a transactional id, timeout 0")
    for producer_id, epoch in ((5, 0), (5, -1), (-1, 0), (-2, -2), (2**62, 5), (0, 0), (5, 32767)):
        for version in (3, 4, 5):
            request = InitProducerIdRequest(None, 60_000, producer_id, epoch)
            world.ask(request, version, f"producer {producer_id}, epoch {epoch}")


def _producers(world: World) -> None:
    topic = "cluster-producers"
    world.topic(topic, 2)
    for count in (2, 1):
        producer = world.ask(InitProducerIdRequest(None, 60_000), 4, "fixture")["producer_id"]
        world.ask(produce(topic, records(count, producer=(producer, 3, 0))), 9, "fixture")
    world.ask(produce(topic, records(4, producer=(producer, 3, count))), 9, "fixture")
    world.each(DescribeProducersRequest([TopicRequest(topic, [0])]), "two producers")
    world.each(DescribeProducersRequest([TopicRequest(topic, [1])]), "no producers")
    world.each(DescribeProducersRequest([TopicRequest(topic, [0, 0])]), "a partition twice")
    world.each(
        DescribeProducersRequest([TopicRequest(topic, [0]), TopicRequest(topic, [1])]), "a topic twice"
    )
    world.each(DescribeProducersRequest([TopicRequest(topic, [-1, 2])]), "unknown partitions")
    world.each(DescribeProducersRequest([TopicRequest(topic, [])]), "no partitions")
    world.each(DescribeProducersRequest([]), "none")
    for name in NO_TOPICS:
        world.each(DescribeProducersRequest([TopicRequest(name, [0])]), f"topic {name[:20]!r}")
