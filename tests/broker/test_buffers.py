"""Memory that requests are received into: who holds it, and that nothing is moved."""

from __future__ import annotations

import pytest

from kbroker.broker.buffers import SHARED_BYTES, Buffers
from kbroker.broker.connection import Connection
from tests.broker.support import FETCH, HEARTBEAT, World, answers, frame, send

MIDDLE = bytes(range(256)) * 60
LARGE = bytes(range(256)) * 300


def receive(connection: Connection, data: bytes) -> None:
    """One recv's worth."""
    buffer = connection.receive_buffer()
    assert len(buffer) >= len(data)
    buffer[: len(data)] = data
    connection.received(len(data))


def test_an_incomplete_frame_keeps_the_buffer_it_lies_in() -> None:
    world = World()
    world.network.max_first_frame_bytes = 100_000
    connection = world.connect()
    shared = world.network.buffers.shared
    data = frame(HEARTBEAT, 1, MIDDLE)
    receive(connection, data[:9000])
    assert world.network.buffers.shared is not shared
    rest = connection.receive_buffer()
    assert rest.obj is shared.obj
    assert len(rest) == len(data) - 9000
    receive(connection, data[9000:])
    assert answers(connection) == [(1, MIDDLE)]
    assert world.network.charged_bytes == 0
    # The next one who has to wait gets it.
    other = world.connect()
    send(other, data[:9000])
    assert world.network.buffers.shared is shared


def test_frames_too_large_for_the_buffer_are_received_to_their_size_from_the_second_on() -> None:
    world = World()
    world.network.max_first_frame_bytes = world.network.max_frame_bytes = 1 << 20
    world.network.charge = lambda size: True  # type: ignore[method-assign]
    connection = world.connect()
    body = LARGE * 4
    data = frame(HEARTBEAT, 1, body)
    assert len(data) > SHARED_BYTES
    send(connection, data)
    assert answers(connection) == [(1, body)]
    assert len(connection.receive_buffer()) == 4
    assert not connection.expects_rest
    receive(connection, data[:4])
    assert connection.expects_rest
    assert len(connection.receive_buffer()) == len(data) - 4
    receive(connection, data[4:])
    assert answers(connection) == [(1, body)]
    # A few small ones in a row end that.
    for number in range(8):
        assert len(connection.receive_buffer()) == 4
        send(connection, frame(HEARTBEAT, number, b"small"))
        assert answers(connection) == [(number, b"small")]
    assert len(connection.receive_buffer()) == SHARED_BYTES


def test_a_length_in_pieces_where_a_large_frame_is_expected() -> None:
    world = World()
    world.network.max_first_frame_bytes = 1 << 20
    world.network.max_frame_bytes = 1 << 20
    world.network.charge = lambda size: True  # type: ignore[method-assign]
    connection = world.connect()
    data = frame(HEARTBEAT, 1, LARGE * 4)
    for chunk in (1 << 30, 1, 3):
        send(connection, data, chunk)
        assert answers(connection) == [(1, LARGE * 4)]


def test_what_waits_behind_an_answer_keeps_its_buffer_too() -> None:
    world = World()
    world.network.max_first_frame_bytes = 100_000
    connection = world.connect()
    shared = world.network.buffers.shared
    receive(connection, frame(FETCH, 1, b"wait") + frame(HEARTBEAT, 2, MIDDLE) + frame(HEARTBEAT, 3, b"x"))
    assert connection.paused
    assert world.network.buffers.shared is not shared
    world.api.release(b"wait")
    connection.resume()
    assert answers(connection) == [(1, b"wait"), (2, MIDDLE), (3, b"x")]
    assert not connection.paused


@pytest.mark.parametrize("size", [10, SHARED_BYTES, SHARED_BYTES + 1, 2 << 20, 5 << 20])
def test_memory_is_at_least_as_large_as_the_frame(size: int) -> None:
    buffers = Buffers()
    taken = buffers.take(size)
    assert len(taken) >= size
    buffers.give_back(taken)


def test_lent_buffers_are_few() -> None:
    buffers = Buffers()
    lent = []
    while True:
        shared = buffers.shared
        if not buffers.lend_shared(10_000):
            break
        lent.append(shared)
    assert len({id(buffer) for buffer in lent}) == len(lent) <= 32
    assert not buffers.lend_shared(10_000)
    for buffer in lent:
        buffers.give_back(buffer)
    assert buffers.lend_shared(10_000)
    # Small frames are copied.
    assert not buffers.lend_shared(1000)
