"""DescribeGroups: classic groups, and how a missing one is told."""

from __future__ import annotations

import pytest

from kbroker.handlers.cluster_view import GROUP_OPERATIONS, OPERATIONS_UNKNOWN
from kbroker.protocol import errors
from kbroker.protocol.generated.describe_groups_request import DescribeGroupsRequest
from tests.handlers.groups import GroupWorld
from tests.handlers.support import now


@pytest.fixture
def world() -> GroupWorld:
    world = GroupWorld()
    world.create_offsets_topic()
    return world


@pytest.mark.parametrize("version", range(7))
def test_describes_a_stable_group(world: GroupWorld, version: int) -> None:
    member_id, _ = world.stable_member()
    (group,) = now(world.call(DescribeGroupsRequest(["g"]), version)).groups
    assert (group.error_code, group.group_state) == (0, "Stable")
    assert (group.protocol_type, group.protocol_data) == ("consumer", "range")
    (member,) = group.members
    assert (member.member_id, member.client_id, member.client_host) == (member_id, "test", "/10.0.0.9")
    assert member.member_assignment == b"mine"


@pytest.mark.parametrize("version", range(7))
def test_a_missing_group_is_dead_and_from_version_6_on_an_error(world: GroupWorld, version: int) -> None:
    (group,) = now(world.call(DescribeGroupsRequest(["none"]), version)).groups
    assert (group.group_id, group.group_state) == ("none", "Dead")
    assert group.error_code == (errors.GROUP_ID_NOT_FOUND if version >= 6 else errors.NONE)


def test_authorized_operations_only_when_asked_for(world: GroupWorld) -> None:
    world.stable_member()
    (group,) = now(world.call(DescribeGroupsRequest(["g"]), 5)).groups
    assert group.authorized_operations == OPERATIONS_UNKNOWN
    (group,) = now(world.call(DescribeGroupsRequest(["g"], True), 5)).groups
    assert group.authorized_operations == GROUP_OPERATIONS


def test_not_the_coordinator() -> None:
    (group,) = now(GroupWorld().call(DescribeGroupsRequest(["g"]), 6)).groups
    assert group.error_code == errors.NOT_COORDINATOR


def test_a_repeated_group_is_answered_once(world: GroupWorld) -> None:
    assert len(now(world.call(DescribeGroupsRequest(["g"] * 1000), 6)).groups) == 1
