"""DeleteRecords: the new log start, and what may not be deleted."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.delete_records_request import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from tests.handlers.support import World, batch


def world_with(**configs: str) -> World:
    """Topic t with three records, all committed."""
    world = World()
    world.create_topic("t", configs={name.replace("_", "."): value for name, value in configs.items()})
    hosted = world.replicas.topics["t"]
    for _ in range(3):
        sent = memoryview(batch(key=b"k"))
        world.replicas.append(hosted, hosted.partitions[0], sent, 1, world.clock.now_ms)
    return world


def delete(
    world: World, offset: int, *, topic: str = "t", index: int = 0, version: int = 2
) -> tuple[int, int]:
    asked = DeleteRecordsRequest(
        [DeleteRecordsTopic(topic, [DeleteRecordsPartition(index, offset)])], timeout_ms=100
    )
    one = world.call(asked, version).topics[0].partitions[0]
    assert one.partition_index == index
    return one.error_code, one.low_watermark


@pytest.mark.parametrize("version", [0, 1, 2])
def test_low_watermark_moves_up(version: int) -> None:
    world = world_with()
    assert delete(world, 2, version=version) == (0, 2)
    assert world.replicas.partition("t", 0).log.log_start_offset == 2
    # Once more, or less, changes nothing.
    assert delete(world, 2, version=version) == (0, 2)
    assert delete(world, 1, version=version) == (0, 2)


def test_minus_1_means_all_that_is_committed() -> None:
    assert delete(world_with(), -1) == (0, 3)


def test_each_partition_is_answered_once() -> None:
    world = world_with()
    topics = [
        DeleteRecordsTopic("t", [DeleteRecordsPartition(0, 1), DeleteRecordsPartition(0, 2)]),
        DeleteRecordsTopic("t", [DeleteRecordsPartition(7, 1)]),
        DeleteRecordsTopic("nothing asked"),
    ]
    (topic,) = world.call(DeleteRecordsRequest(topics, timeout_ms=100), 2).topics
    found = [(one.partition_index, one.error_code, one.low_watermark) for one in topic.partitions]
    assert found == [(0, 0, 2), (7, errors.UNKNOWN_TOPIC_OR_PARTITION, -1)]


@pytest.mark.parametrize("offset", [4, -2])
def test_offset_out_of_range(offset: int) -> None:
    assert delete(world_with(), offset) == (errors.OFFSET_OUT_OF_RANGE, -1)


@pytest.mark.parametrize(("policy", "code"), [("compact", errors.POLICY_VIOLATION), ("compact,delete", 0)])
def test_compacted_topics(policy: str, code: int) -> None:
    assert delete(world_with(cleanup_policy=policy), 1)[0] == code


def test_internal_topics() -> None:
    world = world_with()
    world.create_topic("__consumer_offsets")
    assert delete(world, 0, topic="__consumer_offsets") == (errors.INVALID_TOPIC_EXCEPTION, -1)


def test_unknown_partition_and_lost_leadership() -> None:
    world = world_with()
    assert delete(world, 1, index=1)[0] == errors.UNKNOWN_TOPIC_OR_PARTITION
    world.move_leader("t", leader=-1)
    assert delete(world, 1)[0] == errors.NOT_LEADER_OR_FOLLOWER
