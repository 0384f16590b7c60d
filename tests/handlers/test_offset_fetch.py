"""OffsetFetch: three shapes of one answer."""

from __future__ import annotations

from typing import Any

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.offset_fetch_request import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from tests.handlers.groups import GroupWorld
from tests.handlers.support import now


@pytest.fixture
def world() -> GroupWorld:
    world = GroupWorld()
    world.create_topic("t", partitions=2)
    world.create_offsets_topic()
    world.commit(5)
    return world


def fetch(world: GroupWorld, version: int, *, all_topics: bool = False, group_id: str = "g") -> Any:
    """(error code, topics) of one group asked for partitions 0 and 1 of `t`, or for everything."""
    if version < 8:
        topics = None if all_topics else [OffsetFetchRequestTopic("t", [0, 1])]
        response = now(world.call(OffsetFetchRequest(group_id, topics), version))
        return response.error_code, response.topics
    wanted = OffsetFetchRequestTopics("t" if version < 10 else "", partition_indexes=[0, 1])
    if version >= 10:
        wanted.topic_id = world.published.image.topics["t"].id
    group = OffsetFetchRequestGroup(group_id, topics=None if all_topics else [wanted])
    response = now(world.call(OffsetFetchRequest(groups=[group]), version))
    return response.groups[0].error_code, response.groups[0].topics


def offsets(topics: Any) -> list[tuple[int, int, str]]:
    return [
        (partition.partition_index, partition.committed_offset, partition.metadata)
        for topic in topics
        for partition in topic.partitions
    ]


@pytest.mark.parametrize("version", range(1, 11))
def test_every_version_tells_what_was_committed_and_what_not(world: GroupWorld, version: int) -> None:
    code, topics = fetch(world, version)
    assert code == errors.NONE
    assert offsets(topics) == [(0, 5, "why"), (1, -1, "")]


@pytest.mark.parametrize("version", range(2, 11))
def test_all_topics(world: GroupWorld, version: int) -> None:
    code, topics = fetch(world, version, all_topics=True)
    assert code == errors.NONE
    assert offsets(topics) == [(0, 5, "why")]
    if version >= 10:
        assert topics[0].topic_id == world.published.image.topics["t"].id
    else:
        assert topics[0].name == "t"


@pytest.mark.parametrize("version", range(1, 11))
def test_a_missing_group_has_no_offsets_and_no_error(world: GroupWorld, version: int) -> None:
    code, topics = fetch(world, version, group_id="none")
    assert code == errors.NONE
    assert offsets(topics) == [(0, -1, ""), (1, -1, "")]


@pytest.mark.parametrize("version", range(1, 11))
def test_where_the_error_stands(version: int) -> None:
    world = GroupWorld()
    world.create_topic("t", partitions=2)
    code, topics = fetch(world, version)
    if version == 1:
        assert {partition.error_code for partition in topics[0].partitions} == {errors.NOT_COORDINATOR}
    else:
        assert (code, topics) == (errors.NOT_COORDINATOR, [])


def test_unknown_topic_ids_are_refused_one_by_one(world: GroupWorld) -> None:
    known = OffsetFetchRequestTopics("", world.published.image.topics["t"].id, [0])
    unknown = OffsetFetchRequestTopics("", b"?" * 16, [0])
    group = OffsetFetchRequestGroup("g", topics=[unknown, known])
    response = now(world.call(OffsetFetchRequest(groups=[group]), 10)).groups[0]
    codes = {topic.topic_id: topic.partitions[0].error_code for topic in response.topics}
    assert codes == {unknown.topic_id: errors.UNKNOWN_TOPIC_ID, known.topic_id: errors.NONE}


def test_the_zero_id_is_refused_too(world: GroupWorld) -> None:
    group = OffsetFetchRequestGroup("g", topics=[OffsetFetchRequestTopics(partition_indexes=[0])])
    (answered,) = now(world.call(OffsetFetchRequest(groups=[group]), 10)).groups
    assert [one.error_code for one in answered.topics[0].partitions] == [errors.UNKNOWN_TOPIC_ID]


def test_many_groups_in_one_request(world: GroupWorld) -> None:
    world.commit(9, group_id="other")
    groups = [
        OffsetFetchRequestGroup(group_id, topics=[OffsetFetchRequestTopics("t", partition_indexes=[0])])
        for group_id in ("other", "none", "g")
    ]
    response = now(world.call(OffsetFetchRequest(groups=groups), 8))
    found = [(group.group_id, *offsets(group.topics)) for group in response.groups]
    assert found == [("other", (0, 9, "why")), ("none", (0, -1, "")), ("g", (0, 5, "why"))]


def test_a_repeated_group_is_answered_once(world: GroupWorld) -> None:
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup("g", topics=None)] * 1000)
    assert len(now(world.call(request, 9)).groups) == 1
