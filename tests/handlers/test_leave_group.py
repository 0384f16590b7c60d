"""LeaveGroup: one member before version 3, many after."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from tests.handlers.groups import GroupWorld, error_of
from tests.handlers.support import now


@pytest.fixture
def world() -> GroupWorld:
    world = GroupWorld()
    world.create_offsets_topic()
    return world


@pytest.mark.parametrize("version", range(3))
def test_one_member_leaves(world: GroupWorld, version: int) -> None:
    member_id, _ = world.stable_member()
    assert error_of(world.call(LeaveGroupRequest("g", member_id), version)) == errors.NONE
    assert error_of(world.call(LeaveGroupRequest("g", member_id), version)) == errors.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize("version", range(3, 6))
def test_many_members_leave_each_with_its_own_error(world: GroupWorld, version: int) -> None:
    member_id, _ = world.stable_member()
    request = LeaveGroupRequest("g", members=[MemberIdentity("stranger"), MemberIdentity(member_id)])
    response = now(world.call(request, version))
    assert response.error_code == errors.NONE
    assert [member.error_code for member in response.members] == [errors.UNKNOWN_MEMBER_ID, errors.NONE]


def test_a_group_that_does_not_exist_knows_no_member(world: GroupWorld) -> None:
    response = now(world.call(LeaveGroupRequest("none", members=[MemberIdentity("m", "i")]), 5))
    assert response.error_code == errors.NONE
    (member,) = response.members
    assert (member.member_id, member.group_instance_id) == ("m", "i")
    assert member.error_code == errors.UNKNOWN_MEMBER_ID
    assert error_of(world.call(LeaveGroupRequest("none", "m"), 2)) == errors.UNKNOWN_MEMBER_ID


def test_empty_group_id_and_no_coordinator(world: GroupWorld) -> None:
    assert error_of(world.call(LeaveGroupRequest("", "m"), 1)) == errors.INVALID_GROUP_ID
    assert error_of(GroupWorld().call(LeaveGroupRequest("g", "m"), 1)) == errors.NOT_COORDINATOR
