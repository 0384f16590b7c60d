"""The task-per-connection driver over the synchronous core.

One task reads; whoever completes an answer sends it at once, without a task
switch; a second task exists only while a client's socket is full. Portable,
and the ground on which TLS will stand; where it can, `epoll_driver` takes its
place.

Standard-library sockets with `wait_readable` rather than trio's streams: a
stream yields to other tasks after each receive, which would let them into
the shared receive buffer, and costs as much again as a small request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from kbroker.broker.connection import LOST
from kbroker.broker.sending import LAST_WORDS_MS, send_output

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from kbroker.broker.connection import Connection
    from kbroker.broker.network import NetworkState

# After so many receives without waiting, let the other tasks run.
_TURNS_BEFORE_YIELD = 8


class TaskDriver:
    """Moves bytes between one socket and one `Connection`."""

    __slots__ = ("_connection", "_finish_turn", "_network", "_nursery", "_resumed", "_socket", "_writing")

    def __init__(
        self,
        sock: socket.socket,
        connection: Connection,
        network: NetworkState,
        nursery: trio.Nursery,
        finish_turn: Callable[[], None],
    ) -> None:
        self._socket = sock
        self._connection = connection
        self._network = network
        self._nursery = nursery
        self._finish_turn = finish_turn
        self._resumed: trio.Event | None = None
        self._writing = False
        connection.on_ready = self._on_ready
        nursery.start_soon(self.run)

    async def run(self) -> None:
        """Serve until the client or we end it; never raises but Cancelled."""
        try:
            await self._serve()
        except (OSError, trio.ClosedResourceError):
            pass  # the client is gone: nobody to tell, and nothing worth a line
        except Exception as error:
            self._network.report_defect(error)
        finally:
            self._connection.abandon()
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()

    async def _serve(self) -> None:
        connection, sock = self._connection, self._socket
        turns = 0
        while connection.close_reason is None:
            if connection.paused:
                await self._go_on()
                continue
            try:
                count = sock.recv_into(connection.receive_buffer())
            except BlockingIOError:
                turns = 0
                await trio.lowlevel.wait_readable(sock)
                continue
            if count == 0:
                await self._finish_half_closed()
                return
            self._network.begin_turn()
            connection.received(count)
            if connection.output:
                self._flush()
            self._finish_turn()
            turns += 1
            if turns == _TURNS_BEFORE_YIELD:
                turns = 0
                await trio.lowlevel.checkpoint()
        if connection.close_reason is not LOST:
            self._network.report_close(connection, connection.close_reason)
            with trio.move_on_after(LAST_WORDS_MS / 1000):
                await self._drain()

    async def _finish_half_closed(self) -> None:
        """The client will send nothing more, but may still read: give it its answers."""
        connection = self._connection
        while connection.close_reason is None and (connection.is_waiting or connection.paused):
            if connection.yielded:
                await self._go_on()
            else:
                await self._wait_until_ready()
        await self._drain()

    async def _go_on(self) -> None:
        """Paused: handle what is held back, now or when there is room for its answers."""
        connection = self._connection
        if connection.yielded:
            await trio.lowlevel.checkpoint()
            self._network.begin_turn()
            connection.yielded = False
        self._on_ready(connection)
        self._finish_turn()
        if connection.paused and not connection.yielded and connection.close_reason is None:
            await self._wait_until_ready()

    async def _drain(self) -> None:
        """Send what stands in the output, however long the client takes to make room."""
        while self._connection.output:
            if not self._flush():
                # The writer task has the socket; it says when it is done.
                await self._wait_until_ready()

    def end(self, reason: str) -> None:
        """Close the connection now, from outside of its task."""
        self._network.report_close(self._connection, reason)
        self._connection.close(reason)
        trio.lowlevel.notify_closing(self._socket)
        if self._resumed is not None:
            self._resumed.set()

    async def _wait_until_ready(self) -> None:
        self._resumed = trio.Event()
        await self._resumed.wait()

    def _on_ready(self, connection: Connection) -> None:
        """Answers have come, or room: send, go on with the backlog, let the reader go on."""
        try:
            sent = self._flush()
            while sent and connection.paused:
                connection.resume()
                if connection.paused and not connection.output:
                    break
                sent = self._flush()
        except OSError:
            connection.close(LOST)
        if self._resumed is not None:
            self._resumed.set()
            self._resumed = None

    def _flush(self) -> bool:
        """Send without waiting; False when the socket is full and a writer task goes on."""
        if self._writing:
            return False
        if send_output(self._socket, self._connection):
            return True
        self._writing = True
        self._nursery.start_soon(self._write)
        return False

    async def _write(self) -> None:
        """Send the rest as the client makes room."""
        connection = self._connection
        try:
            while not send_output(self._socket, connection):
                await trio.lowlevel.wait_writable(self._socket)
                connection.last_active_ms = self._network.clock.monotonic_ms()
        except (OSError, trio.ClosedResourceError):
            connection.close(LOST)
            connection.output.clear()
        self._writing = False
        connection.list_as_ready()
        self._finish_turn()
