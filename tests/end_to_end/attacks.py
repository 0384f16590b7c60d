"""X6: what strangers do to sockets, while a good client goes on.

Each attack is a coroutine over one listening port; it ends by itself, and
fails when the broker did not defend itself. `siege` runs some of them beside
a good client and returns the figures.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from kbroker.protocol.generated.api_versions_request import ApiVersionsRequest
from kbroker.protocol.generated.metadata_request import MetadataRequest
from kbroker.protocol.primitives import Message
from tests.protocol.samples import encode
from tests.wire.world import frame

METADATA, API_VERSIONS = 3, 18
GIBIBYTE = 1 << 30
# Linux: a socket in repair mode vanishes without a FIN or a RST.
_TCP_REPAIR = 19
# What the broker is started with, so that patience is short.
FRAME_TIMEOUT_MS = 2_000
IDLE_MS = 4_000
SETTINGS = (
    *("-o", f"kbroker.frame.timeout.ms={FRAME_TIMEOUT_MS}"),
    *("-o", f"connections.max.idle.ms={IDLE_MS}"),
)
# Overdue connections are looked for every five seconds.
_PATIENCE_S = 30.0

Attack = Callable[[int, int], Awaitable[None]]


def request(api_key: int, version: int, message: Message) -> bytes:
    return frame(api_key, version, encode(message, version))


ALL_TOPICS = request(METADATA, 9, MetadataRequest(topics=None))
HELLO = request(API_VERSIONS, 3, ApiVersionsRequest(client_software_name="a", client_software_version="1"))


async def connect(port: int) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", port)


async def closed_by_broker(stream: trio.SocketStream) -> None:
    """Wait until the broker ends the connection; Cancelled when it does not."""
    try:
        while await stream.receive_some(65536):
            pass
    except trio.BrokenResourceError:
        pass


async def slow_loris(port: int, count: int) -> None:
    """A byte a second of an honest request: ended when the frame takes too long."""

    async def one() -> None:
        async with await connect(port) as stream:
            with trio.fail_after(_PATIENCE_S):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(drip, stream)
                    await closed_by_broker(stream)
                    nursery.cancel_scope.cancel()

    async def drip(stream: trio.SocketStream) -> None:
        try:
            for byte in HELLO * 100:
                await stream.send_all(bytes([byte]))
                await trio.sleep(1)
        except trio.BrokenResourceError:
            pass

    await _many(one, count)


async def half_open(port: int, count: int) -> None:
    """Gone without a word, as when a cable is cut: no FIN, no RST."""

    async def one() -> None:
        stream = await connect(port)
        await stream.send_all(HELLO)
        await stream.receive_some(65536)
        try:
            stream.socket.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
        except PermissionError:
            # Without the right to, an idle connection must do.
            with trio.fail_after(_PATIENCE_S):
                await closed_by_broker(stream)
        stream.socket.close()

    await _many(one, count)


async def huge_frames(port: int, count: int) -> None:
    """A gibibyte announced, before and after a good request: ended at once."""

    async def one() -> None:
        for before in (b"", HELLO):
            async with await connect(port) as stream:
                await stream.send_all(before + struct.pack(">i", GIBIBYTE) + bytes(1000))
                with trio.fail_after(_PATIENCE_S):
                    await closed_by_broker(stream)

    await _many(one, count)


async def other_protocols(port: int, count: int) -> None:
    """HTTP, TLS, SSH and noise on the plaintext port: ended at once."""
    noise = random.Random(6)
    greetings = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\xff" * 64,
        *(b"\x7f" + noise.randbytes(100) for _ in range(4)),
    ]

    async def one() -> None:
        for greeting in greetings:
            async with await connect(port) as stream:
                await stream.send_all(greeting)
                with trio.fail_after(_PATIENCE_S):
                    await closed_by_broker(stream)

    await _many(one, count)


async def never_reading(port: int, count: int) -> None:
    """Asks and asks and reads nothing: not read from any more, then ended as idle."""

    async def one() -> None:
        async with await connect(port) as stream:
            with trio.move_on_after(IDLE_MS / 1000):
                try:
                    while True:
                        await stream.send_all(ALL_TOPICS * 100)
                except trio.BrokenResourceError:
                    pass

    await _many(one, count)


async def churn(port: int, count: int) -> None:
    """Connect and leave, as fast as it goes; every tenth with a reset."""

    async def one() -> None:
        for number in range(20):
            stream = await connect(port)
            if number % 10 == 0:
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await stream.aclose()

    await _many(one, count)


ATTACKS: dict[str, Attack] = {
    "slow-loris": slow_loris,
    "half-open": half_open,
    "huge frames": huge_frames,
    "other protocols": other_protocols,
    "never reading": never_reading,
    "churn": churn,
}


async def _many(one: Callable[[], Awaitable[None]], count: int) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)


async def siege(port: int, attacks: dict[str, int]) -> dict[str, float]:
    """Attack → how many at once. Fails if the good client waits 5 s for an answer, or is closed.

    Returns the good client's requests and its p50 and p99 in ms, in peace and under attack.
    """
    async with await connect(port) as stream:
        peace = [await _ask(stream) for _ in range(200)]
        war: list[float] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_ask_on, stream, war)
            async with trio.open_nursery() as attackers:
                for name, count in attacks.items():
                    attackers.start_soon(ATTACKS[name], port, count)
            nursery.cancel_scope.cancel()
    return {
        "requests": len(war),
        "p50_peace_ms": _quantile(peace, 0.5),
        "p99_peace_ms": _quantile(peace, 0.99),
        "p50_war_ms": _quantile(war, 0.5),
        "p99_war_ms": _quantile(war, 0.99),
    }


async def _ask_on(stream: trio.SocketStream, times_s: list[float]) -> None:
    while True:
        times_s.append(await _ask(stream))
        await trio.sleep(0.005)


async def _ask(stream: trio.SocketStream) -> float:
    """Seconds to the whole answer of an ApiVersions request."""
    started_s = trio.current_time()
    with trio.fail_after(5):
        await stream.send_all(HELLO)
        data = b""
        while len(data) < 4 or len(data) < 4 + struct.unpack(">i", data[:4])[0]:
            chunk = await stream.receive_some(65536)
            assert chunk, "the good client was closed"
            data += chunk
    return trio.current_time() - started_s


def _quantile(values_s: list[float], share: float) -> float:
    return round(sorted(values_s)[int(len(values_s) * share)] * 1000, 2)


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory_bytes(pid: int) -> int:
    """The most that was resident so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")
