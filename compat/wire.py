"""A few requests by hand, over a plain socket.

Enough to ask a broker whether it answers, and to replay prepared frames at
it. Written apart from `kbroker.protocol` so that a mistake there is not
repeated here.
"""

import contextlib
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

PRODUCE: Final = 0
FETCH: Final = 1
METADATA: Final = 3
CREATE_TOPICS: Final = 19
DELETE_TOPICS: Final = 20

CLIENT_ID: Final = b"compat"


def frame(api_key: int, api_version: int, body: bytes, *, correlation_id: int = 1, flexible: bool) -> bytes:
    """A whole request: length, header version 1 (or 2 when `flexible`), body."""
    header = struct.pack(">hhih", api_key, api_version, correlation_id, len(CLIENT_ID)) + CLIENT_ID
    if flexible:
        header += b"\0"
    return struct.pack(">i", len(header) + len(body)) + header + body


def string(text: str) -> bytes:
    """A string as requests that are not flexible hold it."""
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def metadata_request() -> bytes:
    """Metadata v4 of all topics, creating none."""
    return frame(METADATA, 4, struct.pack(">i?", -1, False), flexible=False)


def create_topic_request(topic: str, partitions: int, configs: dict[str, str] | None = None) -> bytes:
    """CreateTopics v4 of one topic with one replica."""
    body = struct.pack(">i", 1) + string(topic) + struct.pack(">ihi", partitions, 1, 0)
    body += struct.pack(">i", len(configs or {}))
    for name, value in (configs or {}).items():
        body += string(name) + string(value)
    return frame(CREATE_TOPICS, 4, body + struct.pack(">i?", 30_000, False), flexible=False)


def delete_topic_request(topic: str) -> bytes:
    """DeleteTopics v3 of one topic."""
    body = struct.pack(">i", 1) + string(topic) + struct.pack(">i", 30_000)
    return frame(DELETE_TOPICS, 3, body, flexible=False)


def topic_error(answer: bytes) -> int:
    """The error code of the one topic in a CreateTopics v4 or DeleteTopics v3 response."""
    # Throttle time, count, name, error code.
    name_length: int = struct.unpack_from(">h", answer, 8)[0]
    code: int = struct.unpack_from(">h", answer, 10 + name_length)[0]
    return code


def receive(connection: socket.socket) -> bytes:
    """One response without its length; ConnectionError when the peer is gone."""
    length = struct.unpack(">i", _exactly(connection, 4))[0]
    return _exactly(connection, length)


def request(connection: socket.socket, data: bytes) -> bytes:
    """Send one frame, return the response after its length and correlation id."""
    connection.sendall(data)
    return receive(connection)[4:]


def connect(host: str, port: int, timeout_s: float = 10.0) -> socket.socket:
    """A connected socket without delay."""
    connection = socket.create_connection((host, port), timeout=timeout_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def answers(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Whether a Metadata request is answered and names at least one broker."""
    with contextlib.suppress(OSError, struct.error), connect(host, port, timeout_s) as connection:
        body = request(connection, metadata_request())
        brokers: int = struct.unpack_from(">i", body, 4)[0]
        return brokers > 0
    return False


def first_answer_s(
    host: str, port: int, started_at_s: float, timeout_s: float, alive: Callable[[], bool]
) -> float:
    """Seconds from `started_at_s` (monotonic) to the first answered Metadata."""
    while time.monotonic() - started_at_s < timeout_s:
        if answers(host, port):
            return time.monotonic() - started_at_s
        if not alive():
            raise ConnectionError("the broker ended before it answered")
        time.sleep(0.005)
    raise TimeoutError(f"{host}:{port} answered no Metadata within {timeout_s:.0f} s")


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        data = connection.recv(length - len(parts))
        if not data:
            raise ConnectionError("the peer closed the connection")
        parts += data
    return bytes(parts)
