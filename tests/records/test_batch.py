"""Batches as bytes: layout, checksum, patching in place."""

import pytest
from crc32c import crc32c as reference_crc32c
from hypothesis import given
from hypothesis import strategies as st

from kbroker.protocol.errors import CORRUPT_MESSAGE, KafkaError
from kbroker.records.batch import (
    CONTROL_FLAG,
    HEADER_SIZE,
    LOG_APPEND_TIME,
    LOG_APPEND_TIME_FLAG,
    TRANSACTIONAL_FLAG,
    add_sequence,
    batch_crc_ok,
    build_batch,
    iterate_batches,
    read_batch_header,
    set_offset_and_leader_epoch,
    set_timestamp_type,
)
from kbroker.records.crc import crc32c
from kbroker.records.record import Record, walk_outlines, walk_records, write_record

HEADERS = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3)
RECORDS = st.builds(
    Record,
    st.integers(0, 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=20),
    HEADERS,
)


def test_the_bytes_of_one_batch_written_out() -> None:
    batch = build_batch(
        [Record(0, 0, b"k", b"v", [("h", None)])],
        base_timestamp=0x0102030405060708,
        base_offset=5,
        leader_epoch=3,
        producer_id=9,
        producer_epoch=1,
        base_sequence=7,
    )
    assert batch[:17].hex() == "0000000000000005" + "0000003d" + "00000003" + "02"
    assert batch[17:21] == reference_crc32c(bytes(batch[21:])).to_bytes(4, "big")
    assert batch[21:61].hex() == (
        "0000" + "00000000" + "0102030405060708" * 2 + "0000000000000009" + "0001" + "00000007" + "00000001"
    )
    # Length, attributes, deltas, key, value, one header with a null value.
    assert batch[61:].hex() == "16" + "00" + "00" + "00" + "026b" + "0276" + "02" + "0268" + "01"


def test_the_header_comes_back() -> None:
    batch = build_batch(
        [Record(0, 0), Record(1, 50), Record(2, 10)],
        base_timestamp=100,
        base_offset=40,
        leader_epoch=2,
        producer_id=8,
        producer_epoch=4,
        base_sequence=2**31 - 2,
        attributes=TRANSACTIONAL_FLAG | CONTROL_FLAG | LOG_APPEND_TIME_FLAG,
    )
    header = read_batch_header(batch)
    assert header.size == len(batch)
    assert (header.base_offset, header.last_offset, header.next_offset) == (40, 42, 43)
    assert (header.base_timestamp, header.max_timestamp) == (100, 150)
    # After 2^31 - 1 comes 0.
    assert header.last_sequence == 0
    assert header.is_transactional
    assert header.is_control
    assert header.timestamp_type == LOG_APPEND_TIME
    assert header.compression == 0
    assert "base_offset=40" in repr(header)


def test_sequences_wrap() -> None:
    assert add_sequence(2**31 - 1, 1) == 0
    assert add_sequence(0, -1) == 2**31 - 1


def test_offset_and_epoch_are_outside_the_checksum() -> None:
    view = memoryview(build_batch([Record()], base_timestamp=1))
    set_offset_and_leader_epoch(view, 2**40, 77)
    assert batch_crc_ok(view)
    header = read_batch_header(view)
    assert (header.base_offset, header.partition_leader_epoch) == (2**40, 77)


def test_stamping_the_time_recomputes_the_checksum() -> None:
    view = memoryview(build_batch([Record()], base_timestamp=1))
    set_timestamp_type(view, LOG_APPEND_TIME_FLAG, 999)
    assert batch_crc_ok(view)
    assert read_batch_header(view).max_timestamp == 999
    view[-1] ^= 1
    assert not batch_crc_ok(view)


def test_a_cut_tail_ends_the_batches() -> None:
    one = build_batch([Record(0, 0, None, b"one")], base_timestamp=1)
    two = build_batch([Record(0, 0, None, b"two!")], base_timestamp=1)
    whole = memoryview(one + two)
    assert list(iterate_batches(whole)) == [one, two]
    for length in range(len(one), len(whole)):
        assert list(iterate_batches(whole[:length])) == [one]
    zero_length = bytearray(one)
    zero_length[8:12] = bytes(4)
    assert list(iterate_batches(memoryview(zero_length))) == []


@given(st.lists(RECORDS, min_size=1, max_size=5))
def test_records_come_back(records: list[Record]) -> None:
    payload = bytearray()
    for record in records:
        write_record(payload, record)
    view = memoryview(payload)
    assert list(walk_records(view, len(records))) == records
    assert list(walk_outlines(view, len(records))) == [
        (record.offset_delta, record.timestamp_delta, record.key is not None) for record in records
    ]


@given(st.binary(max_size=80), st.integers(-1, 2**31 - 1))
def test_foreign_bytes_are_refused_or_read_but_never_crash(data: bytes, count: int) -> None:
    for walk in (walk_records, walk_outlines):
        try:
            found = list(walk(memoryview(data), count))
        except KafkaError as error:
            if error.code != CORRUPT_MESSAGE:
                raise
        else:
            assert len(found) == count


@given(st.lists(RECORDS, min_size=1, max_size=3), st.data())
def test_a_cut_payload_is_refused(records: list[Record], data: st.DataObject) -> None:
    payload = bytearray()
    for record in records:
        write_record(payload, record)
    cut = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises(KafkaError):
        list(walk_records(memoryview(payload)[:cut], len(records)))
    with pytest.raises(KafkaError):
        list(walk_records(memoryview(payload), len(records) + 1))
    with pytest.raises(KafkaError):
        list(walk_records(memoryview(payload), len(records) - 1))


def test_a_claimed_count_allocates_nothing() -> None:
    with pytest.raises(KafkaError):
        next(walk_records(memoryview(bytes(100)), 2**31 - 1))


def test_a_header_name_that_is_no_text_is_refused() -> None:
    payload = bytearray.fromhex("14 00 00 00 01 01 02 02 ff 01".replace(" ", ""))
    payload[0] = (len(payload) - 1) * 2
    with pytest.raises(KafkaError):
        list(walk_records(memoryview(payload), 1))
    assert HEADER_SIZE == 61


@given(st.binary(max_size=200), st.integers(0, 200))
def test_the_checksum_is_that_of_the_package_and_can_be_continued(data: bytes, cut: int) -> None:
    assert crc32c(memoryview(data)) == reference_crc32c(data)
    assert crc32c(data[cut:], crc32c(data[:cut])) == crc32c(data)
