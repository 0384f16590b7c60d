"""The records of coordinator logs: typed key and value ↔ bytes.

A key is its record type (int16) and a version 0 body; a value is its version
(int16) and a body; no value is a tombstone.

Kafka: `CoordinatorRecord`, `CoordinatorRecordSerde`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from struct import Struct
from typing import Any

from kbroker.protocol.generated.index import GROUP_RECORDS
from kbroker.protocol.messages import coordinator_record_classes
from kbroker.protocol.primitives import DecodeError, Part, UnsupportedVersion
from kbroker.records.batch import build_batch
from kbroker.records.record import Record

_log = logging.getLogger(__name__)
_INT16 = Struct(">h")


class CoordinatorRecord:
    """A generated key message and its value; None deletes."""

    __slots__ = ("key", "value", "value_version")

    def __init__(self, key: Any, value: Any = None, value_version: int = 0) -> None:
        self.key = key
        self.value = value
        self.value_version = value_version

    def __repr__(self) -> str:
        return f"{self.key!r} → {self.value!r}"


def encode(record: CoordinatorRecord) -> tuple[bytes, bytes | None]:
    """The bytes of key and value."""
    parts: list[Part] = [_INT16.pack(record.key.API_KEY)]
    record.key.write(parts, 0)
    key = b"".join(parts)  # type: ignore[arg-type]
    if record.value is None:
        return key, None
    parts = [_INT16.pack(record.value_version)]
    record.value.write(parts, record.value_version)
    return key, b"".join(parts)  # type: ignore[arg-type]


def batch_of(records: Sequence[CoordinatorRecord], timestamp_ms: int, codec: int) -> bytearray:
    """All records in one batch, as Kafka's coordinators write it."""
    return build_batch(
        [Record(index, 0, *encode(record)) for index, record in enumerate(records)],
        base_timestamp=timestamp_ms,
        # Without a producer it means nothing, but that is what Kafka writes.
        base_sequence=0,
        attributes=codec,
    )


def decode(key: bytes | None, value: bytes | None) -> CoordinatorRecord | None:
    """The record, or None for one of a type or version that this broker does not know.

    Such a record stays in the log for the broker that wrote it.
    """
    try:
        if key is None or len(key) < _INT16.size:
            raise DecodeError("a record without a typed key")
        record_type: int = _INT16.unpack_from(key)[0]
        if record_type not in GROUP_RECORDS:
            return None
        classes = coordinator_record_classes(record_type)
        key_message, _ = classes[0].read(memoryview(key), _INT16.size, 0)
        if value is None:
            return CoordinatorRecord(key_message)
        if len(value) < _INT16.size:
            raise DecodeError("a value without a version")
        version: int = _INT16.unpack_from(value)[0]
        value_message, _ = classes[1].read(memoryview(value), _INT16.size, version)
    except (DecodeError, UnsupportedVersion) as error:
        _log.warning("Skipping a coordinator record that cannot be read: %s", error)
        return None
    return CoordinatorRecord(key_message, value_message, version)
