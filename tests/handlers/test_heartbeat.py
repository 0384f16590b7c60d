"""Heartbeat through its versions, and while groups are being loaded."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
from tests.handlers.groups import GroupWorld, error_of


@pytest.mark.parametrize("version", range(5))
def test_keeps_the_member(version: int) -> None:
    world = GroupWorld()
    world.create_offsets_topic()
    member_id, generation_id = world.stable_member()
    for _ in range(5):
        world.pass_time(9_999)
        assert error_of(world.call(HeartbeatRequest("g", generation_id, member_id), version)) == errors.NONE
    world.pass_time(10_000)
    answer = world.call(HeartbeatRequest("g", generation_id, member_id), version)
    assert error_of(answer) == errors.UNKNOWN_MEMBER_ID


def test_refusals() -> None:
    world = GroupWorld()
    assert error_of(world.call(HeartbeatRequest("", 1, "m"), 4)) == errors.INVALID_GROUP_ID
    assert error_of(world.call(HeartbeatRequest("g", 1, "m"), 4)) == errors.NOT_COORDINATOR
    world.create_offsets_topic()
    assert error_of(world.call(HeartbeatRequest("g", 1, "m"), 4)) == errors.UNKNOWN_MEMBER_ID
    member_id, generation_id = world.stable_member()
    stale = HeartbeatRequest("g", generation_id - 1, member_id)
    assert error_of(world.call(stale, 4)) == errors.ILLEGAL_GENERATION
    fenced = HeartbeatRequest("g", generation_id, member_id, "instance")
    assert error_of(world.call(fenced, 4)) == errors.UNKNOWN_MEMBER_ID
