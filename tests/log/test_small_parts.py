"""Checkpoint texts, indexes, leader epochs, verified ranges, configs: each alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.config.key import format_value
from kbroker.config.topic_keys import TOPIC_KEYS
from kbroker.log.checkpoints import (
    decode_clean_shutdown,
    decode_epochs,
    decode_offsets,
    decode_partition_metadata,
    decode_properties,
    encode_epochs,
    encode_offsets,
    encode_partition_metadata,
    encode_properties,
)
from kbroker.log.config import LogConfig, log_config_from
from kbroker.log.index import OffsetIndex, TimeIndex, decode_aborted
from kbroker.log.leader_epochs import LeaderEpochs
from kbroker.log.verified import VerifiedRanges
from kbroker.records.compression import GZIP
from kbroker.records.validation import PRODUCER_CODEC

OFFSETS = st.integers(0, 2**63 - 1)
TOPICS = st.text("abc._-09", min_size=1, max_size=5)


@given(st.dictionaries(st.tuples(TOPICS, st.integers(0, 2**31 - 1)), OFFSETS, max_size=5))
def test_offsets_come_back(offsets: dict[tuple[str, int], int]) -> None:
    data = encode_offsets(offsets)
    assert decode_offsets(data) == offsets
    for length in range(len(data)):
        assert decode_offsets(data[:length]) is None


@given(st.binary(max_size=60))
def test_foreign_checkpoints_are_none(data: bytes) -> None:
    assert decode_offsets(data) is None
    assert decode_epochs(data) is None
    assert decode_partition_metadata(data) is None
    assert decode_clean_shutdown(data) == -1
    assert isinstance(decode_properties(data), dict)


@pytest.mark.parametrize(
    "text",
    [
        "1\n0\n",
        "0\n1\n",
        "0\n0\na 0 1\n",
        "0\n1\na 0\n",
        "0\n1\na 0 -1\n",
        "0\n1\na x 1\n",
        "0\n1\na 0 \u0663\n",
        "0\n1\na 0 99999999999999999999\n",
    ],
)
def test_bad_offset_checkpoints(text: str) -> None:
    assert decode_offsets(text.encode()) is None


def test_an_empty_checkpoint() -> None:
    assert decode_offsets(b"0\n0\n") == {}
    assert decode_epochs(b"0\n0\n") == []


def test_epoch_checkpoints_must_grow() -> None:
    entries = [(0, 0), (3, 7), (4, 9)]
    assert decode_epochs(encode_epochs(entries)) == entries
    assert decode_epochs(encode_epochs([(0, 0), (0, 7)])) is None
    assert decode_epochs(encode_epochs([(0, 5), (1, 5)])) is None


def test_partition_metadata() -> None:
    topic_id = bytes(range(16))
    data = encode_partition_metadata(topic_id)
    assert data == b"version: 0\ntopic_id: AAECAwQFBgcICQoLDA0ODw"
    assert decode_partition_metadata(data) == topic_id
    assert decode_partition_metadata(data + b"\n") == topic_id
    assert decode_partition_metadata(data.replace(b"0", b"1", 1)) is None


def test_properties_as_java_writes_them() -> None:
    text = b"#\n#Fri Nov 20 20:31:14 UTC 2026\ncluster.id=a=b\n\nversion=1\n! note\nnode.id = 1 \n"
    assert decode_properties(text) == {"cluster.id": "a=b", "version": "1", "node.id": "1"}
    assert decode_properties(encode_properties({"a": "1", "b": ""})) == {"a": "1", "b": ""}


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), max_size=20), st.integers(0, 1200))
def test_offset_index_look_ups(steps: list[tuple[int, int]], wanted: int) -> None:
    index, entries, offset, position = OffsetIndex(), [], 0, 0
    for offset_step, position_step in steps:
        offset, position = offset + offset_step, position + position_step
        index.append(offset, offset, position)
        entries.append((offset, position))
    again = OffsetIndex.decode(index.encode() + bytes(16), 10_000)
    assert again.encode() == index.encode()
    assert again.floor_offset(wanted) == max((each for each in entries if each[0] <= wanted), default=None)
    assert again.floor_position(wanted) == max((each for each in entries if each[1] <= wanted), default=None)
    assert again.last() == (entries[-1] if entries else None)
    again.truncate(wanted)
    assert again.last() == max((each for each in entries if each[1] < wanted), default=None)


# Is it indexed, how many offsets are missing before it, how many it has, bytes.
BATCHES = st.lists(
    st.tuples(st.booleans(), st.integers(0, 2), st.integers(1, 4), st.integers(1, 20)), max_size=12
)


def indexed(
    steps: list[tuple[bool, int, int, int]],
) -> tuple[OffsetIndex, list[tuple[int, int, int, int]], set[int]]:
    """An index, (first offset, last offset, position, end) of all batches and the indexed positions."""
    index, batches, offset, position = OffsetIndex(), [], 0, 0
    for is_indexed, gap, count, size in steps:
        offset += gap
        batches.append((offset, offset + count - 1, position, position + size))
        if is_indexed and position:
            index.append(offset, offset + count - 1, position)
        offset, position = offset + count, position + size
    return index, batches, {position for _, position in entries_of(index, batches)}


def entries_of(index: OffsetIndex, batches: list[tuple[int, int, int, int]]) -> list[tuple[int, int]]:
    found = [index.floor_position(position) for _, _, position, _ in batches]
    return [entry for entry in found if entry is not None]


@given(BATCHES, st.integers(0, 12))
def test_what_an_offset_index_knows_without_the_log(
    steps: list[tuple[bool, int, int, int]], kept: int
) -> None:
    index, batches, positions = indexed(steps)
    if kept < len(batches):
        index.truncate(batches[kept][2])
        batches = batches[:kept]
    bounds = [0, *(end for _, _, _, end in batches)]
    for wanted in range(bounds[-1]):
        assert index.boundary(wanted) in (None, max(bound for bound in bounds if bound <= wanted))
    for first, last, begin, end in batches:
        assert index.end_of(begin) in (None, end)
        for wanted in range(first, last + 1):
            assert index.position_of(wanted) == (begin if begin in positions else None)
        assert index.position_of(last + 1) in (None, end)
        assert begin not in positions or index.boundary(begin) == begin


@given(BATCHES)
def test_what_an_offset_index_from_the_disk_knows_without_the_log(
    steps: list[tuple[bool, int, int, int]],
) -> None:
    index, batches, positions = indexed(steps)
    again = OffsetIndex.decode(index.encode(), 1000)
    for _, last, begin, _ in batches:
        assert again.position_of(last) is again.boundary(begin) is again.end_of(begin) is None
    for first, _, begin, _ in batches:
        if begin in positions:
            again.see(begin, first)
    for wanted in range(300):
        assert again.position_of(wanted) == index.position_of(wanted)
        assert again.boundary(wanted) == index.boundary(wanted)
        assert again.end_of(wanted) == index.end_of(wanted)


def test_an_index_is_believed_up_to_the_first_lie() -> None:
    index = OffsetIndex()
    for offset, position in ((1, 10), (2, 20), (2, 30), (4, 40)):
        index.append(offset, offset, position)
    assert len(OffsetIndex.decode(index.encode(), 100)) == 2
    assert len(OffsetIndex.decode(index.encode(), 20)) == 1
    assert len(OffsetIndex.decode(index.encode()[:-3], 100)) == 2
    times = TimeIndex()
    for timestamp, offset in ((5, 1), (4, 2), (6, 3)):
        times.append(timestamp, offset)
    assert len(times) == 2
    assert times.floor(5) == (5, 1)
    assert times.floor(4) is None
    decoded = TimeIndex.decode(times.encode() + bytes(24), 10)
    assert decoded.encode() == times.encode()
    assert len(TimeIndex.decode(times.encode(), 2)) == 1


def test_transaction_indexes_are_all_or_nothing() -> None:
    assert decode_aborted(b"") == []
    assert decode_aborted(bytes(33)) is None
    assert decode_aborted(b"\x00\x01" + bytes(32)) is None
    assert decode_aborted(bytes(68)) is None


def test_epochs_follow_kafkas_rules() -> None:
    epochs = LeaderEpochs()
    epochs.assign(1, 0)
    epochs.assign(1, 5)
    epochs.assign(3, 10)
    epochs.assign(4, 20)
    assert epochs.entries == [(1, 0), (3, 10), (4, 20)]
    assert (epochs.latest_epoch, epochs.previous_epoch) == (4, 3)
    assert [epochs.epoch_for_offset(offset) for offset in (0, 9, 10, 25)] == [1, 1, 3, 4]
    # A new epoch at or before others' starts replaces them.
    epochs.assign(5, 10)
    assert epochs.entries == [(1, 0), (5, 10)]
    epochs.truncate_from_start(12)
    assert epochs.entries == [(5, 12)]
    epochs.truncate_from_start(12)
    assert epochs.epoch_for_offset(3) == -1
    epochs.truncate_from_end(12)
    assert epochs.entries == []


def test_epochs_without_records_are_not_worth_a_write() -> None:
    epochs = LeaderEpochs([(1, 0)])
    assert epochs.unsaved(5) is None
    epochs.assign(2, 5)
    assert epochs.unsaved(5) is None
    assert epochs.unsaved(6) == [(1, 0), (2, 5)]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=30), st.integers(0, 80))
def test_verified_ranges_are_a_set(ranges: list[tuple[int, int]], position: int) -> None:
    verified, truth = VerifiedRanges(), set()
    for start, length in ranges:
        verified.add(start, start + length)
        truth |= set(range(start, start + length))
    end = position
    while end in truth:
        end += 1
    assert verified.end_of(position) == end


def test_verified_ranges_are_bounded() -> None:
    verified = VerifiedRanges()
    for index in range(1000):
        verified.add(index * 10, index * 10 + 1 + index % 5)
    assert len(verified._starts) == 64
    assert verified.end_of(9 * 10) in (90, 95)


def test_the_config_of_a_topic_without_its_own() -> None:
    values = {name: format_value(key.default_value()) or "" for name, key in TOPIC_KEYS.items()}
    config, default = log_config_from(values), LogConfig()
    for name in LogConfig.__slots__:
        if name != "rules":
            assert getattr(config, name) == getattr(default, name), name
    for name in type(config.rules).__slots__:
        assert getattr(config.rules, name) == getattr(default.rules, name), name
    assert config.max_index_entries == 1_310_720
    values |= {"cleanup.policy": "compact,delete", "compression.type": "gzip", "segment.ms": "1000"}
    values |= {"message.timestamp.type": "LogAppendTime", "max.compaction.lag.ms": "10"}
    config = log_config_from(values)
    assert config.compact
    assert config.delete
    assert config.rules.compacted
    assert config.rules.log_append_time
    assert config.rules.compression_type == GZIP
    assert default.rules.compression_type == PRODUCER_CODEC
    # Compaction must not wait for a segment longer than its lag allows.
    assert config.segment_ms == 10
