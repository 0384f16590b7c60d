"""SyncGroup through its versions."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.sync_group_request import SyncGroupRequest
from tests.handlers.groups import GroupWorld, error_of
from tests.handlers.support import now


@pytest.fixture
def world() -> GroupWorld:
    world = GroupWorld()
    world.create_offsets_topic()
    return world


@pytest.mark.parametrize("version", range(6))
def test_every_version_takes_its_assignment(world: GroupWorld, version: int) -> None:
    member_id, generation_id = world.stable_member()
    synced = now(world.sync(member_id, generation_id, version=version))
    assert (synced.error_code, synced.assignment) == (0, b"mine")
    if version >= 5:
        assert (synced.protocol_type, synced.protocol_name) == ("consumer", "range")


def test_from_version_5_the_protocol_must_be_named(world: GroupWorld) -> None:
    member_id, generation_id = world.stable_member()
    for names in ((None, "range"), ("consumer", None)):
        request = SyncGroupRequest("g", generation_id, member_id, None, *names)
        assert error_of(world.call(request, 5)) == errors.INCONSISTENT_GROUP_PROTOCOL
        assert error_of(world.call(request, 4)) == errors.NONE


def test_empty_group_id_and_foreign_group(world: GroupWorld) -> None:
    assert error_of(world.call(SyncGroupRequest(""), 4)) == errors.INVALID_GROUP_ID
    assert error_of(world.call(SyncGroupRequest("other"), 4)) == errors.UNKNOWN_MEMBER_ID
    assert error_of(GroupWorld().call(SyncGroupRequest("g"), 4)) == errors.NOT_COORDINATOR
