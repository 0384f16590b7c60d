"""OffsetDelete: refuses what does not exist or is still read."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.offset_delete_request import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from tests.handlers.groups import GroupWorld, error_of
from tests.handlers.support import now


@pytest.fixture
def world() -> GroupWorld:
    world = GroupWorld()
    world.create_topic("t")
    world.create_offsets_topic()
    world.commit(5)
    return world


def delete(group_id: str, *topics: tuple[str, list[int]]) -> OffsetDeleteRequest:
    return OffsetDeleteRequest(
        group_id,
        [
            OffsetDeleteRequestTopic(name, [OffsetDeleteRequestPartition(index) for index in indexes])
            for name, indexes in topics
        ],
    )


def test_deletes_what_exists_and_refuses_the_rest(world: GroupWorld) -> None:
    response = now(world.call(delete("g", ("none", [0]), ("t", [0, 1])), 0))
    codes = {
        (topic.name, partition.partition_index): partition.error_code
        for topic in response.topics
        for partition in topic.partitions
    }
    missing = errors.UNKNOWN_TOPIC_OR_PARTITION
    assert (response.error_code, codes) == (0, {("none", 0): missing, ("t", 1): missing, ("t", 0): 0})
    assert world.committed() == -1


def test_errors_of_the_group_come_first(world: GroupWorld) -> None:
    assert error_of(world.call(delete("", ("t", [0])), 0)) == errors.INVALID_GROUP_ID
    assert error_of(world.call(delete("none", ("none", [0])), 0)) == errors.GROUP_ID_NOT_FOUND
    assert error_of(GroupWorld().call(delete("g", ("t", [0])), 0)) == errors.NOT_COORDINATOR
