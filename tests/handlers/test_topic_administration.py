"""Topics created, deleted and widened, by a real controller."""

from typing import Any

import pytest

from kbroker.handlers import create_partitions, create_topics, delete_topics
from kbroker.handlers.context import Services
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.create_partitions_request import (
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
from tests.handlers import cluster
from tests.handlers.cluster import topic, topic_id


def ask(services: Services, handler: Any, version: int, request: Any) -> Any:
    response = cluster.now(handler.handle(request, cluster.context(services, handler.API_KEY, version)))
    response.write([], version)
    return response


def codes(entries: list[Any]) -> list[tuple[str | None, int]]:
    return [(entry.name, entry.error_code) for entry in entries]


@pytest.mark.parametrize("version", range(2, 8))
def test_a_created_topic_is_there_when_it_is_answered(version: int) -> None:
    services = cluster.services(cluster.image())
    request = CreateTopicsRequest(
        [CreatableTopic("a", 3, 1, configs=[CreatableTopicConfig("retention.ms", "9")])]
    )
    (result,) = ask(services, create_topics, version, request).topics
    assert (result.name, result.error_code, result.error_message) == ("a", errors.NONE, None)
    assert (result.num_partitions, result.replication_factor) == (3, 1)
    image = services.metadata.image
    assert result.topic_id == image.topics["a"].id
    assert len(image.topics["a"].partitions) == 3
    assert image.topic_configs("a") == {"retention.ms": "9"}
    (again,) = ask(services, create_topics, version, request).topics
    assert again.error_code == errors.TOPIC_ALREADY_EXISTS


def test_validate_only_makes_nothing() -> None:
    services = cluster.services(cluster.image())
    request = CreateTopicsRequest([CreatableTopic("a", 1, 1)], validate_only=True)
    assert codes(ask(services, create_topics, 7, request).topics) == [("a", errors.NONE)]
    assert services.metadata.image.topics == {}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (CreatableTopic("a b", 1, 1), errors.INVALID_TOPIC_EXCEPTION),
        (CreatableTopic("old_topic", 1, 1), errors.INVALID_TOPIC_EXCEPTION),
        (CreatableTopic("__cluster_metadata", 1, 1), errors.INVALID_REQUEST),
        (CreatableTopic("a", 0, 1), errors.INVALID_PARTITIONS),
        (CreatableTopic("a", 1, 0), errors.INVALID_REPLICATION_FACTOR),
        (CreatableTopic("a", 1, 2), errors.INVALID_REPLICATION_FACTOR),
        (CreatableTopic("a", 10_001, 1), errors.POLICY_VIOLATION),
        (CreatableTopic("a", 1, -1, [CreatableReplicaAssignment(0, [1])]), errors.INVALID_REQUEST),
        (
            CreatableTopic("a", -1, -1, [CreatableReplicaAssignment(0, [7])]),
            errors.INVALID_REPLICA_ASSIGNMENT,
        ),
        (CreatableTopic("a", 1, 1, configs=[CreatableTopicConfig("nope", "1")]), errors.INVALID_CONFIG),
        (
            CreatableTopic("a", 1, 1, configs=[CreatableTopicConfig("retention.ms", None)]),
            errors.INVALID_CONFIG,
        ),
    ],
)
def test_a_topic_that_can_not_be(asked: CreatableTopic, code: int) -> None:
    services = cluster.services(cluster.image(topics=(topic("old.topic"),)))
    response = ask(services, create_topics, 7, CreateTopicsRequest([asked]))
    assert codes(response.topics) == [(asked.name, code)]
    assert response.topics[0].error_message
    assert list(services.metadata.image.topics) == ["old.topic"]


def test_a_name_twice_in_one_request() -> None:
    services = cluster.services(cluster.image())
    request = CreateTopicsRequest(
        [CreatableTopic("a", 1, 1), CreatableTopic("b", 1, 1), CreatableTopic("a", 2, 1)]
    )
    assert sorted(codes(ask(services, create_topics, 7, request).topics)) == [
        ("a", errors.INVALID_REQUEST),
        ("b", errors.NONE),
    ]


@pytest.mark.parametrize("version", range(1, 6))
def test_delete_by_name(version: int) -> None:
    services = cluster.services(cluster.image(topics=(topic("a"), topic("b"))))
    request = DeleteTopicsRequest([], ["a", "nope"], 1000)
    response = ask(services, delete_topics, version, request)
    assert sorted(codes(response.responses)) == [("a", 0), ("nope", errors.UNKNOWN_TOPIC_OR_PARTITION)]
    assert list(services.metadata.image.topics) == ["b"]


def test_delete_by_id_or_name() -> None:
    services = cluster.services(cluster.image(topics=(topic("a"), topic("b"), topic("c"))))
    states = [
        DeleteTopicState("a"),
        DeleteTopicState(None, topic_id("b")),
        DeleteTopicState(None, b"?" * 16),
        DeleteTopicState("c", topic_id("c")),
        DeleteTopicState(None),
    ]
    response = ask(services, delete_topics, 6, DeleteTopicsRequest(states, [], 1000))
    assert {(entry.name, entry.topic_id, entry.error_code) for entry in response.responses} == {
        ("a", topic_id("a"), 0),
        ("b", topic_id("b"), 0),
        (None, b"?" * 16, errors.UNKNOWN_TOPIC_ID),
        ("c", topic_id("c"), errors.INVALID_REQUEST),
        (None, bytes(16), errors.INVALID_REQUEST),
    }
    assert list(services.metadata.image.topics) == ["c"]


@pytest.mark.parametrize(
    ("version", "code"),
    [(1, errors.INVALID_REQUEST), (2, errors.INVALID_REQUEST), (3, errors.TOPIC_DELETION_DISABLED), (5, 73)],
)
def test_deletion_may_be_switched_off(version: int, code: int) -> None:
    services = cluster.services(cluster.image(topics=(topic("a"),)), {"delete.topic.enable": "false"})
    response = ask(services, delete_topics, version, DeleteTopicsRequest([], ["a"], 1000))
    assert codes(response.responses) == [("a", code)]
    assert "a" in services.metadata.image.topics


@pytest.mark.parametrize("version", range(4))
def test_more_partitions(version: int) -> None:
    services = cluster.services(cluster.image(topics=(topic("a"),)))
    request = CreatePartitionsRequest([CreatePartitionsTopic("a", 3, None)], 1000)
    assert codes(ask(services, create_partitions, version, request).results) == [("a", 0)]
    assert sorted(services.metadata.image.topics["a"].partitions) == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "count", "code"),
    [
        ("a", 1, errors.INVALID_PARTITIONS),
        ("a", 0, errors.INVALID_PARTITIONS),
        ("nope", 2, errors.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
def test_partitions_that_can_not_be(name: str, count: int, code: int) -> None:
    services = cluster.services(cluster.image(topics=(topic("a"),)))
    request = CreatePartitionsRequest([CreatePartitionsTopic(name, count, None)], 1000)
    assert codes(ask(services, create_partitions, 3, request).results) == [(name, code)]


@pytest.mark.parametrize("timeout_ms", [0, -1])
def test_no_time_to_do_it_in(timeout_ms: int) -> None:
    """As in Kafka the controller does not even begin."""
    services = cluster.services(cluster.image(topics=(topic("a"),)))
    late = errors.REQUEST_TIMED_OUT
    create = CreateTopicsRequest([CreatableTopic("b", 1, 1)], timeout_ms)
    assert codes(ask(services, create_topics, 7, create).topics) == [("b", late)]
    grow = CreatePartitionsRequest([CreatePartitionsTopic("a", 2, None)], timeout_ms)
    assert codes(ask(services, create_partitions, 3, grow).results) == [("a", late)]
    delete = DeleteTopicsRequest([], ["a"], timeout_ms)
    assert codes(ask(services, delete_topics, 5, delete).responses) == [("a", late)]
    assert list(services.metadata.image.topics) == ["a"]


def test_a_controller_that_takes_nothing() -> None:
    services = cluster.services(cluster.image(topics=(topic("a"),)))
    cluster.channel(services).refusal = KafkaError(errors.KAFKA_STORAGE_ERROR, "the disk is gone")
    created = ask(services, create_topics, 7, CreateTopicsRequest([CreatableTopic("b", 1, 1)]))
    assert codes(created.topics) == [("b", errors.KAFKA_STORAGE_ERROR)]
    grow = CreatePartitionsRequest([CreatePartitionsTopic("a", 2, None)], 1000)
    more = ask(services, create_partitions, 3, grow)
    assert codes(more.results) == [("a", errors.KAFKA_STORAGE_ERROR)]
    by_name = ask(services, delete_topics, 5, DeleteTopicsRequest([], ["a"], 1000))
    assert codes(by_name.responses) == [("a", errors.KAFKA_STORAGE_ERROR)]
    asked = DeleteTopicsRequest([DeleteTopicState(None, topic_id("a"))], [], 1000)
    by_id = ask(services, delete_topics, 6, asked)
    assert [(entry.topic_id, entry.error_code) for entry in by_id.responses] == [(topic_id("a"), 56)]
