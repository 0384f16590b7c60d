"""One record inside a batch, and the bounded walk over all of them.

    varint length | int8 attributes | varlong timestamp delta | varint offset delta
    | varint key length, key | varint value length, value | varint header count, headers

Walking costs about a microsecond a record, so nothing on the produce or fetch
path does it unless it must. Every length is checked against the bytes that
remain before anything is sliced. Kafka: `DefaultRecord`.
"""

from collections.abc import Iterator

from kbroker.protocol.errors import CORRUPT_MESSAGE, KafkaError

# A record with no key, value or headers: length, attributes and five one-byte varints.
MIN_RECORD_SIZE = 7

Headers = list[tuple[str, bytes | None]]
# (offset delta, timestamp delta, has a key)
Outline = tuple[int, int, bool]


class Record:
    """One record; deltas are against the batch's base timestamp and base offset."""

    __slots__ = ("headers", "key", "offset_delta", "timestamp_delta", "value")

    def __init__(
        self,
        offset_delta: int = 0,
        timestamp_delta: int = 0,
        key: bytes | None = None,
        value: bytes | None = None,
        headers: Headers | None = None,
    ) -> None:
        self.offset_delta = offset_delta
        self.timestamp_delta = timestamp_delta
        self.key = key
        self.value = value
        self.headers: Headers = [] if headers is None else headers

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Record({self.offset_delta}, {self.timestamp_delta}, {self.key!r}, {self.value!r}, "
            f"{self.headers!r})"
        )


def corrupt(why: str) -> KafkaError:
    return KafkaError(CORRUPT_MESSAGE, f"Malformed record: {why}")


def _read_varint(buffer: memoryview, position: int, end: int) -> tuple[int, int]:
    """A zig-zag varint of at most ten bytes."""
    shift = 0
    value = 0
    while position < end and shift < 70:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7
    raise corrupt("a number runs past its end")


def _write_varint(out: bytearray, value: int) -> None:
    value = (value << 1) ^ (value >> 63)
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)


def _read_bytes(buffer: memoryview, position: int, end: int) -> tuple[bytes | None, int]:
    length, position = _read_varint(buffer, position, end)
    if length < 0:
        return None, position
    if length > end - position:
        raise corrupt("a field runs past the record")
    return bytes(buffer[position : position + length]), position + length


def _write_bytes(out: bytearray, value: bytes | None) -> None:
    if value is None:
        out.append(1)
    else:
        _write_varint(out, len(value))
        out += value


def write_record(out: bytearray, record: Record) -> None:
    body = bytearray(1)
    _write_varint(body, record.timestamp_delta)
    _write_varint(body, record.offset_delta)
    _write_bytes(body, record.key)
    _write_bytes(body, record.value)
    _write_varint(body, len(record.headers))
    for name, value in record.headers:
        _write_bytes(body, name.encode())
        _write_bytes(body, value)
    _write_varint(out, len(body))
    out += body


def _read_headers(buffer: memoryview, position: int, end: int) -> tuple[Headers, int]:
    count, position = _read_varint(buffer, position, end)
    # Two bytes is the least a header takes.
    if count < 0 or count * 2 > end - position:
        raise corrupt("impossible header count")
    headers: Headers = []
    for _ in range(count):
        name, position = _read_bytes(buffer, position, end)
        if name is None:
            raise corrupt("a header without a name")
        value, position = _read_bytes(buffer, position, end)
        try:
            headers.append((name.decode(), value))
        except UnicodeDecodeError:
            raise corrupt("a header name is not UTF-8") from None
    return headers, position


def walk_records(payload: memoryview, count: int) -> Iterator[Record]:
    """The `count` records of an uncompressed records region, one at a time."""
    position = 0
    limit = len(payload)
    if count < 0 or count * MIN_RECORD_SIZE > limit:
        raise corrupt("impossible record count")
    for _ in range(count):
        length, position = _read_varint(payload, position, limit)
        end = position + length
        if length < MIN_RECORD_SIZE - 1 or end > limit:
            raise corrupt("a record runs past its batch")
        timestamp_delta, position = _read_varint(payload, position + 1, end)
        offset_delta, position = _read_varint(payload, position, end)
        key, position = _read_bytes(payload, position, end)
        value, position = _read_bytes(payload, position, end)
        headers, position = _read_headers(payload, position, end)
        if position != end:
            raise corrupt("a record is shorter than its length")
        yield Record(offset_delta, timestamp_delta, key, value, headers)
    if position != limit:
        raise corrupt("bytes behind the last record")


def walk_outlines(payload: memoryview, count: int) -> Iterator[Outline]:
    """What the broker looks at in each record; values and headers are skipped unread."""
    position = 0
    limit = len(payload)
    if count < 0 or count * MIN_RECORD_SIZE > limit:
        raise corrupt("impossible record count")
    for _ in range(count):
        length, position = _read_varint(payload, position, limit)
        end = position + length
        if length < MIN_RECORD_SIZE - 1 or end > limit:
            raise corrupt("a record runs past its batch")
        timestamp_delta, position = _read_varint(payload, position + 1, end)
        offset_delta, position = _read_varint(payload, position, end)
        key_length, position = _read_varint(payload, position, end)
        yield offset_delta, timestamp_delta, key_length >= 0
        position = end
