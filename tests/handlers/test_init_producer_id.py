"""InitProducerId: ids for idempotent producers, a final no to others."""

from __future__ import annotations

from typing import Any

import pytest

from kbroker.handlers.context import Pending
from kbroker.protocol import errors
from kbroker.protocol.generated.init_producer_id_request import InitProducerIdRequest
from tests.handlers.support import World, now


def facts(answer: Any) -> tuple[int, int, int]:
    response = now(answer)
    return response.error_code, response.producer_id, response.producer_epoch


@pytest.mark.parametrize("version", range(6))
def test_each_producer_gets_an_id_of_its_own(version: int) -> None:
    world = World()
    assert facts(world.call(InitProducerIdRequest(None, 1000), version)) == (0, 1000, 0)
    assert facts(world.call(InitProducerIdRequest(None, 1000), version)) == (0, 1001, 0)


def test_known_producer_without_transactional_id_gets_a_new_id() -> None:
    assert facts(World().call(InitProducerIdRequest(None, 1000, 5, 2), 5)) == (0, 1000, 0)


def test_next_block_of_ids_is_waited_for() -> None:
    world = World()
    world.producer_ids.pending = Pending()
    answer = world.call(InitProducerIdRequest(None, 1000), 5)
    assert not answer.done
    world.producer_ids.pending.complete(2000)
    assert facts(answer) == (0, 2000, 0)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (InitProducerIdRequest("tx", 1000), errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        (InitProducerIdRequest("", 1000), errors.INVALID_REQUEST),
        (InitProducerIdRequest(None, 1000, 5, -1), errors.INVALID_REQUEST),
        (InitProducerIdRequest(None, 1000, -1, 5), errors.INVALID_REQUEST),
    ],
)
def test_refusals(request_: InitProducerIdRequest, code: int) -> None:
    assert facts(World().call(request_, 5)) == (code, -1, -1)
