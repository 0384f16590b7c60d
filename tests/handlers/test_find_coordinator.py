"""FindCoordinator: who coordinates, once it can; nothing that makes a client loop."""

from __future__ import annotations

from typing import Any

import pytest

from kbroker.handlers.context import Pending
from kbroker.protocol import errors
from kbroker.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from tests.handlers.groups import GroupWorld, waits
from tests.handlers.support import now


class CreatingController:
    """Creates `__consumer_offsets` when told to, or fails."""

    def __init__(self, world: GroupWorld) -> None:
        self.world = world
        self.pending: Pending[Any] = Pending()

    def submit(self, operation: object) -> Pending[Any]:
        return self.pending

    def finish(self, code: int = 0) -> None:
        from kbroker.protocol.generated.create_topics_response import (
            CreatableTopicResult,
            CreateTopicsResponse,
        )

        if not code:
            self.world.create_offsets_topic()
        self.pending.complete(
            CreateTopicsResponse(topics=[CreatableTopicResult("__consumer_offsets", error_code=code)])
        )


@pytest.mark.parametrize("version", range(7))
def test_tells_the_leader_by_the_address_the_client_came_to(version: int) -> None:
    world = GroupWorld()
    world.create_offsets_topic()
    found = now(world.call(_request("g", version), version))
    if version >= 4:
        (found,) = found.coordinators
        assert found.key == "g"
    assert (found.error_code, found.node_id, found.host, found.port) == (0, 1, "10.0.0.1", 9092)
    # As Kafka says it, in the versions that have it.
    assert found.error_message == ("NONE" if 1 <= version < 4 else "")


def test_answers_many_keys_in_order() -> None:
    world = GroupWorld()
    world.create_offsets_topic()
    found = now(world.call(FindCoordinatorRequest(coordinator_keys=["b", "", "a"]), 4))
    assert [each.key for each in found.coordinators] == ["b", "", "a"]


@pytest.mark.parametrize("version", [2, 6])
def test_creates_the_topic_and_answers_when_it_can_be_used(version: int) -> None:
    world = GroupWorld()
    controller = world.services.controller = CreatingController(world)  # type: ignore[assignment]
    answer = world.call(_request("g", version), version)
    assert waits(answer)
    controller.finish()
    found = now(answer)
    assert (found.coordinators[0] if version >= 4 else found).error_code == 0


def test_says_why_the_topic_cannot_be_created() -> None:
    world = GroupWorld()
    controller = world.services.controller = CreatingController(world)  # type: ignore[assignment]
    answer = world.call(_request("g", 3), 3)
    controller.finish(errors.INVALID_REPLICATION_FACTOR)
    found = now(answer)
    assert (found.error_code, found.node_id) == (errors.COORDINATOR_NOT_AVAILABLE, -1)
    assert "__consumer_offsets" in found.error_message


def test_without_a_leader_the_coordinator_is_not_available() -> None:
    world = GroupWorld()
    world.create_offsets_topic(leader=-1)
    (found,) = now(world.call(_request("g", 6), 6)).coordinators
    assert (found.error_code, found.node_id, found.host, found.port) == (
        errors.COORDINATOR_NOT_AVAILABLE,
        -1,
        "",
        -1,
    )


@pytest.mark.parametrize("version", [1, 6])
def test_a_transactional_id_is_refused_for_good(version: int) -> None:
    world = GroupWorld()
    found = now(world.call(_request("t", version, key_type=1), version))
    found = found.coordinators[0] if version >= 4 else found
    # Java and librdkafka both give up on this one, and on no other that fits.
    assert found.error_code == errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert "transactions" in found.error_message


@pytest.mark.parametrize("key_type", [2, 3, -1])
def test_other_kinds_of_coordinators_do_not_exist(key_type: int) -> None:
    world = GroupWorld()
    (found,) = now(world.call(_request("g:t:0", 6, key_type=key_type), 6)).coordinators
    assert found.error_code == errors.INVALID_REQUEST


def _request(key: str, version: int, key_type: int = 0) -> FindCoordinatorRequest:
    if version >= 4:
        return FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])
    return FindCoordinatorRequest(key, key_type)
