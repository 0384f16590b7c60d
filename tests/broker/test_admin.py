"""The admin port: three paths, and nothing else gets in."""

from __future__ import annotations

import contextlib
import json
import socket

import pytest
import trio

from kbroker.broker.admin import AdminServer


async def ask(port: int, request: bytes) -> bytes:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        answer = b""
        # A server that closes on us while we still speak resets the connection.
        with trio.fail_after(5), contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(request)
            async for chunk in stream:
                answer += chunk
    return answer


def serve_and_ask(request: bytes, status: str = "ready") -> bytes:
    async def main() -> bytes:
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        server = AdminServer(lambda: (b"m 1\n", "text/x"), lambda: {"status": status})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve, [sock])
            answer = await ask(sock.getsockname()[1], request)
            nursery.cancel_scope.cancel()
        return answer

    return trio.run(main)


def test_metrics_page() -> None:
    answer = serve_and_ask(b"GET /metrics?x=1 HTTP/1.1\r\nHost: h\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"text/x" in head
    assert body == b"m 1\n"


@pytest.mark.parametrize(("status", "code"), [("ready", b"200"), ("starting", b"503"), ("failed", b"503")])
def test_health_tells_ready_by_its_code(status: str, code: bytes) -> None:
    answer = serve_and_ask(b"GET /v1/status/ready HTTP/1.1\r\nHost: h\r\n\r\n", status)
    assert answer.startswith(b"HTTP/1.1 " + code)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == status


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n", b"200"),
    ],
)
def test_other_questions(request_bytes: bytes, code: bytes) -> None:
    assert serve_and_ask(request_bytes).startswith(b"HTTP/1.1 " + code)


@pytest.mark.parametrize("garbage", [b"\0\0\0\x10kafka?\r\n\r\n", b"GET " + b"x" * 100_000])
def test_garbage_is_not_answered(garbage: bytes) -> None:
    assert not serve_and_ask(garbage).startswith(b"HTTP/1.1 2")
