"""Fakes for the tests of the edge: a clock, a config, an echoing API."""

from __future__ import annotations

import struct
from typing import Any, ClassVar

from kbroker.broker.connection import Connection
from kbroker.broker.network import NetworkState, Route
from kbroker.broker.pending import WaitingRoom
from kbroker.handlers.context import ConnectionFacts, Pending, RequestContext, Services

PRODUCE, FETCH, HEARTBEAT = 0, 1, 12


class FakeClock:
    """Time that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now_ms = 1_000

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms


class FakeConfig:
    """Only the numbers that the network asks for."""

    NUMBERS: ClassVar[dict[str, int]] = {
        "socket.request.max.bytes": 100_000,
        "kbroker.unauthenticated.request.max.bytes": 10_000,
        "max.connections": 3,
        "max.connections.per.ip": 2,
        "connections.max.idle.ms": 600_000,
        "kbroker.frame.timeout.ms": 60_000,
        "kbroker.queued.bytes.max": 150_000,
        "kbroker.connection.queue.max": 64,
    }

    max_connections_per_ip_overrides: ClassVar[dict[str, int]] = {"10.0.0.9": 1}

    def int(self, key: str) -> int:
        return self.NUMBERS[key]


class FakeEnvironment:
    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock


class Echo:
    """A response whose body is the request's body."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def write(self, out: list[Any], version: int) -> None:
        out.append(self.body)


class EchoApi:
    """Answers with the body; one that begins with `wait` waits until `release`d, `slow` takes 10 ms."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.handled: list[bytes] = []
        self.waiting: dict[bytes, Pending[Any]] = {}

    def read(self, buffer: memoryview, position: int, version: int) -> tuple[bytes, int]:
        return bytes(buffer[position:]), len(buffer)

    def handle(self, body: bytes, context: RequestContext) -> Any:
        self.handled.append(body)
        if body == b"defect":
            raise ZeroDivisionError
        if body.startswith(b"slow"):
            self._clock.now_ms += 10
        if body.startswith(b"wait"):
            pending: Pending[Any] = Pending()
            self.waiting[body] = pending
            return pending
        return Echo(body)

    def release(self, body: bytes) -> None:
        self.waiting.pop(body).complete(Echo(body))


class World:
    """One network with echoing APIs, and connections to it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.network = NetworkState(FakeConfig(), self.clock)  # type: ignore[arg-type]
        self.waiting = WaitingRoom(self.clock)
        self.api = EchoApi(self.clock)
        self.services = Services()
        self.services.environment = FakeEnvironment(self.clock)  # type: ignore[assignment]
        for key in (PRODUCE, FETCH, HEARTBEAT):
            self.network.routes[key] = Route(self.api.read, self.api.handle, 0, 4)

    def connect(self) -> Connection:
        facts = ConnectionFacts("PLAINTEXT", ("127.0.0.1", 9092), ("127.0.0.1", 50_000), None)
        connection = Connection(facts, self.services, self.network)
        self.network.admit("127.0.0.1")
        return connection


def frame(api_key: int, correlation_id: int, body: bytes, version: int = 0) -> bytes:
    """A request with client id "t"; version 0 of every API used here has a header v1."""
    head = struct.pack(">hhih", api_key, version, correlation_id, 1) + b"t"
    return struct.pack(">i", len(head) + len(body)) + head + body


def send(connection: Connection, data: bytes, chunk: int = 1 << 30) -> None:
    """Feed `data` as a driver would, at most `chunk` bytes at a time."""
    while data and connection.close_reason is None:
        assert not connection.paused, "a driver does not read while paused"
        buffer = connection.receive_buffer()
        count = min(len(buffer), len(data), chunk)
        buffer[:count] = data[:count]
        connection.received(count)
        data = data[count:]


def answers(connection: Connection) -> list[tuple[int, bytes]]:
    """Drain the output: (correlation id, body) of each complete answer."""
    data = b"".join(bytes(part) for part in connection.output)  # type: ignore[arg-type]
    connection.output.clear()
    connection.output_bytes = 0
    found = []
    while data:
        size, correlation_id = struct.unpack_from(">ii", data)
        found.append((correlation_id, data[8 : 4 + size]))
        data = data[4 + size :]
    return found
