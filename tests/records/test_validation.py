"""What a leader refuses, with which code, in which order."""

from collections.abc import Callable

import pytest

from kbroker.protocol.errors import (
    CORRUPT_MESSAGE,
    INVALID_RECORD,
    INVALID_TIMESTAMP,
    MESSAGE_TOO_LARGE,
    UNSUPPORTED_COMPRESSION_TYPE,
    KafkaError,
)
from kbroker.records.batch import (
    CONTROL_FLAG,
    HEADER_SIZE,
    LOG_APPEND_TIME_FLAG,
    BatchHeader,
    batch_crc_ok,
    build_batch,
    read_batch_header,
    set_timestamp_type,
)
from kbroker.records.compression import GZIP, LZ4, NONE, SNAPPY, ZSTD, decompress
from kbroker.records.record import Record, walk_records
from kbroker.records.validation import InvalidRecords, ValidationRules, validate_produced

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def batch(
    *timestamps: int, key: bytes | None = b"k", base_timestamp: int = NOW_MS, **fields: int
) -> memoryview:
    """A batch with a record at each of `timestamps`, relative to the base."""
    deltas = timestamps or (0,)
    records = [Record(index, delta, key, b"value") for index, delta in enumerate(deltas)]
    return memoryview(build_batch(records, base_timestamp=base_timestamp, **fields))


def validate(
    view: memoryview, rules: ValidationRules | None = None, produce_version: int = 9
) -> tuple[memoryview, BatchHeader]:
    return validate_produced(view, rules or ValidationRules(), NOW_MS, produce_version)


def code_of(view: memoryview, rules: ValidationRules | None = None, produce_version: int = 9) -> int:
    with pytest.raises(KafkaError) as caught:
        validate(view, rules, produce_version)
    return caught.value.code


def rewritten(view: memoryview, position: int, data: bytes) -> memoryview:
    """`view` with other bytes at `position` and a CRC that fits them."""
    view[position : position + len(data)] = data
    header = read_batch_header(view)
    set_timestamp_type(view, header.attributes, header.max_timestamp)
    return view


def without_records(view: memoryview) -> memoryview:
    """The header of `view`, still claiming to have records."""
    view = view[:HEADER_SIZE]
    view[8:12] = (HEADER_SIZE - 12).to_bytes(4, "big")
    return view


def test_a_good_batch_is_passed_on_uncopied() -> None:
    view = batch(0, 1, 2)
    before = bytes(view)
    accepted, header = validate(view)
    assert accepted is view
    assert bytes(view) == before
    assert header.record_count == 3


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda view: memoryview(b""), INVALID_RECORD),
        (lambda view: view[:16], INVALID_RECORD),
        (lambda view: view[:40], INVALID_RECORD),
        (lambda view: view[:-1], INVALID_RECORD),
        (lambda view: memoryview(bytearray(view) + bytearray(batch())), INVALID_RECORD),
        # as many bytes more as tell a length, and a bad one
        (lambda view: memoryview(bytearray(view) + bytes(12)), CORRUPT_MESSAGE),
        # magic 0 and 1 are history
        (lambda view: rewritten(view, 16, b"\x01"), INVALID_RECORD),
        (lambda view: rewritten(view, 16, b"\x00"), INVALID_RECORD),
        # and others have never been
        (lambda view: rewritten(view, 16, b"\x03"), CORRUPT_MESSAGE),
        (lambda view: rewritten(view, 16, b"\xff"), CORRUPT_MESSAGE),
        (lambda view: rewritten(view, 8, b"\x00\x00\x00\x05"), CORRUPT_MESSAGE),
        (lambda view: rewritten(view, 8, b"\xff\xff\xff\xff"), CORRUPT_MESSAGE),
        # base offset
        (lambda view: rewritten(view, 0, b"\x00\x00\x00\x00\x00\x00\x00\x01"), INVALID_RECORD),
        # last offset delta and count
        (lambda view: rewritten(view, 23, b"\x00\x00\x00\x01"), INVALID_RECORD),
        (lambda view: rewritten(view, 23, b"\xff\xff\xff\xff"), INVALID_RECORD),
        (lambda view: rewritten(view, 57, b"\x00\x00\x00\x00"), INVALID_RECORD),
        (lambda view: rewritten(view, 57, b"\x00\x00\x00\x02"), INVALID_RECORD),
        # more records than bytes
        (
            lambda view: rewritten(rewritten(view, 23, b"\x00\x00\xff\xfe"), 57, b"\x00\x00\xff\xff"),
            INVALID_RECORD,
        ),
        # a header alone, and a codec that is none
        (lambda view: memoryview(build_batch([], base_timestamp=NOW_MS, attributes=0)), INVALID_RECORD),
        (lambda view: rewritten(view, 21, b"\0\5"), INVALID_RECORD),
        (lambda view: rewritten(without_records(view), 21, b"\0\0"), INVALID_RECORD),
        (lambda view: rewritten(view, 21, CONTROL_FLAG.to_bytes(2, "big")), INVALID_RECORD),
        # a producer id without a sequence
        (lambda view: rewritten(view, 43, bytes(8)), INVALID_RECORD),
    ],
)
def test_bad_shapes_and_headers(damage: Callable[[memoryview], memoryview], code: int) -> None:
    assert code_of(damage(batch())) == code


@pytest.mark.parametrize("tail", [b"\0", bytes(11), batch()[:-1]])
def test_the_cut_begin_of_a_second_batch_is_left_out(tail: bytes) -> None:
    one = batch()
    accepted, _ = validate(memoryview(bytearray(one) + tail))
    assert accepted == one


def test_a_wrong_checksum() -> None:
    view = batch()
    view[-1] ^= 1
    assert code_of(view) == CORRUPT_MESSAGE


def test_the_order_of_checks() -> None:
    """Size before checksum, base offset before size, both before the header's claims."""
    view = batch()
    view[-1] ^= 1
    small = ValidationRules(max_message_bytes=10)
    assert code_of(view, small) == MESSAGE_TOO_LARGE
    view[0:8] = (1).to_bytes(8, "big")
    assert code_of(view, small) == INVALID_RECORD
    control = batch(attributes=CONTROL_FLAG)
    control[-1] ^= 1
    assert code_of(control) == CORRUPT_MESSAGE


def test_the_size_limit_is_inclusive() -> None:
    view = batch()
    validate(view, ValidationRules(max_message_bytes=len(view)))
    assert code_of(view, ValidationRules(max_message_bytes=len(view) - 1)) == MESSAGE_TOO_LARGE


def test_zstd_needs_produce_7() -> None:
    view = batch(attributes=ZSTD)
    assert code_of(view, produce_version=6) == UNSUPPORTED_COMPRESSION_TYPE
    validate(view, produce_version=7)


@pytest.mark.parametrize("codec", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_compacted_topics_need_keys(codec: int) -> None:
    compacted = ValidationRules(compacted=True)
    validate(batch(0, 1, attributes=codec), compacted)
    with pytest.raises(InvalidRecords) as caught:
        validate(batch(0, 1, key=None, attributes=codec), compacted)
    assert caught.value.code == INVALID_RECORD
    assert [index for index, _ in caught.value.record_errors] == [0, 1]


def test_only_where_records_are_walked_are_bad_ones_found() -> None:
    broken = rewritten(batch(), HEADER_SIZE, b"\x7f")
    validate(broken)
    assert code_of(broken, ValidationRules(compacted=True)) == CORRUPT_MESSAGE


def test_timestamps_of_the_future_are_refused() -> None:
    validate(batch(0, HOUR_MS))
    with pytest.raises(InvalidRecords) as caught:
        validate(batch(0, HOUR_MS + 1, 5))
    assert caught.value.code == INVALID_TIMESTAMP
    assert [index for index, _ in caught.value.record_errors] == [1]


def test_timestamps_of_the_past_are_looked_for_only_if_a_limit_is_set() -> None:
    old = batch(0, 1, base_timestamp=0)
    validate(old)
    limited = ValidationRules(timestamp_before_max_ms=HOUR_MS)
    with pytest.raises(InvalidRecords) as caught:
        validate(old, limited)
    assert len(caught.value.record_errors) == 2
    validate(batch(0, -HOUR_MS), limited)
    assert code_of(batch(0, -HOUR_MS - 1), limited) == INVALID_TIMESTAMP


def test_no_timestamp_is_exempt() -> None:
    limited = ValidationRules(timestamp_before_max_ms=HOUR_MS)
    validate(batch(base_timestamp=-1), limited)


def test_log_append_time_stamps_the_batch() -> None:
    # A time that would be refused is not looked at.
    view = batch(0, 5 * HOUR_MS)
    accepted, header = validate(view, ValidationRules(log_append_time=True))
    assert accepted is view
    assert batch_crc_ok(view)
    stamped = read_batch_header(view)
    assert stamped.max_timestamp == header.max_timestamp == NOW_MS
    assert stamped.attributes == header.attributes == LOG_APPEND_TIME_FLAG


def test_the_flag_of_log_append_time_is_the_brokers() -> None:
    view = batch(attributes=LOG_APPEND_TIME_FLAG)
    validate(view)
    assert read_batch_header(view).attributes == 0
    assert batch_crc_ok(view)
    append_time = ValidationRules(log_append_time=True)
    assert code_of(batch(attributes=LOG_APPEND_TIME_FLAG), append_time) == INVALID_TIMESTAMP
    assert code_of(batch(base_timestamp=-1, attributes=LOG_APPEND_TIME_FLAG)) == INVALID_TIMESTAMP


@pytest.mark.parametrize("source", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
@pytest.mark.parametrize("target", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_a_topics_own_codec(source: int, target: int) -> None:
    view = batch(0, 1, 2, attributes=source, producer_id=3, producer_epoch=0, base_sequence=4)
    accepted, header = validate(view, ValidationRules(compression_type=target))
    assert (accepted is view) == (source == target)
    assert batch_crc_ok(accepted)
    again = read_batch_header(accepted)
    assert (again.compression, again.size) == (target, len(accepted))
    assert (again.producer_id, again.base_sequence, again.record_count) == (3, 4, 3)
    assert (header.size, header.compression) == (len(accepted), target)
    payload = decompress(target, accepted[HEADER_SIZE:], 10_000)
    assert [record.value for record in walk_records(payload, 3)] == [b"value"] * 3


def test_recompression_keeps_the_limits() -> None:
    packed = memoryview(
        build_batch([Record(0, 0, None, bytes(5000))], base_timestamp=NOW_MS, attributes=GZIP)
    )
    rules = ValidationRules(compression_type=NONE, max_message_bytes=1000)
    assert code_of(packed, rules) == MESSAGE_TOO_LARGE
    rules = ValidationRules(compression_type=NONE, max_decompressed_bytes=4000)
    assert code_of(packed, rules) == CORRUPT_MESSAGE
