"""OffsetCommit: topics by name and by id, and what does not exist."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from tests.handlers.groups import GroupWorld, error_of
from tests.handlers.support import now


@pytest.fixture
def world() -> GroupWorld:
    world = GroupWorld()
    world.create_topic("t", partitions=2)
    world.create_offsets_topic()
    return world


@pytest.mark.parametrize("version", range(2, 11))
def test_commits_in_every_version(world: GroupWorld, version: int) -> None:
    assert error_of(world.commit(40 + version, version=version)) == errors.NONE
    assert world.committed() == 40 + version


@pytest.mark.parametrize("version", [2, 10])
def test_a_member_commits(world: GroupWorld, version: int) -> None:
    member_id, generation_id = world.stable_member()
    assert error_of(world.commit(7, member_id, generation_id, version=version)) == errors.NONE
    assert (
        error_of(world.commit(8, member_id, generation_id + 1, version=version)) == errors.ILLEGAL_GENERATION
    )
    assert world.committed() == 7


def test_unknown_topics_and_partitions_are_refused_and_the_rest_is_committed(world: GroupWorld) -> None:
    def partitions(*indexes: int) -> list[OffsetCommitRequestPartition]:
        return [OffsetCommitRequestPartition(index, 5) for index in indexes]

    request = OffsetCommitRequest(
        "g",
        topics=[
            OffsetCommitRequestTopic("none", partitions=partitions(0)),
            OffsetCommitRequestTopic("t", partitions=partitions(0, 1, 2)),
        ],
    )
    response = now(world.call(request, 8))
    codes = {
        (topic.name, partition.partition_index): partition.error_code
        for topic in response.topics
        for partition in topic.partitions
    }
    missing = errors.UNKNOWN_TOPIC_OR_PARTITION
    assert codes == {("none", 0): missing, ("t", 0): 0, ("t", 1): 0, ("t", 2): missing}
    assert len(response.topics) == 2


def test_unknown_topic_id(world: GroupWorld) -> None:
    topics = [OffsetCommitRequestTopic("", b"?" * 16, [OffsetCommitRequestPartition(0, 5)])]
    response = now(world.call(OffsetCommitRequest("g", topics=topics), 10))
    (topic,) = response.topics
    assert topic.topic_id == b"?" * 16
    assert topic.partitions[0].error_code == errors.UNKNOWN_TOPIC_ID


def test_nothing_to_commit_is_fine(world: GroupWorld) -> None:
    assert now(world.call(OffsetCommitRequest("g"), 8)).topics == []


def test_a_topic_without_partitions_is_not_mentioned(world: GroupWorld) -> None:
    request = OffsetCommitRequest("g", topics=[OffsetCommitRequestTopic("t")])
    assert now(world.call(request, 8)).topics == []


def test_the_longest_retention_has_no_end(world: GroupWorld) -> None:
    topics = [OffsetCommitRequestTopic("t", partitions=[OffsetCommitRequestPartition(0, 5)])]
    request = OffsetCommitRequest("g", retention_time_ms=2**63 - 1, topics=topics)
    assert error_of(now(world.call(request, 4))) == errors.NONE
    assert world.committed() == 5


def test_not_the_coordinator() -> None:
    world = GroupWorld()
    world.create_topic("t")
    assert error_of(world.commit(5)) == errors.NOT_COORDINATOR


def test_a_topic_made_anew_has_no_offsets(world: GroupWorld) -> None:
    world.commit(5)
    world.delete_topic("t")
    world.create_topic("t", incarnation=1)
    assert world.committed() == -1
    world.commit(6)
    assert world.committed() == 6
