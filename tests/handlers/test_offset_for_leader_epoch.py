"""OffsetForLeaderEpoch: where epochs end, and who may ask."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.offset_for_leader_epoch_request import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from tests.handlers.support import World, batch


@pytest.fixture
def world() -> World:
    """Two records of epoch 3, then one of epoch 5; epoch 4 wrote nothing."""
    made = World()
    made.create_topic("t")
    hosted = made.replicas.topics["t"]
    for count in (2, 0, 1):
        for _ in range(count):
            made.replicas.append(hosted, hosted.partitions[0], memoryview(batch()), 1, made.clock.now_ms)
        if count != 1:
            made.move_leader("t", leader=1)
    return made


def ask(
    world: World, epoch: int, *, current: int = -1, index: int = 0, version: int = 4
) -> tuple[int, int, int]:
    wanted = OffsetForLeaderPartition(index, current, epoch)
    asked = OffsetForLeaderEpochRequest(-2, [OffsetForLeaderTopic("t", [wanted])])
    one = world.call(asked, version).topics[0].partitions[0]
    assert one.partition == index
    return one.error_code, one.leader_epoch, one.end_offset


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize(
    ("epoch", "answer"), [(5, (5, 3)), (4, (3, 2)), (3, (3, 2)), (2, (2, 0)), (6, (-1, -1)), (-1, (-1, -1))]
)
def test_end_of_epochs(world: World, version: int, epoch: int, answer: tuple[int, int]) -> None:
    assert ask(world, epoch, version=version) == (0, *answer)


@pytest.mark.parametrize(
    ("current", "code"), [(5, 0), (4, errors.FENCED_LEADER_EPOCH), (6, errors.UNKNOWN_LEADER_EPOCH)]
)
def test_fencing(world: World, current: int, code: int) -> None:
    assert ask(world, 5, current=current)[0] == code


def test_unknown_partition_and_lost_leadership(world: World) -> None:
    assert ask(world, 5, index=1) == (errors.UNKNOWN_TOPIC_OR_PARTITION, -1, -1)
    world.move_leader("t", leader=-1)
    assert ask(world, 5) == (errors.NOT_LEADER_OR_FOLLOWER, -1, -1)
