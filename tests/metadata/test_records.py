"""The frame around a metadata record."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.metadata.records import ApiMessageAndVersion, decode_record, encode_record
from kbroker.protocol.generated.topic_record import TopicRecord
from kbroker.protocol.primitives import DecodeError, UnsupportedVersion


def test_the_frame() -> None:
    record = ApiMessageAndVersion(TopicRecord("t", bytes(16)))
    value = encode_record(record)
    assert value[:3] == bytes([1, 2, 0])
    assert decode_record(value) == record


@pytest.mark.parametrize(
    "value",
    [b"", b"\1", b"\2\2\0\2t" + bytes(17), b"\1\6\0\0", b"\1\x90\1\0\0", b"\1\2\0\2t" + bytes(17) + b"x"],
    ids=["empty", "cut", "frame version", "gap", "unknown type", "garbage behind"],
)
def test_what_is_no_record(value: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_record(value)


def test_a_version_of_the_future() -> None:
    with pytest.raises(UnsupportedVersion):
        decode_record(b"\1\2\7\2t" + bytes(17))


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(value: bytes) -> None:
    for candidate in (value, b"\1" + value):
        with suppress(DecodeError, UnsupportedVersion):
            decode_record(candidate)
