"""JoinGroup through its versions; what groups decide is tested with the coordinator."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from tests.handlers.groups import GroupWorld, error_of, waits
from tests.handlers.support import now


@pytest.fixture
def world() -> GroupWorld:
    world = GroupWorld()
    world.create_offsets_topic()
    return world


@pytest.mark.parametrize("version", range(10))
def test_joins_in_every_version(world: GroupWorld, version: int) -> None:
    answer = world.join(version=version)
    if version >= 4:
        refused = now(answer)
        assert refused.error_code == errors.MEMBER_ID_REQUIRED
        assert refused.protocol_name == (None if version >= 7 else "")
        answer = world.join(refused.member_id, version=version)
    world.pass_time(1)
    joined = now(answer)
    assert (joined.error_code, joined.generation_id, joined.protocol_name) == (0, 1, "range")
    assert joined.leader == joined.member_id == joined.members[0].member_id


def test_waits_for_the_initial_delay() -> None:
    world = GroupWorld({"group.initial.rebalance.delay.ms": "3000"})
    world.create_offsets_topic()
    answer = world.join(version=0)
    world.pass_time(2_999)
    assert waits(answer)
    world.pass_time(1)
    assert error_of(answer) == errors.NONE


def test_remembers_who_joined_and_from_where(world: GroupWorld) -> None:
    world.join(version=3)
    shard = world.groups.driver.shard(world.groups.partition_for("g"))
    group = shard.machine.classic_group("g")
    assert group is not None
    (member,) = group.members.values()
    assert (member.client_id, member.client_host) == ("test", "/10.0.0.9")


def test_version_0_waits_for_a_session_timeout_instead_of_a_rebalance_timeout(world: GroupWorld) -> None:
    world.join(version=0, session_timeout_ms=7_000)
    shard = world.groups.driver.shard(world.groups.partition_for("g"))
    group = shard.machine.classic_group("g")
    assert group is not None
    assert group.rebalance_timeout_ms() == 7_000


def test_empty_group_id(world: GroupWorld) -> None:
    assert error_of(world.join(group_id="")) == errors.INVALID_GROUP_ID


@pytest.mark.parametrize("timeout_ms", [5_999, 1_800_001, -1])
def test_session_timeout_out_of_bounds(world: GroupWorld, timeout_ms: int) -> None:
    answer = now(world.join("m", session_timeout_ms=timeout_ms))
    assert (answer.error_code, answer.member_id) == (errors.INVALID_SESSION_TIMEOUT, "m")


def test_not_the_coordinator() -> None:
    world = GroupWorld()
    assert error_of(world.join()) == errors.NOT_COORDINATOR
    world.create_offsets_topic(leader=2, replicas=(2,))
    assert error_of(world.join()) == errors.NOT_COORDINATOR
