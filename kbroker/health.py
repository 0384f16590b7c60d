"""Is the broker ready? One question over a raw socket, for health checks.

The admin port's /health knows best. Where it is switched off, a listener that
answers ApiVersions is as good as can be had from outside.
"""

from __future__ import annotations

import os
import socket
import sys

_ADMIN = "127.0.0.1:9644"

# ApiVersions version 0, correlation id 1, client id "kbroker-health".
_API_VERSIONS = bytes.fromhex("0000001800120000000000 01000e".replace(" ", "")) + b"kbroker-health"


def check(admin: str | None, timeout_seconds: float) -> int:
    """0 if the broker says it is ready, else 1 and one line on standard error."""
    address = os.environ.get("KAFKA_KBROKER_ADMIN_LISTENER", _ADMIN) if admin is None else admin
    try:
        ready = _ask_admin(address, timeout_seconds) if address else _ask_listener(timeout_seconds)
    except (OSError, ValueError) as error:
        print(f"kbroker: not ready: {error}", file=sys.stderr)
        return 1
    if not ready:
        print("kbroker: not ready: the broker says so itself", file=sys.stderr)
    return 0 if ready else 1


def _ask_admin(address: str, timeout_seconds: float) -> bool:
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = _exchange(_host_and_port(address), request, timeout_seconds, enough=12)
    return answer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))


def _ask_listener(timeout_seconds: float) -> bool:
    first = os.environ.get("KAFKA_LISTENERS", "").split(",")[0].rpartition("://")[2] or ":9092"
    answer = _exchange(_host_and_port(first), _API_VERSIONS, timeout_seconds, enough=10)
    # Length, correlation id 1, error code 0.
    return answer[4:10] == b"\x00\x00\x00\x01\x00\x00"


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.strip().rpartition(":")
    host = host.strip("[]")
    # Whoever listens on every interface is asked on this machine's own.
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(port)


def _exchange(address: tuple[str, int], request: bytes, timeout_seconds: float, enough: int) -> bytes:
    with socket.create_connection(address, timeout=timeout_seconds) as connection:
        connection.sendall(request)
        answer = b""
        while len(answer) < enough and (data := connection.recv(4096)):
            answer += data
        return answer
