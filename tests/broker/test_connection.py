"""The connection core: framing, order, back-pressure, limits."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.support import FETCH, HEARTBEAT, PRODUCE, World, answers, frame, send


def test_answers_come_in_request_order_however_bytes_arrive() -> None:
    stream = b"".join(frame(HEARTBEAT, n, b"body%d" % n) for n in range(20))
    for chunk in (1, 3, 7, 50, 1000):
        world = World()
        connection = world.connect()
        send(connection, stream, chunk)
        assert answers(connection) == [(n, b"body%d" % n) for n in range(20)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 9000), min_size=1, max_size=6), st.integers(1, 5000))
def test_frames_of_any_size_survive_any_cut(sizes: list[int], chunk: int) -> None:
    world = World()
    connection = world.connect()
    bodies = [bytes([n % 251]) * size for n, size in enumerate(sizes)]
    send(connection, b"".join(frame(HEARTBEAT, n, body) for n, body in enumerate(bodies)), chunk)
    assert answers(connection) == list(enumerate(bodies))
    assert world.network.charged_bytes == 0


def test_nothing_overtakes_a_waiting_answer() -> None:
    world = World()
    connection = world.connect()
    send(connection, frame(FETCH, 1, b"wait") + frame(HEARTBEAT, 2, b"next"))
    assert world.api.handled == [b"wait"]
    assert connection.paused
    world.api.release(b"wait")
    connection.resume()
    assert not connection.paused
    assert answers(connection) == [(1, b"wait"), (2, b"next")]


def test_produces_overlap_and_answer_in_order() -> None:
    world = World()
    connection = world.connect()
    send(connection, frame(PRODUCE, 1, b"wait1") + frame(PRODUCE, 2, b"wait2") + frame(PRODUCE, 3, b"three"))
    assert world.api.handled == [b"wait1", b"wait2", b"three"]
    world.api.release(b"wait2")
    assert answers(connection) == []
    world.api.release(b"wait1")
    assert answers(connection) == [(1, b"wait1"), (2, b"wait2"), (3, b"three")]


def test_a_fetch_waits_behind_a_waiting_produce() -> None:
    world = World()
    connection = world.connect()
    send(connection, frame(PRODUCE, 1, b"wait") + frame(FETCH, 2, b"x") + frame(PRODUCE, 3, b"y"))
    assert world.api.handled == [b"wait"]
    world.api.release(b"wait")
    connection.resume()
    assert answers(connection) == [(1, b"wait"), (2, b"x"), (3, b"y")]


def test_slow_requests_give_others_their_turn() -> None:
    world = World()
    connection = world.connect()
    world.network.begin_turn()
    send(connection, b"".join(frame(HEARTBEAT, n, b"slow%d" % n) for n in range(3)))
    for handled in (1, 2):
        assert len(world.api.handled) == handled
        assert connection.paused
        assert connection.yielded
        # Nobody but its driver lets it go on, when the others have had the loop.
        connection.resume()
        assert len(world.api.handled) == handled
        connection.yielded = False
        world.network.begin_turn()
        connection.resume()
    assert not connection.paused
    assert answers(connection) == [(n, b"slow%d" % n) for n in range(3)]


def test_the_queue_of_answers_is_bounded() -> None:
    world = World()
    world.network.max_answers = 2
    connection = world.connect()
    send(connection, b"".join(frame(PRODUCE, n, b"wait%d" % n) for n in range(4)))
    assert world.api.handled == [b"wait0", b"wait1"]
    assert connection.paused


def test_a_client_that_does_not_read_is_not_read_from() -> None:
    world = World()
    world.network.max_output_bytes = 1000
    connection = world.connect()
    send(connection, b"".join(frame(HEARTBEAT, n, b"x" * 400) for n in range(10)))
    assert connection.paused
    handled = len(world.api.handled)
    assert handled < 10
    got = answers(connection)
    while connection.paused:
        connection.resume()
        got += answers(connection)
    assert [n for n, _ in got] == list(range(10))


@pytest.mark.parametrize("size", [0, -1, -(2**31), 2**31 - 1, 100_001])
def test_a_frame_size_out_of_bounds_closes(size: int) -> None:
    world = World()
    connection = world.connect()
    send(connection, frame(HEARTBEAT, 1, b"fine") + struct.pack(">i", size) + b"rest")
    assert answers(connection) == [(1, b"fine")]
    assert connection.close_reason is not None
    assert "invalid frame size" in connection.close_reason


def test_only_small_frames_before_the_first_valid_request() -> None:
    world = World()
    connection = world.connect()
    send(connection, frame(HEARTBEAT, 1, b"x" * 20_000))
    assert connection.close_reason is not None
    trusted = world.connect()
    send(trusted, frame(HEARTBEAT, 1, b"hello") + frame(HEARTBEAT, 2, b"x" * 20_000))
    assert trusted.close_reason is None
    assert len(answers(trusted)) == 2


@pytest.mark.parametrize(
    ("first_bytes", "word"), [(b"GET / HTTP/1.1\r\n\r\n", "HTTP"), (b"\x16\x03\x01\x02\x00\x01", "TLS")]
)
def test_other_protocols_are_named(first_bytes: bytes, word: str) -> None:
    connection = World().connect()
    send(connection, first_bytes)
    assert word in (connection.close_reason or "")


def test_unknown_api_and_version_close() -> None:
    for bad in (frame(99, 1, b""), frame(HEARTBEAT, 1, b"\0", version=77)):
        connection = World().connect()
        send(connection, bad)
        assert "not supported" in (connection.close_reason or "")


def test_api_versions_beyond_the_maximum_is_answered_in_version_0() -> None:
    connection = World().connect()
    send(connection, frame(18, 7, b"\0", version=99))
    data = b"".join(bytes(part) for part in connection.output)  # type: ignore[arg-type]
    assert data == struct.pack(">iihihhh", 16, 7, 35, 1, 18, 0, 4)


def test_a_defect_costs_only_its_client(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    victim, other = world.connect(), world.connect()
    send(victim, frame(HEARTBEAT, 1, b"defect"))
    send(other, frame(HEARTBEAT, 1, b"fine"))
    assert victim.close_reason == "internal error"
    assert answers(other) == [(1, b"fine")]
    assert "ZeroDivisionError" in caplog.text


def test_the_budget_of_request_bytes_holds_frames_back() -> None:
    world = World()
    first, second = world.connect(), world.connect()
    for connection in (first, second):
        send(connection, frame(HEARTBEAT, 0, b"hello"))
    big = frame(HEARTBEAT, 1, b"x" * 90_000)
    send(first, big[:10_000])
    send(second, big[:10_000])
    assert second.paused
    send(first, big[10_000:])
    assert len(answers(first)) == 2
    assert list(world.network.ready) == [second]
    second.resume()
    send(second, big[10_000:])
    assert len(answers(second)) == 2
    assert world.network.charged_bytes == 0


def test_abandoning_gives_everything_back() -> None:
    world = World()
    connection = world.connect()
    send(connection, frame(HEARTBEAT, 0, b"hello") + frame(FETCH, 1, b"wait"))
    waiting = world.api.waiting[b"wait"]
    connection.abandon()
    assert waiting.abandoned
    waiting.complete(None)
    assert not connection.output
    assert world.network.connections_by_address == {}


def test_connections_are_limited_per_address_and_in_all() -> None:
    world = World()
    assert world.network.admit("10.0.0.1") is None
    assert world.network.admit("10.0.0.1") is None
    assert "per.ip" in (world.network.admit("10.0.0.1") or "")
    assert world.network.admit("10.0.0.9") is None
    world.network.max_connections = 1000
    assert "per.ip=1 " in (world.network.admit("10.0.0.9") or "")


def test_a_length_that_came_in_pieces_does_not_leave_the_clock_running() -> None:
    world = World()
    connection = world.connect()
    data = frame(HEARTBEAT, 1, b"hello")
    send(connection, data[:2])
    assert connection.frame_started_ms
    send(connection, data[2:])
    assert answers(connection) == [(1, b"hello")]
    assert connection.frame_started_ms == 0
