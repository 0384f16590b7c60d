"""When the epoll driver sends what answers the requests of one poll."""

from collections.abc import Callable
from typing import Any

import pytest

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
