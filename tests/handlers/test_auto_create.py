"""Topics that are made because somebody asked for them."""

import pytest

from kbroker.handlers import metadata
from kbroker.handlers.auto_create import ensure_topics
from kbroker.handlers.context import Pending, Services
from kbroker.metadata.image import TOPIC
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from kbroker.protocol.generated.metadata_response import MetadataResponse
from tests.handlers import cluster
from tests.handlers.cluster import broker, topic


def shape(services: Services, name: str) -> tuple[int, int]:
    """Partitions and replicas."""
    partitions = services.metadata.image.topics[name].partitions
    return len(partitions), len(partitions[0].replicas)


def ensure(services: Services, *names: str) -> dict[str, int]:
    outcome: dict[str, int] = cluster.now(ensure_topics(names, services))
    return outcome


def test_only_what_is_missing_and_possible_is_made() -> None:
    services = cluster.services(cluster.image(topics=(topic("old"),)))
    assert ensure(services, "old", "new", "a b", "") == {"old": 0, "new": 0, "a b": 17, "": 17}
    assert list(services.metadata.image.topics) == ["old", "new"]


def test_nothing_missing_asks_nobody() -> None:
    services = cluster.services(cluster.image(topics=(topic("old"),)))
    cluster.channel(services).holding = True
    assert ensure(services, "old", "..") == {"old": 0, "..": 17}


def test_two_requests_share_one_creation() -> None:
    services = cluster.services(cluster.image())
    cluster.channel(services).holding = True
    first, second = ensure_topics(["a", "b"], services), ensure_topics(["b", "c"], services)
    assert not first.done
    cluster.channel(services).deliver()
    assert (first.value, second.value) == ({"a": 0, "b": 0}, {"b": 0, "c": 0})
    assert len(services.metadata.image.topics) == 3


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, (1, 1)), ({"num.partitions": "4", "default.replication.factor": "2"}, (4, 2))],
)
def test_the_shape_of_a_plain_topic(settings: dict[str, str], expected: tuple[int, int]) -> None:
    services = cluster.services(cluster.image(brokers=(broker(1), broker(2))), settings)
    ensure(services, "a")
    assert shape(services, "a") == expected


def test_internal_topics_have_shapes_of_their_own() -> None:
    services = cluster.services(cluster.image(brokers=(broker(1), broker(2))))
    names = ("__consumer_offsets", "__transaction_state", "__share_group_state")
    assert ensure(services, *names) == dict.fromkeys(names, errors.NONE)
    # Three replicas are Kafka's default; there are two brokers.
    assert [shape(services, name) for name in names] == [(50, 2)] * 3
    configs = [services.metadata.image.topic_configs(name) for name in names]
    assert configs == [
        {"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600"},
        {
            "cleanup.policy": "compact",
            "compression.type": "uncompressed",
            "min.insync.replicas": "2",
            "segment.bytes": "104857600",
            "unclean.leader.election.enable": "false",
        },
        {
            "cleanup.policy": "delete",
            "compression.type": "producer",
            "min.insync.replicas": "2",
            "retention.ms": "-1",
            "segment.bytes": "104857600",
        },
    ]


def test_broker_keys_shape_the_offsets_topic() -> None:
    settings = {"offsets.topic.num.partitions": "3", "offsets.topic.segment.bytes": "5000000"}
    services = cluster.services(cluster.image(), settings)
    ensure(services, "__consumer_offsets")
    assert shape(services, "__consumer_offsets") == (3, 1)
    assert services.metadata.image.configs[TOPIC, "__consumer_offsets"]["segment.bytes"] == "5000000"


@pytest.mark.parametrize(
    ("mode", "settings"), [("kafka", {}), ("dev", {"offsets.topic.replication.factor": "3"})]
)
def test_replicas_are_not_capped_in_kafka_mode_nor_against_an_explicit_key(
    mode: str, settings: dict[str, str]
) -> None:
    services = cluster.services(cluster.image(), settings, mode)
    assert ensure(services, "__consumer_offsets") == {"__consumer_offsets": errors.INVALID_REPLICATION_FACTOR}
    assert services.metadata.image.topics == {}


def ask(services: Services, version: int, *names: str, allow: bool = True) -> object:
    request = MetadataRequest([MetadataRequestTopic(name=name) for name in names], allow)
    return metadata.handle(request, cluster.context(services, 3, version))


@pytest.mark.parametrize("version", range(14))
def test_metadata_answers_once_the_leaders_are_there(version: int) -> None:
    services = cluster.services(cluster.image(), {"num.partitions": "2"})
    cluster.channel(services).holding = True
    answer = ask(services, version, "a", "a b")
    assert isinstance(answer, Pending)
    assert not answer.done
    cluster.channel(services).deliver()
    response = answer.value
    assert isinstance(response, MetadataResponse)
    assert [(entry.name, entry.error_code) for entry in response.topics] == [("a", 0), ("a b", 17)]
    assert [(p.error_code, p.leader_id) for p in response.topics[0].partitions] == [(0, 1), (0, 1)]


def test_what_could_not_be_made_is_unknown() -> None:
    services = cluster.services(cluster.image(), mode="kafka")
    response = cluster.now(ask(services, 12, "__consumer_offsets", "a.b", "a_b"))
    assert [(entry.name, entry.error_code) for entry in response.topics] == [
        ("__consumer_offsets", errors.UNKNOWN_TOPIC_OR_PARTITION),
        ("a.b", errors.NONE),
        ("a_b", errors.NONE),
    ]


@pytest.mark.parametrize(("allow", "enable"), [(False, "true"), (True, "false")])
def test_both_sides_must_allow_it(allow: bool, enable: str) -> None:
    services = cluster.services(cluster.image(), {"auto.create.topics.enable": enable})
    response = cluster.now(ask(services, 12, "a", allow=allow))
    assert [entry.error_code for entry in response.topics] == [errors.UNKNOWN_TOPIC_OR_PARTITION]
    assert services.metadata.image.topics == {}


def test_an_id_makes_nothing() -> None:
    services = cluster.services(cluster.image())
    request = MetadataRequest([MetadataRequestTopic(b"?" * 16, "a")])
    response = cluster.now(metadata.handle(request, cluster.context(services, 3, 12)))
    assert [entry.error_code for entry in response.topics] == [errors.UNKNOWN_TOPIC_ID]
    assert services.metadata.image.topics == {}


def test_a_controller_that_takes_nothing() -> None:
    services = cluster.services(cluster.image())
    cluster.channel(services).refusal = KafkaError(errors.KAFKA_STORAGE_ERROR, "the disk is gone")
    assert ensure(services, "a", "a b") == {"a": errors.KAFKA_STORAGE_ERROR, "a b": 17}
    response = cluster.now(ask(services, 12, "a"))
    assert [entry.error_code for entry in response.topics] == [errors.UNKNOWN_TOPIC_OR_PARTITION]
