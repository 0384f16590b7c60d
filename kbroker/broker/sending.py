"""Output to a socket: bytes in one call, file regions by sendfile."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from kbroker.protocol.primitives import FileRegion

if TYPE_CHECKING:
    from kbroker.broker.connection import Connection

_MAX_GATHER = 64
# What no packet holds, not even on the loopback interface.
_PACKET_BYTES = 64 << 10
# How long a client that we close on may take to read the answers before that.
LAST_WORDS_MS = 5_000


def send_output(sock: socket.socket, connection: Connection) -> bool:
    """Send as much of the output as the socket takes; True when nothing is left.

    Neighbouring byte strings go out in one call; a file region by sendfile.
    Its head is held back (MSG_MORE) if both fit a packet; else it goes ahead,
    so that the client has woken up when the region comes.
    """
    output = connection.output
    try:
        while output:
            part = output[0]
            if isinstance(part, FileRegion):
                _send_region(sock, output, part)
                continue
            if len(output) == 1:
                sent = sock.send(part)
            elif isinstance(output[1], FileRegion):
                sent = sock.send(part, _held_back_for(output[1]))
            else:
                connection.output_bytes -= _send_together(sock, output)
                continue
            connection.output_bytes -= sent
            if sent == len(part):
                output.popleft()
            else:
                output[0] = memoryview(part)[sent:]
    except BlockingIOError:
        return False
    return True


def _held_back_for(region: FileRegion) -> int:
    """How to send what stands before it."""
    return socket.MSG_MORE if region.length < _PACKET_BYTES else 0


def _send_region(sock: socket.socket, output: Any, region: FileRegion) -> None:
    if region.length == 0:
        output.popleft()
        return
    length = region.length
    sent = os.sendfile(sock.fileno(), region.file.fileno(), region.position, length)
    if sent == 0:
        raise OSError("the log ended before the announced length")
    if sent == length:
        output.popleft()
    else:
        output[0] = FileRegion(region.file, region.position + sent, length - sent)


def _send_together(sock: socket.socket, output: Any) -> int:
    parts = []
    more = 0
    for part in output:
        if type(part) is FileRegion:
            more = _held_back_for(part)
            break
        parts.append(part)
        if len(parts) == _MAX_GATHER:
            break
    sent = sock.sendmsg(parts, (), more)
    left = sent
    for part in parts:
        if left < len(part):
            output[0] = memoryview(part)[left:]
            break
        left -= len(part)
        output.popleft()
    return sent
