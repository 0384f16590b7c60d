"""All plaintext connections in one task, over a nested epoll set.

An epoll set is itself readable: the task polls it, serves every socket that
has something, and lets trio wait for the set only when nothing has come for a
millisecond. So a request costs no task switch and no wait of trio's, which
would cost as much as all the rest of a small request. While requests are
further apart than that, it does not look out for the next. Linux only.

    reads      one receive per event; what is left announces itself again
    writes     answers without records together, when some sockets have been
               served: a client that has several connections is woken once; all
               else at once; EPOLLOUT only while the client's socket is full
    interest   EPOLLIN while the connection may be read from, EPOLLOUT while
               output waits; changed only when that changes
    yielded    a connection that gave up the loop asks for EPOLLOUT too, and
               so goes on in a later round, whoever has the loop now
"""

from __future__ import annotations

import contextlib
import select
import socket
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING

import trio

from kbroker.broker.buffers import LENGTH_BYTES
from kbroker.broker.connection import LOST
from kbroker.broker.sending import LAST_WORDS_MS, send_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kbroker.broker.connection import Connection
    from kbroker.broker.network import NetworkState
    from kbroker.broker.pending import ScheduledCall, WaitingRoom

# Sockets served in one round, and how long rounds may follow each other before timers,
# listeners and the admin port get the loop.
_MAX_EVENTS = 256
_ROUNDS_MS = 2
# How many requests are answered together, and how many full pages may have come meanwhile.
_MAX_TOGETHER = 16
_MAX_TOGETHER_PAGES = 128
_PAGE_BITS = 12
# How long a poll may wait itself: a client that has just been answered asks again within that.
_LINGER_MS = 1


class EpollReactor:
    """The task, and the connections it serves by file descriptor."""

    def __init__(
        self,
        network: NetworkState,
        waiting: WaitingRoom,
        finish_turn: Callable[[], None],
        may_linger: Callable[[], bool] = lambda: True,
    ) -> None:
        self.network = network
        self.waiting = waiting
        self.finish_turn = finish_turn
        # Whether nobody's work on a thread wants the loop back as soon as it is done.
        self._may_linger = may_linger
        self.epoll = select.epoll()
        self.drivers: dict[int, EpollDriver] = {}
        # Whose answers are to be sent together.
        self.unsent: list[EpollDriver] = []
        # What has come meanwhile, in pages: such numbers are objects that are there already.
        self.received_pages = 0

    def add(self, sock: socket.socket, connection: Connection) -> EpollDriver:
        """Serve a connection from now on."""
        return EpollDriver(sock, connection, self)

    async def run(self) -> None:
        """Serve until cancelled; then every connection is closed."""
        try:
            await self._serve()
        finally:
            for driver in list(self.drivers.values()):
                driver.close()
            self.epoll.close()

    async def _serve(self) -> None:
        poll, serve = self.epoll.poll, self.serve
        clock, may_linger = self.network.clock, self._may_linger
        set_number = self.epoll.fileno()
        waited_ms = clock.monotonic_ms()
        linger_s = _LINGER_MS / 1000
        while True:
            events = poll(linger_s if may_linger() else 0, _MAX_EVENTS)
            if not events:
                idle_ms = clock.monotonic_ms()
                await trio.lowlevel.wait_readable(set_number)
                waited_ms = clock.monotonic_ms()
                # Waking up in vain costs as much as a request does.
                linger_s = _LINGER_MS / 1000 if waited_ms - idle_ms <= _LINGER_MS else 0
                continue
            serve(events)
            if clock.monotonic_ms() - waited_ms >= _ROUNDS_MS:
                await trio.lowlevel.checkpoint()
                waited_ms = clock.monotonic_ms()

    def serve(self, events: Iterable[tuple[int, int]]) -> None:
        """Sockets by number have something, as epoll tells it."""
        drivers, unsent = self.drivers, self.unsent
        self.network.begin_turn()
        for number, event in events:
            driver = drivers.get(number)
            if driver is None:
                continue
            try:
                if event & EPOLLIN:
                    driver.read()
                if event & ~EPOLLIN:
                    driver.go_on(event)
            except Exception as error:
                driver.fail(error)
            if len(unsent) == _MAX_TOGETHER or (self.received_pages and self._is_much()):
                self._end_turn()
        self._end_turn()

    def _is_much(self) -> bool:
        """Whether the clients behind large requests have waited for long enough."""
        return self.received_pages >= _MAX_TOGETHER_PAGES or self.network.slice_is_over()

    def _end_turn(self) -> None:
        for driver in self.unsent:
            try:
                driver.flush()
            except Exception as error:
                driver.fail(error)
        self.unsent.clear()
        self.received_pages = 0
        try:
            self.finish_turn()
        except Exception as error:
            self.network.report_defect(error)
        self.network.begin_turn()


class EpollDriver:
    """Moves bytes between one socket and one `Connection`, when the reactor says so."""

    __slots__ = (
        "_connection",
        "_half_closed",
        "_interest",
        "_last_words",
        "_network",
        "_number",
        "_reactor",
        "_socket",
    )

    def __init__(self, sock: socket.socket, connection: Connection, reactor: EpollReactor) -> None:
        self._socket = sock
        self._number = sock.fileno()
        self._connection = connection
        self._reactor = reactor
        self._network = reactor.network
        self._half_closed = False
        self._last_words: ScheduledCall | None = None
        self._interest = EPOLLIN
        connection.on_ready = self._on_ready
        reactor.drivers[self._number] = self
        reactor.epoll.register(self._number, EPOLLIN)

    def read(self) -> None:
        """The socket has bytes, or an end of them."""
        connection = self._connection
        try:
            count = self._socket.recv_into(connection.receive_buffer())
        except BlockingIOError:
            return
        if count == 0:
            # The client will send nothing more, but may still read: give it its answers.
            self._half_closed = True
            self._settle()
            return
        connection.received(count)
        if count == LENGTH_BYTES and connection.expects_rest:
            with contextlib.suppress(BlockingIOError):
                rest = self._socket.recv_into(connection.receive_buffer())
                connection.received(rest)
                count += rest
        pages = count >> _PAGE_BITS
        if pages < _MAX_TOGETHER_PAGES and len(connection.output) <= 1 and not connection.paused:
            if pages:
                self._reactor.received_pages += pages
            if connection.output:
                self._reactor.unsent.append(self)
            elif connection.close_reason is not None:
                self._settle()
            return
        if connection.output:
            send_output(self._socket, connection)
        self._reactor.finish_turn()
        self._network.begin_turn()
        if connection.paused or connection.output or connection.close_reason is not None:
            self._settle()

    def flush(self) -> None:
        """Send what the last read has brought, and could be sent at once."""
        if not send_output(self._socket, self._connection) or self._connection.close_reason is not None:
            self._settle()

    def fail(self, error: Exception) -> None:
        """What an exception costs: this client its connection."""
        if not isinstance(error, OSError):
            self._network.report_defect(error)
        # Else the client is gone: nobody to tell, and nothing worth a line.
        self.close()

    def go_on(self, event: int) -> None:
        """There is room, or the others have had the loop: send, and handle more of what was held back.

        Or the client is gone.
        """
        if not event & EPOLLIN and event & (EPOLLHUP | EPOLLERR):
            self.close()
            return
        if not event & EPOLLOUT:
            return
        connection = self._connection
        if connection.output:
            connection.last_active_ms = self._network.now_ms
        connection.yielded = False
        self._on_ready(connection)
        self._reactor.finish_turn()
        self._network.begin_turn()

    def end(self, reason: str) -> None:
        """Close the connection now."""
        self._network.report_close(self._connection, reason)
        self._connection.close(reason)
        self.close()

    def _on_ready(self, connection: Connection) -> None:
        """Answers have come, or room: send, and go on with the backlog."""
        try:
            sent = send_output(self._socket, connection)
            while sent and connection.paused and not connection.yielded:
                connection.resume()
                if connection.paused and not connection.output:
                    break
                sent = send_output(self._socket, connection)
        except OSError:
            self.close()
            return
        self._settle()

    def _settle(self) -> None:
        """Bring what epoll watches in line with what the connection can take; end what has ended."""
        connection = self._connection
        if connection.close_reason is not None:
            if not connection.output:
                self._close_for(connection.close_reason)
                return
            self._limit_last_words(connection.close_reason)
        elif self._half_closed and not (connection.is_waiting or connection.paused or connection.output):
            self.close()
            return
        reads = not (connection.paused or self._half_closed or connection.close_reason is not None)
        writes = connection.output or connection.yielded
        interest = (EPOLLIN if reads else 0) | (EPOLLOUT if writes else 0)
        if interest != self._interest:
            self._interest = interest
            self._reactor.epoll.modify(self._number, interest)

    def _limit_last_words(self, reason: str) -> None:
        """What we owe is still sent, but not for ever."""
        if self._last_words is None:
            self._network.report_close(self._connection, reason)
            self._last_words = self._reactor.waiting.call_later(LAST_WORDS_MS, self.close)

    def _close_for(self, reason: str) -> None:
        if self._last_words is None and reason is not LOST:
            self._network.report_close(self._connection, reason)
        self.close()

    def close(self) -> None:
        """Give the socket back; what was not sent is lost."""
        if self._reactor.drivers.pop(self._number, None) is None:
            return
        if self._last_words is not None:
            self._last_words.cancel()
        self._connection.abandon()
        self._reactor.epoll.unregister(self._number)
        self._socket.close()
