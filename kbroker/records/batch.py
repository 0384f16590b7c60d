"""The record batch v2: its 61-byte header, checksum, building.

    base_offset … partition_leader_epoch, magic, crc | attributes … records
    └──────────── not covered by the CRC ──────────┘ └──── covered ───────┘

So the broker patches base offset and leader epoch in place for free, and
recomputes the CRC only when it stamps LogAppendTime. Kafka: `DefaultRecordBatch`.
"""

from collections.abc import Iterator, Sequence
from struct import Struct

from kbroker.records.crc import crc32c
from kbroker.records.record import Record, write_record

HEADER_SIZE = 61
# What precedes the bytes counted by batch_length.
LENGTH_OVERHEAD = 12
# What the checksum covers goes from here to the end.
CRC_FROM = 21
MAGIC = 2

NO_TIMESTAMP = -1
NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1
NO_SEQUENCE = -1
NO_LEADER_EPOCH = -1

COMPRESSION_MASK = 0x07
LOG_APPEND_TIME_FLAG = 0x08
TRANSACTIONAL_FLAG = 0x10
CONTROL_FLAG = 0x20

CREATE_TIME = 0
LOG_APPEND_TIME = 1

_MAX_INT32 = 2**31 - 1
_HEADER = Struct(">qiibIhiqqqhii")
_LENGTH = Struct(">i")
_OFFSET = Struct(">q")
_CRC = Struct(">I")
_ATTRIBUTES_AT = 21
_ATTRIBUTES = Struct(">h")
_MAX_TIMESTAMP_AT = 35

Buffer = bytes | bytearray | memoryview


class BatchHeader:
    """The fixed part of one batch, as on the wire, and what follows from it."""

    __slots__ = (
        "attributes",
        "base_offset",
        "base_sequence",
        "base_timestamp",
        "batch_length",
        "crc",
        "last_offset_delta",
        "magic",
        "max_timestamp",
        "partition_leader_epoch",
        "producer_epoch",
        "producer_id",
        "record_count",
    )

    def __init__(
        self,
        base_offset: int,
        batch_length: int,
        partition_leader_epoch: int,
        magic: int,
        crc: int,
        attributes: int,
        last_offset_delta: int,
        base_timestamp: int,
        max_timestamp: int,
        producer_id: int,
        producer_epoch: int,
        base_sequence: int,
        record_count: int,
    ) -> None:
        self.base_offset = base_offset
        self.batch_length = batch_length
        self.partition_leader_epoch = partition_leader_epoch
        self.magic = magic
        self.crc = crc
        self.attributes = attributes
        self.last_offset_delta = last_offset_delta
        self.base_timestamp = base_timestamp
        self.max_timestamp = max_timestamp
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.base_sequence = base_sequence
        self.record_count = record_count

    def __repr__(self) -> str:
        return f"BatchHeader({', '.join(f'{name}={getattr(self, name)}' for name in self.__slots__)})"

    @property
    def size(self) -> int:
        return self.batch_length + LENGTH_OVERHEAD

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def last_sequence(self) -> int:
        if self.base_sequence == NO_SEQUENCE:
            return NO_SEQUENCE
        return add_sequence(self.base_sequence, self.last_offset_delta)

    @property
    def compression(self) -> int:
        return self.attributes & COMPRESSION_MASK

    @property
    def timestamp_type(self) -> int:
        return LOG_APPEND_TIME if self.attributes & LOG_APPEND_TIME_FLAG else CREATE_TIME

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL_FLAG)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL_FLAG)


def add_sequence(sequence: int, increment: int) -> int:
    """Sequences are 31 bits wide: after 2^31 - 1 comes 0."""
    return (sequence + increment) & _MAX_INT32


def read_batch_header(view: Buffer, position: int = 0) -> BatchHeader:
    """The header at `position`; the caller has seen to it that 61 bytes are there."""
    return BatchHeader(*_HEADER.unpack_from(view, position))


def batch_crc_ok(view: memoryview) -> bool:
    """Whether `view`, exactly one batch, has the checksum it claims."""
    claimed: int = _CRC.unpack_from(view, 17)[0]
    return bool(crc32c(view[CRC_FROM:]) == claimed)


def iterate_batches(view: memoryview) -> Iterator[memoryview]:
    """Each whole batch of `view`; a cut tail ends it, as in a Fetch response."""
    position = 0
    end = len(view)
    while end - position >= HEADER_SIZE:
        size = _LENGTH.unpack_from(view, position + 8)[0] + LENGTH_OVERHEAD
        if size < HEADER_SIZE or position + size > end:
            return
        yield view[position : position + size]
        position += size


def set_offset_and_leader_epoch(view: memoryview, base_offset: int, leader_epoch: int) -> None:
    """Patch what the leader decides, in place; the CRC does not cover it."""
    _OFFSET.pack_into(view, 0, base_offset)
    _LENGTH.pack_into(view, LENGTH_OVERHEAD, leader_epoch)


def set_timestamp_type(view: memoryview, attributes: int, max_timestamp: int) -> None:
    """Patch attributes and max timestamp in place and recompute the CRC."""
    _ATTRIBUTES.pack_into(view, _ATTRIBUTES_AT, attributes)
    _OFFSET.pack_into(view, _MAX_TIMESTAMP_AT, max_timestamp)
    _CRC.pack_into(view, 17, crc32c(view[CRC_FROM:]))


def frame_batch(header: BatchHeader, payload: Buffer) -> bytearray:
    """`header` before `payload` (the records region); sets length and CRC."""
    header.batch_length = HEADER_SIZE - LENGTH_OVERHEAD + len(payload)
    out = bytearray(header.batch_length + LENGTH_OVERHEAD)
    _HEADER.pack_into(
        out,
        0,
        header.base_offset,
        header.batch_length,
        header.partition_leader_epoch,
        header.magic,
        0,
        header.attributes,
        header.last_offset_delta,
        header.base_timestamp,
        header.max_timestamp,
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
        header.record_count,
    )
    out[HEADER_SIZE:] = payload
    with memoryview(out) as view, view[CRC_FROM:] as covered:
        header.crc = crc32c(covered)
    _CRC.pack_into(out, 17, header.crc)
    return out


def build_batch(
    records: Sequence[Record],
    *,
    base_timestamp: int,
    base_offset: int = 0,
    leader_epoch: int = NO_LEADER_EPOCH,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = NO_PRODUCER_EPOCH,
    base_sequence: int = NO_SEQUENCE,
    attributes: int = 0,
) -> bytearray:
    """One batch of `records`, whose deltas are kept; uncompressed unless `attributes` names a codec."""
    payload = bytearray()
    max_timestamp = base_timestamp
    for record in records:
        write_record(payload, record)
        max_timestamp = max(max_timestamp, base_timestamp + record.timestamp_delta)
    body: Buffer = payload
    if attributes & COMPRESSION_MASK:
        # Only tests and coordinators told to compress come here.
        from kbroker.records.compression import compress

        body = compress(attributes & COMPRESSION_MASK, payload)
    header = BatchHeader(
        base_offset,
        0,
        leader_epoch,
        MAGIC,
        0,
        attributes,
        records[-1].offset_delta if records else 0,
        base_timestamp,
        max_timestamp,
        producer_id,
        producer_epoch,
        base_sequence,
        len(records),
    )
    return frame_batch(header, body)
