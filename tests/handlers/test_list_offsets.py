"""ListOffsets: every special timestamp, lookup by time, fencing."""

from __future__ import annotations

from typing import Any

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.list_offsets_request import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from kbroker.protocol.generated.list_offsets_response import ListOffsetsPartitionResponse
from tests.handlers.support import World, batch

NOW = 1_700_000_000_000
NOTHING = (0, -1, -1, -1)


def ask(
    world: World,
    *timestamps: int,
    version: int = 11,
    index: int = 0,
    epoch: int = -1,
    topic: str = "t",
    **fields: Any,
) -> list[ListOffsetsPartitionResponse]:
    fields.setdefault("replica_id", -1)
    wanted = [ListOffsetsPartition(index, epoch, timestamp) for timestamp in timestamps]
    asked = ListOffsetsRequest(topics=[ListOffsetsTopic(topic, wanted)], **fields)
    found: list[ListOffsetsPartitionResponse] = world.call(asked, version).topics[0].partitions
    return found


def facts(world: World, timestamp: int, **fields: Any) -> tuple[int, int, int, int]:
    """(error, timestamp, offset, leader epoch)"""
    (one,) = ask(world, timestamp, **fields)
    return one.error_code, one.timestamp, one.offset, one.leader_epoch


def produce(world: World, timestamp: int, attributes: int = 0, sequence: int = -1) -> None:
    hosted = world.replicas.topics["t"]
    sent = batch(
        timestamp=timestamp,
        attributes=attributes,
        producer_id=1 if sequence >= 0 else -1,
        producer_epoch=0 if sequence >= 0 else -1,
        base_sequence=sequence,
    )
    world.replicas.append(hosted, hosted.partitions[0], memoryview(sent), 1, NOW)


@pytest.fixture
def world() -> World:
    """Four records at NOW, NOW + 20, NOW + 10, NOW + 30; the first is deleted."""
    made = World()
    made.create_topic("t")
    for later in (0, 20, 10, 30):
        produce(made, NOW + later)
    made.replicas.delete_records(made.replicas.partition("t", 0), 1, NOW)
    return made


@pytest.mark.parametrize("version", range(1, 12))
def test_every_version_knows_both_ends(world: World, version: int) -> None:
    epoch = 3 if version >= 4 else -1
    assert facts(world, -1, version=version) == (0, -1, 4, epoch)
    assert facts(world, -2, version=version) == (0, -1, 1, epoch)


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (0, (0, NOW + 20, 1, 3)),
        (NOW + 10, (0, NOW + 20, 1, 3)),
        (NOW + 20, (0, NOW + 20, 1, 3)),
        (NOW + 21, (0, NOW + 30, 3, 3)),
        (NOW + 31, NOTHING),
        (-3, (0, NOW + 30, 3, 3)),
        (-4, (0, -1, 1, 3)),
        (-5, NOTHING),
        (-6, NOTHING),
    ],
)
def test_timestamps(world: World, timestamp: int, expected: tuple[int, int, int, int]) -> None:
    assert facts(world, timestamp) == expected


@pytest.mark.parametrize(
    ("timestamp", "first_version"), [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11), (-7, 99)]
)
@pytest.mark.parametrize("version", [1, 6, 7, 8, 9, 10, 11])
def test_special_timestamps_below_their_version(
    world: World, timestamp: int, first_version: int, version: int
) -> None:
    code = facts(world, timestamp, version=version)[0]
    assert code == (0 if version >= first_version else errors.UNSUPPORTED_VERSION)


def test_empty_log() -> None:
    world = World()
    world.create_topic("t")
    assert facts(world, -1) == (0, -1, 0, 3)
    assert facts(world, -2) == (0, -1, 0, 3)
    assert facts(world, -3) == NOTHING
    assert facts(world, 0) == NOTHING


def test_latest_goes_by_isolation(world: World) -> None:
    produce(world, NOW + 40, attributes=0x10, sequence=0)
    produce(world, NOW + 50)
    assert facts(world, -1, isolation_level=0)[2] == 6
    assert facts(world, -1, isolation_level=1)[2] == 4
    assert facts(world, NOW + 35, isolation_level=0) == (0, NOW + 40, 4, 3)
    # At or beyond what may be read there is nothing.
    assert facts(world, NOW + 35, isolation_level=1) == NOTHING
    assert facts(world, -3, isolation_level=1) == NOTHING


def test_uncommitted_records_are_for_replicas_only() -> None:
    world = World()
    world.create_topic("t", replicas=(1, 2))
    produce(world, NOW)
    assert facts(world, -1)[2] == 0
    assert facts(world, NOW) == NOTHING
    assert facts(world, -1, replica_id=2)[2] == 1
    assert facts(world, -1, replica_id=-2)[2] == 1


@pytest.mark.parametrize(
    ("version", "code"), [(4, errors.LEADER_NOT_AVAILABLE), (5, errors.OFFSET_NOT_AVAILABLE)]
)
def test_new_leader_that_lags_behind_its_epoch(version: int, code: int) -> None:
    world = World()
    world.create_topic("t", replicas=(1, 2))
    produce(world, NOW)
    world.move_leader("t", leader=1)
    assert facts(world, -1, version=version)[0] == code
    assert facts(world, NOW, version=version)[0] == code
    assert facts(world, -2, version=version)[0] == 0
    assert facts(world, -1, version=version, replica_id=2)[0] == 0


def test_errors(world: World) -> None:
    assert facts(world, -1, index=9)[0] == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert facts(world, -1, topic="no")[0] == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert facts(world, -1, epoch=2) == (errors.FENCED_LEADER_EPOCH, -1, -1, -1)
    assert facts(world, -1, epoch=4)[0] == errors.UNKNOWN_LEADER_EPOCH
    assert facts(world, -1, epoch=3)[0] == 0


def test_partition_named_twice(world: World) -> None:
    assert [one.error_code for one in ask(world, -1, -2)] == [errors.INVALID_REQUEST]


def test_each_topic_that_was_asked_about_is_answered_once(world: World) -> None:
    topics = [
        ListOffsetsTopic("t", [ListOffsetsPartition(0, -1, -1)]),
        ListOffsetsTopic("t", [ListOffsetsPartition(1, -1, -1)]),
        ListOffsetsTopic("nothing asked", []),
    ]
    (topic,) = world.call(ListOffsetsRequest(-1, topics=topics), 11).topics
    assert [one.partition_index for one in topic.partitions] == [0, 1]


def test_an_isolation_level_that_does_not_exist(world: World) -> None:
    assert facts(world, -1, isolation_level=2)[0] == errors.UNKNOWN_SERVER_ERROR


def test_follower_answers_debugging_clients_only() -> None:
    world = World()
    world.create_topic("t", replicas=(1, 2), leader=2)
    assert facts(world, -1)[0] == errors.NOT_LEADER_OR_FOLLOWER
    assert facts(world, -1, replica_id=-2)[0] == 0
