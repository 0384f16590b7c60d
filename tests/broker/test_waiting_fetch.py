"""Repeated Fetches that wait: what becomes of them is told as without remembering anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kbroker.protocol import errors
from tests.broker.test_repeated_fetch import (
    COMMITTED,
    Pair,
    append,
    append_in_transaction,
    batch,
    create_topic,
    delete_topic,
    end_transaction,
    only,
    request,
)
from tests.wire.world import TOPIC, WireWorld


def test_too_little_is_waited_for() -> None:
    pair = Pair()
    pair.append(batch(100))
    pair.ask(16, 0, min_bytes=400)
    assert pair.ask(16, 0, min_bytes=400)[0] == b"waited"
    assert pair.ask(16, 1, min_bytes=400)[0] == b"waited"
    data = request(pair.worlds[0], 16, 0, min_bytes=400, correlation_id=9)
    for world, connection in zip(pair.worlds, pair.connections, strict=True):
        world.send(connection, data)
        assert connection.is_waiting
    pair.append(batch(300))
    assert len(pair.answers()) == 1
    assert len(pair.ask(16, 0, min_bytes=400)) == 1
    assert pair.knowing == 1
    pair.check()


def create_another(world: WireWorld) -> None:
    create_topic(world, "another")


def fail(world: WireWorld) -> None:
    world.services.replicas.partition(TOPIC, 0).take_out_of_service(errors.KAFKA_STORAGE_ERROR)


def delete_records(world: WireWorld) -> None:
    append(world, batch(1))
    replicas = world.services.replicas
    replicas.delete_records(replicas.partition(TOPIC, 0), 2, world.clock.now_ms)


def begin_and_abort(world: WireWorld) -> None:
    append_in_transaction(world, 0)
    end_transaction(world, commit=False)


@pytest.mark.parametrize("version", [4, 12, 16])
@pytest.mark.parametrize("isolation_level", [0, COMMITTED])
@pytest.mark.parametrize("comes", [False, True])
@pytest.mark.parametrize("happening", [delete_topic, fail, delete_records, create_another, begin_and_abort])
def test_what_happens_while_one_waits_is_told_as_ever(
    version: int, isolation_level: int, comes: bool, happening: Callable[[WireWorld], None]
) -> None:
    pair = Pair()
    pair.append(batch(100))
    fields: dict[str, Any] = {"isolation_level": isolation_level, "min_bytes": 500}
    pair.ask(version, 0, **fields)
    data = request(pair.worlds[0], version, 1, **fields)
    for world, connection in zip(pair.worlds, pair.connections, strict=True):
        world.send(connection, data)
        assert connection.is_waiting
        happening(world)
        world.waiting.wake([(TOPIC, 0)])
        world.finish_turn()
        if connection.is_waiting and comes:
            append(world, batch(600))
        elif connection.is_waiting:
            world.pass_time(1_000)
    (answer,) = pair.answers()
    assert (only(answer, version).error_code != 0) == (happening in (delete_topic, fail, delete_records))
    if happening is not delete_topic:
        pair.check()
