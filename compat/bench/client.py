"""One connection that sends any message, by the generated codecs.

For requests that are few, or made into frames before the clock runs.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

from compat import wire
from compat.brokers import HOST, BrokerProcess
from kbroker.protocol.generated.api_versions_request import ApiVersionsRequest
from kbroker.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest
from kbroker.protocol.generated.list_offsets_request import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from kbroker.protocol.header import request_header_bytes, write_response_header
from kbroker.protocol.messages import response_class
from kbroker.protocol.primitives import Message

TIMEOUT_S: Final = 60.0
_CORRELATION_ID: Final = 7
_LATEST: Final = -1
_MORE: Final = 7


class Client:
    """Blocks; one request at a time."""

    def __init__(self, broker: BrokerProcess, timeout_s: float = TIMEOUT_S) -> None:
        self.socket = wire.connect(HOST, broker.port, timeout_s)
        # As every client does; kbroker takes nothing large from a stranger who has not.
        self.ask(ApiVersionsRequest("bench", "1"), 3)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def fileno(self) -> int:
        """For selectors."""
        return self.socket.fileno()

    def send(self, request: Message, version: int) -> None:
        self.socket.sendall(frame(request, version))

    def receive(self, api_key: int, version: int) -> Any:
        """The next answer."""
        return read_answer(wire.receive(self.socket), api_key, version)

    def ask(self, request: Message, version: int) -> Any:
        return read_answer(self.exchange(request, version), request.API_KEY, version)

    def exchange(self, request: Message, version: int) -> bytes:
        """The answer as it came."""
        self.send(request, version)
        return wire.receive(self.socket)

    def create(self, topics: Mapping[str, int], patience_s: float = TIMEOUT_S) -> None:
        """Create topics with so many partitions, and return when every one of them is served."""
        wanted = [CreatableTopic(name, partitions, 1, [], []) for name, partitions in topics.items()]
        answer = self.ask(CreateTopicsRequest(wanted, int(patience_s * 1000)), 5)
        refused = {topic.name: topic.error_code for topic in answer.topics if topic.error_code}
        assert not refused, f"CreateTopics answered {refused}"
        self.await_served(topics, patience_s)

    def delete(self, topic: str) -> None:
        answer = self.ask(DeleteTopicsRequest(topic_names=[topic], timeout_ms=30_000), 3)
        code = answer.responses[0].error_code
        assert code == 0, f"DeleteTopics answered {code}"

    def await_served(self, topics: Mapping[str, int], patience_s: float = TIMEOUT_S) -> None:
        """Apache Kafka names a leader before that broker serves the partition: ask for offsets."""
        deadline = time.monotonic() + patience_s
        for topic, partitions in topics.items():
            wanted = [ListOffsetsPartition(partition, -1, _LATEST) for partition in range(partitions)]
            request = ListOffsetsRequest(-1, 0, [ListOffsetsTopic(topic, wanted)])
            while any(found.error_code for found in self.ask(request, 5).topics[0].partitions):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{topic} was not served within {patience_s:.0f} s")
                time.sleep(0.01)


def frame(request: Message, version: int) -> bytes:
    """The whole request: length, header, body."""
    parts: list[Any] = [request_header_bytes(request.API_KEY, version, _CORRELATION_ID, "bench")]
    request.write(parts, version)
    data = b"".join(parts)
    return struct.pack(">i", len(data)) + data


def read_answer(data: bytes, api_key: int, version: int) -> Any:
    """The message in an answer without its length."""
    header: list[Any] = []
    write_response_header(header, api_key, version, _CORRELATION_ID)
    # What a message may be made of is bounded by the bytes to its end: none too many in 10,000 partitions.
    padded = memoryview(data + bytes(_MORE * len(data)))
    response, position = response_class(api_key).read(padded, len(b"".join(header)), version)
    assert position == len(data)
    return response
