"""The admin port: /metrics, /health and /v1/status/ready over HTTP.

Served by tasks of the one loop. h11 parses; a request has no body, an
answer is short, and a client gets ten seconds.
"""

from __future__ import annotations

import json
import logging
import socket
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    import h11

log = logging.getLogger(__name__)

_TIMEOUT_S = 10
_MAX_CLIENTS = 64
_JSON = "application/json"


class AdminServer:
    """Answers the three paths from two callables; knows nothing else of the broker."""

    def __init__(
        self, render_metrics: Callable[[], tuple[bytes, str]], health: Callable[[], dict[str, object]]
    ) -> None:
        """`render_metrics` gives the page and its content type; `health` holds at least "status"."""
        self._render_metrics = render_metrics
        self._health = health
        self._clients = trio.CapacityLimiter(_MAX_CLIENTS)

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Serve until cancelled."""
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets]
        await trio.serve_listeners(self._serve_client, listeners)

    async def _serve_client(self, stream: trio.SocketStream) -> None:
        try:
            with trio.move_on_after(_TIMEOUT_S):
                async with self._clients:
                    await self._answer(stream)
        except trio.BrokenResourceError:
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def _answer(self, stream: trio.SocketStream) -> None:
        import h11  # not before somebody asks: it costs start-up time

        parser = h11.Connection(h11.SERVER)
        try:
            event = parser.next_event()
            while event is h11.NEED_DATA:
                parser.receive_data(await stream.receive_some(8192))
                event = parser.next_event()
        except h11.RemoteProtocolError:
            return
        if isinstance(event, h11.Request):
            await stream.send_all(self._respond(parser, event))

    def _respond(self, parser: h11.Connection, request: h11.Request) -> bytes:
        import h11

        status, content_type, body = self._content(request.method, request.target.split(b"?")[0])
        headers = [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        out = parser.send(h11.Response(status_code=status, headers=headers)) or b""
        if request.method != b"HEAD":
            out += parser.send(h11.Data(data=body)) or b""
        return out

    def _content(self, method: bytes, path: bytes) -> tuple[int, str, bytes]:
        if method not in (b"GET", b"HEAD"):
            return 405, "text/plain", b"only GET\n"
        if path == b"/metrics":
            page, content_type = self._render_metrics()
            return 200, content_type, page
        if path in (b"/health", b"/v1/status/ready"):
            health = self._health()
            return 200 if health["status"] == "ready" else 503, _JSON, json.dumps(health).encode() + b"\n"
        return 404, "text/plain", b"/metrics, /health and /v1/status/ready are here\n"
