"""When the epoll driver sends what answers the requests of one poll."""

import select
import socket
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from kbroker.broker.epoll_driver import EpollReactor
from tests.broker.support import World
from tests.guard.broker import Broker, Client, running
from tests.guard.paths import produce, records
from tests.handlers.support import FakeClock

IN, OUT = "in", "out"


def happenings(broker: Broker, count: int, data: bytes, on_received: Callable[[], None]) -> list[str]:
    """What so many clients' sockets see when each has sent `data` and one poll tells of all."""
    seen: list[str] = []
    clients = [broker.connect() for _ in range(count)]
    for client in clients:
        watch(client, seen, on_received)
    broker.say_together(clients, data)
    assert seen.count(IN) == seen.count(OUT) == count
    return seen


def watch(client: Client, seen: list[str], on_received: Callable[[], None]) -> None:
    send = client.socket.send

    def received(_: memoryview) -> None:
        seen.append(IN)
        on_received()

    def sent(data: Any, flags: int = 0) -> int:
        seen.append(OUT)
        return send(data, flags)

    client.socket.on_received = received
    client.socket.send = sent  # type: ignore[method-assign]


def groups(seen: list[str]) -> list[int]:
    """How many were answered together, group by group."""
    return [len(group) for group in "".join("i" if what == IN else "o" for what in seen).split("i") if group]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        # Sixteen at most.
        (100, [16, 4]),
        (16 << 10, [16, 4]),
        # Half a megabyte at most.
        (100 << 10, [6, 6, 6, 2]),
        (200 << 10, [3] * 6 + [2]),
    ],
)
def test_answers_of_one_poll_are_sent_together(size: int, expected: list[int]) -> None:
    with running(FakeClock()) as broker:
        data = produce(broker.create_topic("topic"), records(size))
        seen = happenings(broker, 20, data, lambda: None)
        assert groups(seen) == expected


def test_no_client_waits_for_what_takes_long() -> None:
    clock = FakeClock()
    with running(clock) as broker:
        data = produce(broker.create_topic("topic"), records(16 << 10))

        def take_long() -> None:
            clock.now_ms += 3

        assert groups(happenings(broker, 6, data, take_long)) == [2, 2, 2]


class Watched:
    """An epoll set with one socket, which notes how long each poll would have waited."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.set = select.epoll()
        self.set.register(self.near, select.EPOLLIN)
        self.waits_s: list[float] = []

    def fileno(self) -> int:
        return self.set.fileno()

    def poll(self, wait_s: float, most: int) -> list[tuple[int, int]]:
        self.waits_s.append(wait_s)
        events = self.set.poll(0, most)
        if events:
            self.near.recv(100)
        return events

    def close(self) -> None:
        self.set.close()
        self.near.close()
        self.far.close()


def test_polls_wait_only_while_requests_follow_each_other_closely() -> None:
    world, watched = World(), Watched()
    reactor = EpollReactor(world.network, world.waiting, lambda: None)
    reactor.epoll.close()
    reactor.epoll = watched  # type: ignore[assignment]

    async def requests() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reactor.run)
            for pause_ms in (0, 1, 2, 500, 1):
                await trio.testing.wait_all_tasks_blocked()
                world.clock.now_ms += pause_ms
                watched.far.send(b"request")
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    trio.run(requests)
    close, apart = 0.001, 0
    # Before the first; then with each request and behind it.
    assert watched.waits_s == [close, *[close] * 2, *[close] * 2, *[apart] * 2, *[apart] * 2, *[close] * 2]
