"""ListGroups and its filters."""

from __future__ import annotations

from kbroker.protocol import errors
from kbroker.protocol.generated.list_groups_request import ListGroupsRequest
from tests.handlers.groups import GroupWorld
from tests.handlers.support import now


def test_lists_groups_of_all_partitions_by_state_and_type() -> None:
    world = GroupWorld()
    world.create_topic("t")
    world.create_offsets_topic()
    for group_id in ("a", "b", "c", "d"):
        world.commit(5, group_id=group_id)
    world.stable_member()

    def listed(version: int = 5, states: tuple[str, ...] = (), types: tuple[str, ...] = ()) -> set[str]:
        response = now(world.call(ListGroupsRequest(list(states), list(types)), version))
        assert response.error_code == errors.NONE
        return {group.group_id for group in response.groups}

    everything = {"a", "b", "c", "d", "g"}
    assert listed(0) == listed(4) == listed() == everything
    assert listed(states=("sTABLE", "Dead")) == {"g"}
    assert listed(states=("Empty",)) == everything - {"g"}
    assert listed(types=("CLASSIC",)) == everything
    assert listed(types=("consumer",)) == listed(types=("no such type",)) == set()
    assert listed(states=("no such state",)) == set()


def test_tells_protocol_state_and_type() -> None:
    world = GroupWorld()
    world.create_offsets_topic()
    world.stable_member()
    (group,) = now(world.call(ListGroupsRequest(), 5)).groups
    assert (group.protocol_type, group.group_state, group.group_type) == ("consumer", "Stable", "classic")


def test_a_broker_that_coordinates_nothing_lists_nothing() -> None:
    response = now(GroupWorld().call(ListGroupsRequest(), 5))
    assert (response.error_code, response.groups) == (0, [])
