"""DescribeProducers: what is known of each producer of a partition."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.describe_producers_request import DescribeProducersRequest, TopicRequest
from kbroker.protocol.generated.describe_producers_response import PartitionResponse
from tests.handlers.support import World, batch


def ask(world: World, topic: str, index: int) -> PartitionResponse:
    answer = world.call(DescribeProducersRequest([TopicRequest(topic, [index])]), 0)
    partition: PartitionResponse = answer.topics[0].partitions[0]
    return partition


def test_active_producers() -> None:
    world = World()
    world.create_topic("t")
    hosted = world.replicas.topics["t"]
    for sequence, attributes in ((0, 0), (1, 0), (2, 0x10)):
        sent = batch(
            producer_id=7, producer_epoch=2, base_sequence=sequence, attributes=attributes, timestamp=sequence
        )
        world.replicas.append(hosted, hosted.partitions[0], memoryview(sent), 1, 0)
    (producer,) = ask(world, "t", 0).active_producers
    assert (producer.producer_id, producer.producer_epoch, producer.last_sequence) == (7, 2, 2)
    assert (producer.last_timestamp, producer.coordinator_epoch) == (2, -1)
    assert producer.current_txn_start_offset == 2


@pytest.mark.parametrize(
    ("topic", "index", "code"),
    [
        ("t", 1, errors.UNKNOWN_TOPIC_OR_PARTITION),
        ("no", 0, errors.UNKNOWN_TOPIC_OR_PARTITION),
        ("not/legal", 0, errors.INVALID_TOPIC_EXCEPTION),
        ("elsewhere", 0, errors.NOT_LEADER_OR_FOLLOWER),
        ("followed", 0, 0),
    ],
)
def test_errors(topic: str, index: int, code: int) -> None:
    world = World()
    world.create_topic("t")
    world.create_topic("elsewhere", replicas=(2,), leader=2)
    world.create_topic("followed", replicas=(1, 2), leader=2)
    answer = ask(world, topic, index)
    assert answer.error_code == code
    assert bool(answer.error_message) == bool(code)


def test_a_repeated_partition_is_answered_once() -> None:
    world = World()
    world.create_topic("t")
    answer = world.call(DescribeProducersRequest([TopicRequest("t", [0, 0]), TopicRequest("t", [0])]), 0)
    assert [len(topic.partitions) for topic in answer.topics] == [1]
