"""What a leader checks before a client's batch gets an offset.

    shape     one whole v2 batch; zstd from Produce v7 on
    header    base offset 0, size, CRC, offset range and count, no control
              bit, a sequence where there is a producer id
    time      LogAppendTime flag, then before/after limits of the topic
    records   only where the header can't decide: keys of a compacted topic,
              timestamps under a set message.timestamp.before.max.ms; and
              where the topic's codec is not the batch's

Difference to Kafka: elsewhere records stay unread, so a malformed record in a
batch with a valid CRC is accepted, and the header's max timestamp is believed.
Kafka: `LogValidator`, `UnifiedLog.analyzeAndValidateRecords`.
"""

from collections.abc import Iterator
from struct import Struct

from kbroker.protocol.errors import (
    CORRUPT_MESSAGE,
    INVALID_RECORD,
    INVALID_TIMESTAMP,
    MESSAGE_TOO_LARGE,
    UNSUPPORTED_COMPRESSION_TYPE,
    KafkaError,
)
from kbroker.records.batch import (
    COMPRESSION_MASK,
    CONTROL_FLAG,
    CRC_FROM,
    HEADER_SIZE,
    LENGTH_OVERHEAD,
    LOG_APPEND_TIME_FLAG,
    MAGIC,
    NO_TIMESTAMP,
    BatchHeader,
    frame_batch,
    read_batch_header,
    set_timestamp_type,
)
from kbroker.records.compression import CODEC_NAMES, ZSTD, compress, decompress
from kbroker.records.crc import crc32c
from kbroker.records.record import MIN_RECORD_SIZE, Outline, walk_outlines

# compression.type=producer: whatever the client chose stays.
PRODUCER_CODEC = -1
_NO_LIMIT_MS = 2**63 - 1
_ZSTD_FROM_PRODUCE_VERSION = 7
_MAX_ERRORS_NAMED = 3
_LENGTH = Struct(">i")
_MAGIC_AT = 16
# Their low byte.
_ATTRIBUTES_AT = 22
# Of a batch of magic 0 around an empty record.
_SMALLEST_LENGTH = 14

RecordError = tuple[int, str]


class UnfitRecords(KafkaError):
    """Not one record batch: refused before any log is asked."""


class InvalidRecords(KafkaError):
    """Single records at fault; `record_errors` holds (index in the batch, message) of each."""

    def __init__(self, code: int, message: str, record_errors: list[RecordError]) -> None:
        super().__init__(code, message)
        self.record_errors = record_errors


class ValidationRules:
    """The topic configs that decide what is accepted."""

    __slots__ = (
        "compacted",
        "compression_level",
        "compression_type",
        "decides_on_records",
        "log_append_time",
        "max_decompressed_bytes",
        "max_message_bytes",
        "timestamp_after_max_ms",
        "timestamp_before_max_ms",
    )

    def __init__(
        self,
        max_message_bytes: int = 1_048_588,
        compacted: bool = False,
        log_append_time: bool = False,
        timestamp_before_max_ms: int = _NO_LIMIT_MS,
        timestamp_after_max_ms: int = 3_600_000,
        compression_type: int = PRODUCER_CODEC,
        compression_level: int | None = None,
        max_decompressed_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        self.max_message_bytes = max_message_bytes
        self.compacted = compacted
        self.log_append_time = log_append_time
        self.timestamp_before_max_ms = timestamp_before_max_ms
        self.timestamp_after_max_ms = timestamp_after_max_ms
        self.compression_type = compression_type
        self.compression_level = compression_level
        self.max_decompressed_bytes = max_decompressed_bytes
        # Whether a sound batch of the present has to be looked at all the same.
        self.decides_on_records = (
            compacted
            or log_append_time
            or timestamp_before_max_ms != _NO_LIMIT_MS
            or compression_type != PRODUCER_CODEC
        )


def validate_produced(
    batch: memoryview, rules: ValidationRules, now_ms: int, produce_version: int
) -> tuple[memoryview, BatchHeader]:
    """The batch to append and its header, time stamped; `batch` itself unless it had to be recompressed."""
    size = len(batch)
    header = read_batch_header(batch) if size >= HEADER_SIZE else None
    if (
        header is None
        or header.batch_length + LENGTH_OVERHEAD != size
        or header.magic != MAGIC
        or header.attributes & COMPRESSION_MASK >= ZSTD
    ):
        batch = _only_batch(batch, produce_version)
        header = read_batch_header(batch)
        size = len(batch)
    if header.base_offset:
        raise _invalid(f"The base offset of a produced batch must be 0, not {header.base_offset}")
    if size > rules.max_message_bytes:
        raise _too_large(size, rules)
    if crc32c(batch[CRC_FROM:]) != header.crc:
        raise KafkaError(CORRUPT_MESSAGE, "The CRC of the record batch does not match its content")
    count = header.last_offset_delta + 1
    if count <= 0 or count != header.record_count:
        raise _invalid(f"The batch claims {header.record_count} records over {count} offsets")
    if count * MIN_RECORD_SIZE > size - HEADER_SIZE and not header.compression:
        raise _invalid(f"{count} records can't be in {size - HEADER_SIZE} bytes")
    if header.producer_id >= 0 and header.base_sequence < 0:
        raise _invalid(f"Producer {header.producer_id} sent the sequence number {header.base_sequence}")
    if (
        rules.decides_on_records
        or header.attributes & (CONTROL_FLAG | LOG_APPEND_TIME_FLAG)
        or header.max_timestamp - now_ms > rules.timestamp_after_max_ms
    ):
        batch = _settle(batch, header, rules, now_ms)
    return batch, header


def _invalid(why: str) -> KafkaError:
    return KafkaError(INVALID_RECORD, why)


def _too_large(size: int, rules: ValidationRules) -> KafkaError:
    limit = rules.max_message_bytes
    return KafkaError(MESSAGE_TOO_LARGE, f"The batch has {size} bytes, max.message.bytes is {limit}")


def _only_batch(records: memoryview, produce_version: int) -> memoryview:
    """The one batch of a produce request, without the cut begin of another that may follow it."""
    size = _whole_batch_size(records, 0)
    if size is None:
        raise UnfitRecords(INVALID_RECORD, "A produce request must hold one record batch per partition")
    if records[_MAGIC_AT] != MAGIC:
        raise UnfitRecords(
            INVALID_RECORD, f"Record batches must have magic {MAGIC}, not {records[_MAGIC_AT]}"
        )
    codec = records[_ATTRIBUTES_AT] & COMPRESSION_MASK
    if codec == ZSTD and produce_version < _ZSTD_FROM_PRODUCE_VERSION:
        why = f"Produce version {produce_version} may not use zstd"
        raise UnfitRecords(UNSUPPORTED_COMPRESSION_TYPE, why)
    if _whole_batch_size(records, size) is not None:
        why = "A produce request must hold exactly one record batch per partition"
        raise UnfitRecords(INVALID_RECORD, why)
    if codec not in CODEC_NAMES.values():
        raise _invalid(f"There is no compression codec {codec}")
    if size < HEADER_SIZE:
        raise KafkaError(CORRUPT_MESSAGE, "The record batch is smaller than its header")
    return records if size == len(records) else records[:size]


def _whole_batch_size(records: memoryview, position: int) -> int | None:
    """None where no whole batch follows. Kafka: `ByteBufferLogInputStream.nextBatch`."""
    remaining = len(records) - position
    if remaining < LENGTH_OVERHEAD:
        return None
    length: int = _LENGTH.unpack_from(records, position + 8)[0]
    if length < _SMALLEST_LENGTH:
        raise UnfitRecords(CORRUPT_MESSAGE, f"A record batch can't have the length {length}")
    if remaining <= _MAGIC_AT:
        return None
    magic = records[position + _MAGIC_AT]
    if magic > MAGIC:
        raise UnfitRecords(CORRUPT_MESSAGE, f"There are no record batches of magic {magic}")
    return None if length + LENGTH_OVERHEAD > remaining else length + LENGTH_OVERHEAD


def _settle(batch: memoryview, header: BatchHeader, rules: ValidationRules, now_ms: int) -> memoryview:
    """What the topic's configs say of a batch that is sound, and what only the broker may say in one."""
    if header.attributes & CONTROL_FLAG:
        raise _invalid("Clients may not write control records")
    if rules.compacted:
        _check_keys(batch, header, rules)
    _settle_timestamps(batch, header, rules, now_ms)
    if rules.compression_type != PRODUCER_CODEC and rules.compression_type != header.compression:
        batch = _recompress(batch, header, rules)
    return batch


def _outlines(batch: memoryview, header: BatchHeader, rules: ValidationRules) -> Iterator[Outline]:
    payload = decompress(header.compression, batch[HEADER_SIZE:], rules.max_decompressed_bytes)
    return walk_outlines(payload, header.record_count)


def _check_keys(batch: memoryview, header: BatchHeader, rules: ValidationRules) -> None:
    errors = [
        (index, "A compacted topic takes no message without a key")
        for index, (_, _, has_key) in enumerate(_outlines(batch, header, rules))
        if not has_key
    ]
    if errors:
        named = ", ".join(f"{index}: {message}" for index, message in errors[:_MAX_ERRORS_NAMED])
        raise InvalidRecords(INVALID_RECORD, f"{len(errors)} records were refused ({named})", errors)


def _settle_timestamps(batch: memoryview, header: BatchHeader, rules: ValidationRules, now_ms: int) -> None:
    """Refuse bad times; stamp a LogAppendTime topic's batch; clear a flag that only the broker may set."""
    flagged = header.attributes & LOG_APPEND_TIME_FLAG
    if flagged and (rules.log_append_time or header.max_timestamp == NO_TIMESTAMP):
        message = "Only the broker may set the timestamp type LogAppendTime"
        errors = [(index, message) for index, _ in enumerate(_outlines(batch, header, rules))]
        raise InvalidRecords(INVALID_TIMESTAMP, message, errors)
    if rules.log_append_time:
        _stamp(batch, header, header.attributes | LOG_APPEND_TIME_FLAG, now_ms)
        return
    if (
        header.max_timestamp - now_ms > rules.timestamp_after_max_ms
        or rules.timestamp_before_max_ms != _NO_LIMIT_MS
    ):
        _check_timestamps(batch, header, rules, now_ms)
    if flagged:
        _stamp(batch, header, header.attributes & ~LOG_APPEND_TIME_FLAG, header.max_timestamp)


def _stamp(batch: memoryview, header: BatchHeader, attributes: int, max_timestamp: int) -> None:
    header.attributes = attributes
    header.max_timestamp = max_timestamp
    set_timestamp_type(batch, attributes, max_timestamp)


def _check_timestamps(batch: memoryview, header: BatchHeader, rules: ValidationRules, now_ms: int) -> None:
    earliest = now_ms - rules.timestamp_before_max_ms
    latest = now_ms + rules.timestamp_after_max_ms
    errors = []
    for index, (_, delta, _) in enumerate(_outlines(batch, header, rules)):
        timestamp = header.base_timestamp + delta
        if header.attributes & LOG_APPEND_TIME_FLAG:
            timestamp = header.max_timestamp
        if timestamp != NO_TIMESTAMP and not earliest <= timestamp <= latest:
            errors.append((index, f"Timestamp {timestamp} is outside [{earliest}, {latest}]"))
    if errors or header.max_timestamp > latest:
        raise InvalidRecords(
            INVALID_TIMESTAMP, "One or more records have been rejected due to invalid timestamp", errors
        )


def _recompress(batch: memoryview, header: BatchHeader, rules: ValidationRules) -> memoryview:
    """The same records under the topic's codec. Once it is open, what is no record is not packed up again."""
    payload = decompress(header.compression, batch[HEADER_SIZE:], rules.max_decompressed_bytes)
    for _ in walk_outlines(payload, header.record_count):
        pass
    header.attributes = (header.attributes & ~7) | rules.compression_type
    out = frame_batch(header, compress(rules.compression_type, payload, rules.compression_level))
    if len(out) > rules.max_message_bytes:
        raise _too_large(len(out), rules)
    return memoryview(out)
