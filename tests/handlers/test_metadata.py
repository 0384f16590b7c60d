"""Metadata: by name, by id, all; and every version's traps."""

from typing import Any

import pytest

from kbroker.handlers import metadata
from kbroker.handlers.cluster_view import OPERATIONS_UNKNOWN
from kbroker.metadata.image import MetadataImage
from kbroker.protocol import errors
from kbroker.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from kbroker.protocol.generated.metadata_response import MetadataResponse
from tests.handlers import cluster
from tests.handlers.cluster import broker, partition, topic

VERSIONS = range(metadata.VERSIONS[0], metadata.VERSIONS[1] + 1)
TWO_TOPICS = cluster.image(topics=(topic("a"), topic("b", partition(1), partition(1))))


def ask(version: int, *names: str | None, image: MetadataImage = TWO_TOPICS, **rest: Any) -> MetadataResponse:
    """Ask by name, without auto-creation."""
    return send(version, [MetadataRequestTopic(name=name) for name in names], image=image, **rest)


def send(
    version: int,
    topics: list[MetadataRequestTopic] | None,
    image: MetadataImage = TWO_TOPICS,
    listener: str = cluster.LISTENER,
    **rest: Any,
) -> MetadataResponse:
    request = MetadataRequest(topics, allow_auto_topic_creation=False, **rest)
    context = cluster.context(cluster.services(image), 3, version, listener)
    response = metadata.handle(request, context)
    assert isinstance(response, MetadataResponse)
    # What can't be written in this version would show here.
    response.write([], version)
    return response


def names(response: MetadataResponse) -> list[str | None]:
    return [entry.name for entry in response.topics]


@pytest.mark.parametrize("version", VERSIONS)
def test_null_means_all_topics(version: int) -> None:
    assert names(send(version, None)) == ["a", "b"]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_list_means_none_except_in_version_0(version: int) -> None:
    assert names(send(version, [])) == (["a", "b"] if version == 0 else [])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_named_topic_comes_once_with_its_partitions(version: int) -> None:
    response = ask(version, "b", "b")
    (entry,) = response.topics
    assert (entry.error_code, entry.name, entry.topic_id) == (0, "b", cluster.topic_id("b"))
    assert [(p.error_code, p.partition_index, p.leader_id) for p in entry.partitions] == [
        (0, 0, 1),
        (0, 1, 1),
    ]
    assert entry.partitions[0].replica_nodes == entry.partitions[0].isr_nodes == [1]


@pytest.mark.parametrize("version", VERSIONS)
def test_unknown_and_impossible_names(version: int) -> None:
    response = ask(version, "nope", "a b", "", "x" * 250, "__consumer_offsets")
    assert [(entry.error_code, entry.is_internal, entry.partitions) for entry in response.topics] == [
        (errors.UNKNOWN_TOPIC_OR_PARTITION, False, []),
        (errors.INVALID_TOPIC_EXCEPTION, False, []),
        (errors.INVALID_TOPIC_EXCEPTION, False, []),
        (errors.INVALID_TOPIC_EXCEPTION, False, []),
        (errors.UNKNOWN_TOPIC_OR_PARTITION, True, []),
    ]


@pytest.mark.parametrize("version", [12, 13])
def test_topics_by_id(version: int) -> None:
    unknown = b"?" * 16
    response = send(
        version,
        [
            MetadataRequestTopic(cluster.topic_id("a"), None),
            MetadataRequestTopic(unknown, None),
            MetadataRequestTopic(cluster.topic_id("a"), None),
            # Once an id is given, names count for nothing.
            MetadataRequestTopic(name="b"),
        ],
    )
    assert [(entry.error_code, entry.name, entry.topic_id) for entry in response.topics] == [
        (errors.UNKNOWN_TOPIC_ID, None, unknown),
        (errors.NONE, "a", cluster.topic_id("a")),
    ]


@pytest.mark.parametrize("version", [10, 11])
def test_ids_are_refused_before_version_12(version: int) -> None:
    response = send(
        version, [MetadataRequestTopic(cluster.topic_id("a"), "a"), MetadataRequestTopic(name="b")]
    )
    assert [(entry.error_code, entry.name) for entry in response.topics] == [
        (errors.INVALID_REQUEST, "a"),
        (errors.INVALID_REQUEST, "b"),
    ]
    assert response.brokers == []


@pytest.mark.parametrize("version", [10, 11, 12, 13])
def test_neither_name_nor_id(version: int) -> None:
    response = send(version, [MetadataRequestTopic(name=None), MetadataRequestTopic(name="a")])
    assert [(entry.error_code, entry.name) for entry in response.topics] == [
        (errors.INVALID_REQUEST, ""),
        (errors.INVALID_REQUEST, "a"),
    ]


def test_brokers_are_those_alive_on_the_request_s_listener() -> None:
    image = cluster.image(
        brokers=(broker(1), broker(2, fenced=True), broker(3, listener="OTHER"), broker(4, rack="r4")),
    )
    response = ask(12, image=image)
    assert [(b.node_id, b.host, b.port, b.rack) for b in response.brokers] == [
        # The own address is the one the client reached us by.
        (1, "10.0.0.1", 9092, None),
        (4, "host4", 9094, "r4"),
    ]
    assert response.cluster_id == "the-cluster"


def test_the_controller_is_any_live_broker() -> None:
    image = cluster.image(brokers=(broker(1), broker(2, fenced=True), broker(3)))
    services = cluster.services(image)
    request = MetadataRequest([], allow_auto_topic_creation=False)
    seen = {
        cluster.now(metadata.handle(request, cluster.context(services, 3, 12))).controller_id
        for _ in range(4)
    }
    assert seen == {1, 3}


def test_no_live_broker_means_no_controller() -> None:
    assert ask(12, image=cluster.image(brokers=(broker(2, fenced=True),))).controller_id == -1


@pytest.mark.parametrize(
    ("version", "code"),
    [(1, errors.LEADER_NOT_AVAILABLE), (5, errors.LEADER_NOT_AVAILABLE), (6, 72), (13, 72)],
)
def test_a_leader_without_this_listener(version: int, code: int) -> None:
    image = cluster.image(
        brokers=(broker(1), broker(2, listener="OTHER")), topics=(topic("a", partition(2, 1)),)
    )
    (entry,) = ask(version, "a", image=image).topics
    assert [(p.error_code, p.leader_id, p.replica_nodes) for p in entry.partitions] == [(code, -1, [2, 1])]
    assert entry.error_code == errors.NONE


@pytest.mark.parametrize("version", VERSIONS)
def test_a_partition_without_leader(version: int) -> None:
    image = cluster.image(topics=(topic("a", partition(1, leader=-1, epoch=4)),))
    (entry,) = ask(version, "a", image=image).topics
    assert entry.partitions[0].error_code == errors.LEADER_NOT_AVAILABLE
    assert entry.partitions[0].leader_id == -1
    assert entry.partitions[0].leader_epoch == (4 if version else -1)


def test_replicas_out_of_reach_in_version_0() -> None:
    image = cluster.image(
        brokers=(broker(1), broker(2, fenced=True)),
        topics=(topic("a", partition(1, 2), partition(1, 2, isr=(1,)), partition(1)),),
    )
    (entry,) = ask(0, "a", image=image).topics
    assert [(p.error_code, p.replica_nodes, p.isr_nodes) for p in entry.partitions] == [
        (errors.REPLICA_NOT_AVAILABLE, [1], [1]),
        (errors.REPLICA_NOT_AVAILABLE, [1], [1]),
        (errors.NONE, [1], [1]),
    ]
    (entry,) = ask(1, "a", image=image).topics
    assert [(p.error_code, p.replica_nodes) for p in entry.partitions] == [(0, [1, 2]), (0, [1, 2]), (0, [1])]


def test_offline_replicas() -> None:
    lost, elsewhere, unassigned = bytes(15) + b"\2", b"e" * 16, bytes(15) + b"\1"
    image = cluster.image(
        brokers=(broker(1), broker(2, fenced=True), broker(3, listener="OTHER"), broker(4), broker(5)),
        topics=(
            topic(
                "a",
                partition(1, 2, 3, 9),
                partition(1, 4, 5, directories=(lost, elsewhere, unassigned)),
            ),
        ),
    )
    (entry,) = ask(5, "a", image=image).topics
    assert [p.offline_replicas for p in entry.partitions] == [[2, 3, 9], [1, 4]]


@pytest.mark.parametrize("version", VERSIONS)
def test_authorized_operations_only_where_asked(version: int) -> None:
    response = ask(
        version,
        "a",
        "nope",
        include_topic_authorized_operations=version >= 8,
        include_cluster_authorized_operations=8 <= version <= 10,
    )
    # Every operation a topic, or the cluster, knows.
    topic_bits, cluster_bits = 0b1101_1111_1000, 0b1_1111_1010_0000
    assert [entry.topic_authorized_operations for entry in response.topics] == [
        topic_bits if version >= 8 else OPERATIONS_UNKNOWN
    ] * 2
    assert response.cluster_authorized_operations == (
        cluster_bits if 8 <= version <= 10 else OPERATIONS_UNKNOWN
    )
    assert ask(version, "a").topics[0].topic_authorized_operations == OPERATIONS_UNKNOWN


def test_internal_topics_are_marked() -> None:
    image = cluster.image(topics=(topic("__consumer_offsets"), topic("__other")))
    assert [entry.is_internal for entry in send(1, None, image=image).topics] == [True, False]


def test_ten_thousand_partitions_share_one_look_at_the_cluster() -> None:
    image = cluster.image(topics=(topic("wide", *[partition(1)] * 10_000),))
    (entry,) = ask(13, "wide", image=image).topics
    assert len(entry.partitions) == 10_000
