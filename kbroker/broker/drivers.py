"""The task-per-connection driver over the synchronous core.

One task reads; whoever completes an answer sends it at once, without a task
switch; a second task exists only while a client's socket is full. Portable,
and the ground on which TLS will stand.

Standard-library sockets with `wait_readable` rather than trio's streams: a
stream yields to other tasks after each receive, which would let them into
the shared receive buffer, and costs as much again as a small request.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import trio

from kbroker.broker.connection import LOST
from kbroker.protocol.primitives import FileRegion

if TYPE_CHECKING:
    from collections.abc import Callable

    from kbroker.broker.connection import Connection
    from kbroker.broker.network import NetworkState

# After so many receives without waiting, let the other tasks run.
_TURNS_BEFORE_YIELD = 8
_MAX_GATHER = 64
# How long a client that we close on may take to read the answers before that.
_LAST_WORDS_S = 5


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
            with trio.move_on_after(_LAST_WORDS_S):
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


def send_output(sock: socket.socket, connection: Connection) -> bool:
    """Send as much of the output as the socket takes; True when nothing is left.

    Neighbouring byte strings go out in one call; a file region by sendfile,
    with its head held back (MSG_MORE) so that both share a packet.
    """
    output = connection.output
    try:
        while output:
            part = output[0]
            if type(part) is FileRegion:
                _send_region(sock, output, part)
            else:
                connection.output_bytes -= _send_bytes(sock, output)
    except BlockingIOError:
        return False
    return True


def _send_region(sock: socket.socket, output: Any, region: FileRegion) -> None:
    if region.length == 0:
        output.popleft()
        return
    sent = os.sendfile(sock.fileno(), region.file.fileno(), region.position, region.length)
    if sent == 0:
        raise OSError("the log ended before the announced length")
    if sent == region.length:
        output.popleft()
    else:
        output[0] = FileRegion(region.file, region.position + sent, region.length - sent)


def _send_bytes(sock: socket.socket, output: Any) -> int:
    parts = []
    more = 0
    for part in output:
        if type(part) is FileRegion:
            more = socket.MSG_MORE
            break
        parts.append(part)
        if len(parts) == _MAX_GATHER:
            break
    sent = sock.send(parts[0], more) if len(parts) == 1 else sock.sendmsg(parts, (), more)
    left = sent
    for part in parts:
        if left < len(part):
            output[0] = memoryview(part)[left:]
            break
        left -= len(part)
        output.popleft()
    return sent
