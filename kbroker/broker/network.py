"""What all connections share: routes, limits, memory, counters, turns.

A turn is one hand-over of bytes, one due timer or one finished piece of
off-loaded work, with everything that follows from it: woken operations,
answers, flushes. Nothing in a turn awaits.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from kbroker.broker.buffers import Buffers
from kbroker.broker.reply_cache import ReplyCache
from kbroker.handlers import table
from kbroker.handlers.context import CloseConnection
from kbroker.protocol.messages import request_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from kbroker.broker.connection import Connection
    from kbroker.config import Config
    from kbroker.environment import Clock
    from kbroker.handlers.context import RequestContext
    from kbroker.handlers.repeated_fetch import RepeatedFetches
    from kbroker.handlers.repeated_produce import RepeatedProduces

log = logging.getLogger(__name__)

PRODUCE = 0
FETCH = 1
# A client that does not read what it asked for is not read from either. The socket holds some megabytes
# besides, so a little is enough to keep it full; and it is held for each of those who never read.
MAX_OUTPUT_BYTES = 256 << 10
# How long one connection's requests may keep the loop before others get their turn.
SLICE_MS = 5


class Route:
    """What an API key leads to."""

    __slots__ = ("handle", "learn", "max_version", "min_version", "read", "requests")

    def __init__(
        self, read: Callable[..., Any], handle: Callable[..., Any], min_version: int, max_version: int
    ) -> None:
        self.read = read
        self.handle = handle
        self.min_version = min_version
        self.max_version = max_version
        self.requests = 0
        # Where like requests have what differs, if those need not be decoded.
        self.learn: Callable[[memoryview, Any, RequestContext], int] | None = None


class Driver(Protocol):
    """Whoever moves a connection's bytes."""

    def end(self, reason: str) -> None:
        """Close the connection now, from outside."""


class NetworkState:
    """Shared by every connection of this broker; owned by the one loop."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.clock = clock
        self.now_ms = clock.monotonic_ms()
        self.buffers = Buffers()
        self.routes: dict[int, Route] = {}
        self.replies = ReplyCache()
        # From the first Produce and the first Fetch on: `Route.learn` is the way to them.
        self.produces: RepeatedProduces
        self.fetches: RepeatedFetches
        self.connections: dict[Connection, Driver] = {}
        self.connections_by_address: dict[str, int] = {}
        self.ready: deque[Connection] = deque()
        self.accepted_count = 0
        self.refused_count = 0

        self.max_frame_bytes = config.int("socket.request.max.bytes")
        self.max_first_frame_bytes = min(
            self.max_frame_bytes, config.int("kbroker.unauthenticated.request.max.bytes")
        )
        self.max_output_bytes = MAX_OUTPUT_BYTES
        self.max_answers = config.int("kbroker.connection.queue.max")
        self.max_connections = config.int("max.connections")
        self.max_connections_per_address = config.int("max.connections.per.ip")
        self.limits_by_address = config.max_connections_per_ip_overrides
        self.max_idle_ms = config.int("connections.max.idle.ms")
        self.frame_timeout_ms = config.int("kbroker.frame.timeout.ms")

        self._budget_bytes = max(config.int("kbroker.queued.bytes.max"), self.max_frame_bytes)
        self.charged_bytes = 0
        self._short_of_memory: deque[Connection] = deque()
        self._speech = _RateLimit(clock)

    # --- turns ---------------------------------------------------------------------------------

    def begin_turn(self) -> None:
        """Bytes have come, or a connection goes on: its slice begins now."""
        self.now_ms = self.clock.monotonic_ms()

    def slice_is_over(self) -> bool:
        """Whether the connection that is being served should let others go on."""
        return self.clock.monotonic_ms() - self.now_ms >= SLICE_MS

    # --- routes --------------------------------------------------------------------------------

    def add_route(self, api_key: int) -> Route:
        """The route of an API on its first use. CloseConnection for one that is not supported."""
        supported = table.SUPPORTED.get(api_key)
        if supported is None:
            raise CloseConnection(f"API {api_key} is not supported")
        route = Route(request_class(api_key).read, table.handler(api_key), supported[1], supported[2])
        if api_key == PRODUCE:
            from kbroker.handlers.repeated_produce import RepeatedProduces

            self.produces = RepeatedProduces()
            route.learn = self.produces.learn
        elif api_key == FETCH:
            from kbroker.handlers.repeated_fetch import RepeatedFetches

            self.fetches = RepeatedFetches()
            route.learn = self.fetches.learn
        self.routes[api_key] = route
        return route

    # --- the budget of request bytes in flight -------------------------------------------------

    def charge(self, size: int) -> bool:
        """Reserve memory for a frame that straddles reads; False when the budget is spent."""
        if self.charged_bytes + size > self._budget_bytes:
            return False
        self.charged_bytes += size
        return True

    def release(self, size: int) -> None:
        self.charged_bytes -= size
        while self._short_of_memory:
            self._short_of_memory.popleft().list_as_ready()

    def wait_for_memory(self, connection: Connection) -> None:
        self._short_of_memory.append(connection)

    # --- connections ---------------------------------------------------------------------------

    def admit(self, address: str) -> str | None:
        """Why a connection from `address` must be refused, or None and it is counted."""
        if len(self.connections) >= self.max_connections:
            reason = f"max.connections={self.max_connections} reached"
        elif self.connections_by_address.get(address, 0) >= self._limit_for(address):
            reason = f"max.connections.per.ip={self._limit_for(address)} reached"
        else:
            self.connections_by_address[address] = self.connections_by_address.get(address, 0) + 1
            self.accepted_count += 1
            return None
        self.refused_count += 1
        return reason

    def _limit_for(self, address: str) -> int:
        return self.limits_by_address.get(address, self.max_connections_per_address)

    def forget(self, connection: Connection) -> None:
        """Called once, by `Connection.abandon`."""
        self.connections.pop(connection, None)
        address = connection.facts.remote[0]
        left = self.connections_by_address.get(address, 0) - 1
        if left > 0:
            self.connections_by_address[address] = left
        else:
            self.connections_by_address.pop(address, None)

    def overdue(self) -> list[tuple[Connection, str]]:
        """Connections that were idle too long or never finish a frame, with the reason."""
        now_ms = self.clock.monotonic_ms()
        overdue = []
        for connection in self.connections:
            started_ms = connection.frame_started_ms
            if started_ms and not connection.paused and now_ms - started_ms > self.frame_timeout_ms:
                overdue.append((connection, f"a frame was not finished within {self.frame_timeout_ms} ms"))
            elif now_ms - connection.last_active_ms > self.max_idle_ms and not connection.is_waiting:
                overdue.append((connection, f"idle for {self.max_idle_ms} ms"))
        return overdue

    # --- speech --------------------------------------------------------------------------------

    def report_close(self, connection: Connection, reason: str) -> None:
        """One line that says why a connection was closed by us."""
        if self._speech.allows():
            host, port = connection.facts.remote
            log.warning("Closed the connection of %s:%d: %s", host, port, reason)

    def report_refusal(self, address: str, reason: str) -> None:
        if self._speech.allows():
            log.warning("Refused a connection from %s: %s", address, reason)

    def report_defect(self, error: BaseException) -> None:
        """An exception that should not be: one line for the user, the stack for whoever debugs."""
        log.error("Internal error: %s: %s", type(error).__name__, error)
        log.debug("Internal error", exc_info=error)


class _RateLimit:
    """Strangers decide how often we speak: at most ten lines a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window = 0
        self._used = 0
        self._suppressed = 0

    def allows(self) -> bool:
        window = self._clock.monotonic_ms() // 1000
        if window != self._window:
            if self._suppressed:
                log.warning("%d more such lines were suppressed", self._suppressed)
            self._window, self._used, self._suppressed = window, 0, 0
        if self._used >= 10:
            self._suppressed += 1
            return False
        self._used += 1
        return True
