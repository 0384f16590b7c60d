"""Coordinator records: exactly Kafka's bytes, and what cannot be read is skipped."""

from __future__ import annotations

import pytest

from kbroker.coordinator.group import group_records
from kbroker.coordinator.records import CoordinatorRecord, decode, encode
from tests.coordinator.bench import TOPIC_ID


def commit(expire_timestamp_ms: int = -1) -> CoordinatorRecord:
    return group_records.offset_commit(
        "g",
        "t",
        3,
        offset=42,
        leader_epoch=7,
        metadata="m",
        commit_timestamp_ms=1,
        expire_timestamp_ms=expire_timestamp_ms,
        topic_id=TOPIC_ID,
    )


def test_offset_commit_bytes() -> None:
    key, value = encode(commit())
    assert key.hex() == "000100016700017400000003"
    # Version 4: offset, leader epoch, compact metadata, commit timestamp, tag 0 with the topic id.
    assert value is not None
    assert value.hex() == "0004000000000000002a00000007026d0000000000000001010010" + TOPIC_ID.hex()


def test_an_expiry_of_its_own_needs_version_1() -> None:
    _, value = encode(commit(expire_timestamp_ms=99))
    assert value is not None
    assert value.hex() == "0001000000000000002a00016d00000000000000010000000000000063"


def test_tombstones() -> None:
    assert encode(group_records.group_metadata_tombstone("g")) == (bytes.fromhex("0002000167"), None)
    key, value = encode(group_records.offset_commit_tombstone("g", "t", 3))
    assert (key, value) == (encode(commit())[0], None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"x"),
        (b"", None),
        (b"\x00", None),
        (bytes.fromhex("7fff000167"), b"\x00\x00"),  # a type of the future
        (bytes.fromhex("ffff000167"), None),
        (bytes.fromhex("0002000967"), None),  # a name longer than the key
        (bytes.fromhex("0002000167"), b"\x00"),  # a value without a version
        (bytes.fromhex("0002000167"), b"\x00\x63"),  # a version of the future
        (bytes.fromhex("0002000167"), b"\x00\x03\x00"),  # cut off
    ],
)
def test_what_cannot_be_read_is_skipped(key: bytes | None, value: bytes | None) -> None:
    assert decode(key, value) is None


def test_legacy_offset_commits_are_read() -> None:
    legacy_key = bytes.fromhex("000000016700017400000003")
    legacy_value = bytes.fromhex("0000000000000000002a00016d0000000000000001")
    record = decode(legacy_key, legacy_value)
    assert record is not None
    assert (record.key.group, record.key.topic, record.key.partition) == ("g", "t", 3)
    assert (record.value.offset, record.value.metadata, record.value.commit_timestamp) == (42, "m", 1)
