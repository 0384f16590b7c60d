"""The requests of `tests.disk.broker` over a socket, to a broker in a process of its own."""

from __future__ import annotations

import struct

from compat import wire
from tests.disk.broker import Client


class SocketClient(Client):
    """One connection, one request at a time."""

    def __init__(self, bootstrap: str, timeout_s: float = 30.0) -> None:
        host, _, port = bootstrap.rpartition(":")
        self.socket = wire.connect(host, int(port), timeout_s)

    def exchange(self, request: bytes) -> bytes | None:
        self.socket.sendall(request)
        return wire.receive(self.socket)

    def close(self) -> None:
        self.socket.close()


def can_be_asked(bootstrap: str, timeout_s: float) -> bool:
    """Whether a new connection is taken and answered."""
    try:
        client = SocketClient(bootstrap, timeout_s)
    except OSError:
        return False
    try:
        return client.list_offset("t", 0, -1).error == 0
    except (OSError, struct.error):
        return False
    finally:
        client.close()
