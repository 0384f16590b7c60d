"""Listener and driver over real loopback sockets, with an echoing API behind."""

from __future__ import annotations

import functools
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from kbroker.broker.epoll_driver import EpollReactor
from kbroker.broker.listener import Acceptor, bind
from kbroker.broker.start_error import StartError
from kbroker.broker.task_driver import TaskDriver
from tests.broker.support import FETCH, HEARTBEAT, World, frame


class Served:
    """A world that listens, with one of the drivers."""

    def __init__(self, world: World, nursery: trio.Nursery, driver: str) -> None:
        self.world = world
        self.listener = bind("PLAINTEXT", "127.0.0.1", 0, None)
        drive: Any
        if driver == "epoll":
            reactor = EpollReactor(world.network, world.waiting, self.finish_turn)
            nursery.start_soon(reactor.run)
            drive = reactor.add
        else:
            drive = functools.partial(
                TaskDriver, network=world.network, nursery=nursery, finish_turn=self.finish_turn
            )
        acceptor = Acceptor(self.listener, world.network, world.services, drive)
        for sock in self.listener.sockets:
            sock.listen(128)
            nursery.start_soon(acceptor.run, sock)
        nursery.start_soon(world.waiting.run_timers, self.finish_turn)

    def finish_turn(self) -> None:
        while self.world.network.ready:
            self.world.network.ready.popleft().run_ready()

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(*self.listener.bound)


@pytest.fixture(params=["epoll", "tasks"])
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@asynccontextmanager
async def served(driver: str, world: World | None = None) -> AsyncIterator[Served]:
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            server = Served(world or World(), nursery, driver)
            yield server
            nursery.cancel_scope.cancel()
            server.listener.close()


async def read_answers(stream: trio.SocketStream, count: int) -> list[tuple[int, bytes]]:
    data = b""
    found: list[tuple[int, bytes]] = []
    while len(found) < count:
        chunk = await stream.receive_some()
        assert chunk, "closed early"
        data += chunk
        while len(data) >= 4 and len(data) >= 4 + struct.unpack(">i", data[:4])[0]:
            size, correlation_id = struct.unpack(">ii", data[:8])
            found.append((correlation_id, data[8 : 4 + size]))
            data = data[4 + size :]
    return found


def run(test: Any) -> None:
    trio.run(test)


def test_pipelined_requests_and_large_answers(driver: str) -> None:
    async def main() -> None:
        world = World()
        world.network.max_frame_bytes = 10 << 20
        async with served(driver, world) as server, await server.connect() as stream:
            bodies = [b"hello", b"x" * 50_000, b"y" * 3_000_000, b"z"]
            world.network._budget_bytes = 10 << 20

            async def send_all() -> None:
                await stream.send_all(b"".join(frame(HEARTBEAT, n, body) for n, body in enumerate(bodies)))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_all)
                assert await read_answers(stream, 4) == list(enumerate(bodies))

    run(main)


def test_an_answer_completed_elsewhere_is_sent_and_reading_goes_on(driver: str) -> None:
    async def main() -> None:
        async with served(driver) as server, await server.connect() as stream:
            await stream.send_all(frame(FETCH, 1, b"wait") + frame(HEARTBEAT, 2, b"next"))
            await trio.testing.wait_all_tasks_blocked(0.05)
            server.world.api.release(b"wait")
            server.finish_turn()
            assert await read_answers(stream, 2) == [(1, b"wait"), (2, b"next")]
            await stream.send_all(frame(HEARTBEAT, 3, b"more"))
            assert await read_answers(stream, 1) == [(3, b"more")]

    run(main)


def test_what_waited_behind_a_late_answer_goes_on_although_nobody_sends(driver: str) -> None:
    async def main() -> None:
        async with served(driver) as server, await server.connect() as stream:
            behind = b"".join(frame(HEARTBEAT, n, b"behind") for n in range(2, 5))
            await stream.send_all(frame(FETCH, 1, b"wait") + behind)
            await trio.testing.wait_all_tasks_blocked(0.05)
            # Long after the last bytes came: the slice of that turn is over.
            server.world.clock.now_ms += 1000
            server.world.api.release(b"wait")
            server.finish_turn()
            expected = [(1, b"wait"), *((n, b"behind") for n in range(2, 5))]
            assert await read_answers(stream, 4) == expected

    run(main)


def test_a_half_closed_client_gets_its_answers(driver: str) -> None:
    async def main() -> None:
        async with served(driver) as server, await server.connect() as stream:
            await stream.send_all(frame(FETCH, 1, b"wait"))
            await stream.send_eof()
            await trio.testing.wait_all_tasks_blocked(0.05)
            server.world.api.release(b"wait")
            server.finish_turn()
            assert await read_answers(stream, 1) == [(1, b"wait")]
            assert await stream.receive_some() == b""

    run(main)


def test_a_half_closed_client_that_reads_slowly_gets_all_of_a_large_answer(driver: str) -> None:
    async def main() -> None:
        world = World()
        world.network.max_frame_bytes = world.network._budget_bytes = 40 << 20
        async with served(driver, world) as server, await server.connect() as stream:
            body = bytes(range(256)) * 100_000
            await stream.send_all(frame(HEARTBEAT, 1, b"hello"))
            await stream.send_all(frame(HEARTBEAT, 2, body))
            await stream.send_eof()
            # Longer than the sockets hold: the writer task waits while the reader has already ended.
            await trio.sleep(0.3)
            assert await read_answers(stream, 2) == [(1, b"hello"), (2, body)]
            assert await stream.receive_some() == b""

    run(main)


def test_a_bad_frame_closes_after_the_good_answers(driver: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with served(driver) as server, await server.connect() as stream:
            await stream.send_all(frame(HEARTBEAT, 1, b"good") + b"\xff\xff\xff\xff")
            assert await read_answers(stream, 1) == [(1, b"good")]
            assert await stream.receive_some() == b""
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert not server.world.network.connections

    run(main)
    assert "invalid frame size -1" in caplog.text


def test_a_client_that_never_reads_is_paused_and_others_go_on(driver: str) -> None:
    async def main() -> None:
        world = World()
        world.network.max_output_bytes = 100_000
        async with served(driver, world) as server:
            deaf, other = await server.connect(), await server.connect()
            await other.send_all(frame(HEARTBEAT, 0, b"hello"))
            await read_answers(other, 1)
            with trio.move_on_after(2):
                for n in range(4000):
                    await deaf.send_all(frame(HEARTBEAT, n, b"x" * 9000))
            assert len(world.api.handled) < 4000
            (connection,) = [c for c in world.network.connections if c.output_bytes]
            assert connection.output_bytes < 500_000
            await other.send_all(frame(HEARTBEAT, 1, b"still"))
            assert await read_answers(other, 1) == [(1, b"still")]
            await deaf.aclose()
            await other.aclose()

    run(main)


def test_a_client_with_many_slow_requests_does_not_keep_the_loop(driver: str) -> None:
    async def main() -> None:
        async with served(driver) as server:
            hog, other = await server.connect(), await server.connect()
            await hog.send_all(b"".join(frame(HEARTBEAT, n, b"slow") for n in range(200)))
            await other.send_all(frame(HEARTBEAT, 1, b"quick"))
            assert await read_answers(other, 1) == [(1, b"quick")]
            handled = server.world.api.handled
            assert handled.index(b"quick") < 10
            # A half-closed client gets all of its answers nevertheless.
            await hog.send_eof()
            assert await read_answers(hog, 200) == [(n, b"slow") for n in range(200)]
            assert await hog.receive_some() == b""
            await hog.aclose()
            await other.aclose()

    run(main)


def test_connections_over_the_limit_are_refused(driver: str) -> None:
    async def main() -> None:
        async with served(driver) as server:
            streams = [await server.connect() for _ in range(3)]
            assert await streams[2].receive_some() == b""
            await streams[0].send_all(frame(HEARTBEAT, 1, b"ok"))
            assert await read_answers(streams[0], 1) == [(1, b"ok")]
            for stream in streams:
                await stream.aclose()
            await trio.sleep(0.05)
            async with await server.connect() as again:
                await again.send_all(frame(HEARTBEAT, 1, b"ok"))
                assert await read_answers(again, 1) == [(1, b"ok")]

    run(main)


def test_overdue_connections_are_ended(driver: str) -> None:
    async def main() -> None:
        async with served(driver) as server, await server.connect() as stream:
            await stream.send_all(frame(HEARTBEAT, 1, b"ok"))
            await read_answers(stream, 1)
            await stream.send_all(frame(HEARTBEAT, 2, b"never finished")[:-3])
            await trio.testing.wait_all_tasks_blocked(0.05)
            world = server.world
            assert world.network.overdue() == []
            world.clock.now_ms += 60_001
            ((connection, reason),) = world.network.overdue()
            world.network.connections[connection].end(reason)
            assert await stream.receive_some() == b""

    run(main)


def test_a_port_in_use_is_one_sentence() -> None:
    first = bind("PLAINTEXT", "127.0.0.1", 0, None)
    first.sockets[0].listen(1)
    with pytest.raises(StartError, match=r"cannot listen on 127\.0\.0\.1:\d+ \(SECOND\): the port is in use"):
        bind("SECOND", "127.0.0.1", first.bound[1], None)
    for sock in first.sockets:
        sock.close()


def test_a_listener_that_is_closed_before_its_first_turn(driver: str) -> None:
    async def main() -> None:
        async with served(driver) as server:
            server.listener.close()
            await trio.testing.wait_all_tasks_blocked()

    run(main)


def test_every_address_of_both_families() -> None:
    listener = bind("PLAINTEXT", "", 0, None)
    port = listener.bound[1]
    for sock in listener.sockets:
        sock.listen(5)
    for host in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            assert host == "::1", "IPv4 must always work"
    for sock in listener.sockets:
        sock.close()
