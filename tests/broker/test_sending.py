"""Output over a socket that is full now and then: order, and what goes in one packet."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kbroker.broker.sending import send_output
from kbroker.protocol.primitives import FileRegion
from tests.broker.support import World

DATA = bytes(range(256)) * 4000


class OpenFile:
    """As much of a disk's file as is asked of it here."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor


class NotingSocket(socket.socket):
    """Keeps how each of its sends was asked for."""

    flags: list[int]

    def send(self, data: Any, flags: int = 0, /) -> int:
        self.flags.append(flags)
        return super().send(data, flags)

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        self.flags.append(flags)
        return super().sendmsg(buffers, ancdata, flags)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "log").write_bytes(DATA)
    descriptor = os.open(tmp_path / "log", os.O_RDONLY)
    yield OpenFile(descriptor)
    os.close(descriptor)


def sent(*parts: bytes | FileRegion) -> tuple[bytes, list[int]]:
    """What arrives, and the flags of the sends that are not of a region."""
    left, right = socket.socketpair()
    noting = NotingSocket(fileno=left.detach())
    noting.flags = []
    noting.setblocking(False)
    connection = World().connect()
    connection._send([*parts])
    received = b""
    while not send_output(noting, connection):
        received += right.recv(1 << 20)
    noting.close()
    while chunk := right.recv(1 << 20):
        received += chunk
    right.close()
    assert connection.output_bytes == 0
    return received, noting.flags


def test_bytes_and_regions_keep_their_order(file: Any) -> None:
    region = FileRegion(file, 256, 900_000)
    received, _ = sent(b"head", region, b"tail", b"", FileRegion(file, 0, 0), b"end")
    assert received == b"head" + DATA[256 : 256 + 900_000] + b"tailend"


@pytest.mark.parametrize("head", [[b"head"], [b"head", b" and more"]], ids=["one part", "two parts"])
@pytest.mark.parametrize(
    ("length", "flags"), [(16 << 10, socket.MSG_MORE), ((64 << 10) - 1, socket.MSG_MORE), (64 << 10, 0)]
)
def test_a_head_waits_only_for_what_fits_its_packet(
    file: Any, head: list[bytes], length: int, flags: int
) -> None:
    received, found = sent(*head, FileRegion(file, 0, length))
    assert received == b"".join(head) + DATA[:length]
    assert found == [flags]
