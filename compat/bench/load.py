"""Ready-made frames, replayed over a few connections.

The client does nothing but copy bytes, so that the broker is what is
measured; both brokers get the same bytes.
"""

import random
import socket
import struct
import time
from typing import Final

import crc32c

from compat import wire
from compat.brokers import HOST, BrokerProcess

BATCH_BYTES: Final = 100 * 1024
VALUE_BYTES: Final = 1024
CONNECTIONS: Final = 4
NO_PRODUCER: Final = struct.pack(">qhi", -1, -1, -1)


class Load:
    """Produces to and fetches from partition 0 of one topic."""

    def __init__(self, broker: BrokerProcess, topic: str) -> None:
        self._topic = topic
        self._connections = [wire.connect(HOST, broker.port, 60.0) for _ in range(CONNECTIONS)]
        self.batch, self.records = _batch()
        self._ask(wire.create_topic_request(topic, 1, {"file.delete.delay.ms": "100"}))
        self._await_leader()

    def close(self) -> None:
        """Take the topic away, so that one round's data does not weigh on the next, and hang up."""
        self._ask(wire.delete_topic_request(self._topic))
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connections and leave everything else."""
        for connection in self._connections:
            connection.close()

    def produce(self, total_bytes: int) -> int:
        """acks=1, one batch a request, one request in flight a connection; the bytes produced."""
        frame = _produce_request(self._topic, self.batch)
        rounds = total_bytes // (len(self.batch) * len(self._connections))
        for _ in range(rounds):
            for connection in self._connections:
                connection.sendall(frame)
            for connection in self._connections:
                code = self._produce_error(wire.receive(connection))
                assert code == 0, f"produce answered {code}"
        return rounds * len(self._connections) * len(self.batch)

    def fetch(self, total_bytes: int) -> int:
        """One batch a request, from the beginning of the topic; the bytes fetched."""
        rounds = total_bytes // (len(self.batch) * len(self._connections))
        buffer = bytearray(2 * len(self.batch))
        offset = 0
        for _ in range(rounds):
            for connection in self._connections:
                connection.sendall(_fetch_request(self._topic, offset, len(self.batch)))
                offset += self.records
            for connection in self._connections:
                length = _receive_into(connection, buffer)
                assert length > len(self.batch), f"a fetch answered {length} bytes"
        return rounds * len(self._connections) * len(self.batch)

    def _ask(self, request: bytes) -> None:
        code = wire.topic_error(wire.request(self._connections[0], request))
        assert code == 0, f"{self._topic}: error {code}"

    def _await_leader(self) -> None:
        """Apache Kafka answers before its partitions are served."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            frame = _produce_request(self._topic, self.batch)
            self._connections[0].sendall(frame)
            if self._produce_error(wire.receive(self._connections[0])) == 0:
                return
            time.sleep(0.05)
        raise TimeoutError(f"{self._topic} is not served")

    def _produce_error(self, answer: bytes) -> int:
        # Correlation id, tags, topic count, name length, name, partition count, index; then the code.
        code: int = struct.unpack_from(">h", answer, 12 + len(self._topic))[0]
        return code


def _batch() -> tuple[bytes, int]:
    """A record batch of about `BATCH_BYTES`, and how many records are in it."""
    numbers = random.Random(1)
    records = bytearray()
    count = 0
    while len(records) + VALUE_BYTES + 80 < BATCH_BYTES:
        value = numbers.randbytes(VALUE_BYTES)
        # Attributes, timestamp delta, offset delta, no key, value, no headers.
        body = b"\0\0" + _varint(count) + b"\x01" + _varint(len(value)) + value + b"\0"
        records += _varint(len(body)) + body
        count += 1
    now_ms = int(time.time() * 1000)
    checked = (
        struct.pack(">hiqq", 0, count - 1, now_ms, now_ms) + NO_PRODUCER + struct.pack(">i", count) + records
    )
    head = struct.pack(">ibI", 0, 2, crc32c.crc32c(checked))
    return struct.pack(">qi", 0, len(head) + len(checked)) + head + checked, count


def _produce_request(topic: str, batch: bytes) -> bytes:
    """Produce v9."""
    body = b"\0" + struct.pack(">hi", 1, 30_000)
    body += b"\x02" + _compact(topic.encode()) + b"\x02" + struct.pack(">i", 0) + _compact(batch) + b"\0\0\0"
    return wire.frame(wire.PRODUCE, 9, body, flexible=True)


def _fetch_request(topic: str, offset: int, max_bytes: int) -> bytes:
    """Fetch v12 without a session."""
    body = struct.pack(">iiiibii", -1, 500, 1, 50 * 1024 * 1024, 0, 0, -1)
    partition = struct.pack(">iiqiqi", 0, -1, offset, -1, -1, max_bytes) + b"\0"
    body += b"\x02" + _compact(topic.encode()) + b"\x02" + partition + b"\0" + b"\x01\x01\0"
    return wire.frame(wire.FETCH, 12, body, flexible=True)


def _compact(data: bytes) -> bytes:
    return _uvarint(len(data) + 1) + data


def _varint(number: int) -> bytes:
    return _uvarint(number << 1)


def _uvarint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _receive_into(connection: socket.socket, buffer: bytearray) -> int:
    """One response into a buffer that is used again; its length."""
    view = memoryview(buffer)
    filled = 0
    while filled < 4 or filled < 4 + int(struct.unpack_from(">i", buffer)[0]):
        got = connection.recv_into(view[filled:])
        if not got:
            raise ConnectionError("the broker closed the connection")
        filled += got
    return filled - 4
