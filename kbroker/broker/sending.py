"""Output to a socket: bytes in one call, file regions by sendfile."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from kbroker.protocol.primitives import FileRegion

if TYPE_CHECKING:
    from kbroker.broker.connection import Connection

_MAX_GATHER = 64
# How long a client that we close on may take to read the answers before that.
LAST_WORDS_MS = 5_000


def send_output(sock: socket.socket, connection: Connection) -> bool:
    """Send as much of the output as the socket takes; True when nothing is left.

    Neighbouring byte strings go out in one call; a file region by sendfile,
    with its head held back (MSG_MORE) so that both share a packet.
    """
    output = connection.output
    try:
        if len(output) == 1 and isinstance(answer := output[0], bytes):
            # One small answer is what most requests get.
            sent = sock.send(answer)
            connection.output_bytes -= sent
            if sent == len(answer):
                output.clear()
                return True
            output[0] = memoryview(answer)[sent:]
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
