"""DeleteGroups: only groups without members."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.delete_groups_request import DeleteGroupsRequest
from kbroker.protocol.generated.list_groups_request import ListGroupsRequest
from tests.handlers.groups import GroupWorld
from tests.handlers.support import now


@pytest.mark.parametrize("version", range(3))
def test_each_group_has_its_own_answer(version: int) -> None:
    world = GroupWorld()
    world.create_topic("t")
    world.create_offsets_topic()
    world.commit(5, group_id="idle")
    world.commit(5, group_id="")
    world.stable_member()
    request = DeleteGroupsRequest(["g", "none", "idle", "", "idle"])
    results = now(world.call(request, version)).results
    codes = [(result.group_id, result.error_code) for result in results]
    assert codes == [("g", errors.NON_EMPTY_GROUP), ("none", errors.GROUP_ID_NOT_FOUND), ("idle", 0), ("", 0)]
    (left,) = now(world.call(ListGroupsRequest(), 0)).groups
    assert left.group_id == "g"
    assert world.committed("idle") == world.committed("") == -1
