"""A client of one socket that sends any message, and takes any answer."""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import Any

from kbroker.protocol.header import request_header_bytes, write_response_header
from kbroker.protocol.messages import response_class
from kbroker.protocol.primitives import Message, Part
from tests.protocol.samples import encode

_CORRELATION_ID = 7


class PlainClient:
    """Blocks; one request at a time."""

    def __init__(self, port: int, client_id: str = "plain", timeout_s: float = 20) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._client_id = client_id

    def __enter__(self) -> PlainClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, api_key: int, version: int, request: Message) -> None:
        data = request_header_bytes(api_key, version, _CORRELATION_ID, self._client_id)
        data += encode(request, version)
        self.socket.sendall(struct.pack(">i", len(data)) + data)

    def receive(self, api_key: int, version: int) -> Any:
        """The next answer; ConnectionError when the broker has closed."""
        (size,) = struct.unpack(">i", self._exactly(4))
        answer = self._exactly(size)
        header: list[Part] = []
        write_response_header(header, api_key, version, _CORRELATION_ID)
        prefix = b"".join(bytes(part) for part in header)  # type: ignore[arg-type]
        assert answer.startswith(prefix)
        response, position = response_class(api_key).read(memoryview(answer), len(prefix), version)
        assert position == len(answer)
        return response

    def ask(self, api_key: int, version: int, request: Message) -> Any:
        self.send(api_key, version, request)
        return self.receive(api_key, version)

    def ask_or_be_closed(self, api_key: int, version: int, request: Message) -> Any:
        """The answer, or None when the broker closed the connection or makes us wait."""
        try:
            return self.ask(api_key, version, request)
        except (ConnectionError, TimeoutError):
            return None

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            chunk = self.socket.recv(count - len(data))
            if not chunk:
                raise ConnectionError("the broker closed the connection")
            data += chunk
        return bytes(data)
