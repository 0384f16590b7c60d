"""Snapshots: an image as records, and the checkpoint file for them.

    <end offset>-<epoch>.checkpoint

    control batch   SnapshotHeader (KRaftVersion and Voters too, if kraft.version ≥ 1)
    data batches    the whole image, offsets from 0, the epoch of the snapshot
    control batch   SnapshotFooter

A file without its footer, or with one bad byte, is no snapshot. The same frame
holds bootstrap.checkpoint, the records a new cluster begins with.

Kafka: `RecordsSnapshotWriter`, `RecordsSnapshotReader`, `MetadataImage#write`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kbroker.metadata.delta import MetadataDelta
from kbroker.metadata.image import EMPTY, MetadataImage
from kbroker.metadata.image_records import image_records
from kbroker.metadata.records import ApiMessageAndVersion, decode_record, encode_record, message_bytes
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.snapshot_footer_record import SnapshotFooterRecord
from kbroker.protocol.generated.snapshot_header_record import SnapshotHeaderRecord
from kbroker.protocol.primitives import DecodeError, UnsupportedVersion
from kbroker.records.batch import (
    CONTROL_FLAG,
    HEADER_SIZE,
    batch_crc_ok,
    build_batch,
    iterate_batches,
    read_batch_header,
)
from kbroker.records.control import (
    KRAFT_VERSION,
    KRAFT_VOTERS,
    SNAPSHOT_FOOTER,
    SNAPSHOT_HEADER,
    control_key,
    control_type_of,
)
from kbroker.records.record import Record, walk_records

BOOTSTRAP_FILE = "bootstrap.checkpoint"

_NAME = re.compile(r"(\d{20})-(\d{10})\.checkpoint")
# Readers take batches of at most 8 MiB; smaller ones let a writer pause between them.
_BATCH_RECORDS = 1024
_BATCH_BYTES = 1 << 20


class CorruptSnapshot(Exception):
    """The file is not a whole, undamaged snapshot."""


class SnapshotId(NamedTuple):
    """Which prefix of the log a snapshot stands for: everything below `end_offset`."""

    end_offset: int
    epoch: int

    @property
    def file_name(self) -> str:
        return f"{self.end_offset:020d}-{self.epoch:010d}.checkpoint"

    @classmethod
    def of_file(cls, name: str) -> SnapshotId | None:
        """What the file's name says; None if it is no snapshot's name."""
        match = _NAME.fullmatch(name)
        return match and cls(int(match[1]), int(match[2]))


class Control(NamedTuple):
    """A control record: type and value."""

    type: int
    value: bytes


class Snapshot(NamedTuple):
    """What a checkpoint file holds."""

    records: list[ApiMessageAndVersion]
    # KRaftVersion and Voters, as they stand in the header batch.
    quorum: list[Control]

    def image(self, snapshot_id: SnapshotId) -> MetadataImage:
        """The image whose records these are."""
        delta = MetadataDelta(EMPTY)
        last_offset = snapshot_id.end_offset - 1
        for record in self.records:
            delta.replay(record.message, last_offset)
        return delta.build(last_offset, snapshot_id.epoch)


def write_snapshot(
    image: MetadataImage,
    snapshot_id: SnapshotId,
    *,
    now_ms: int,
    last_timestamp_ms: int,
    quorum: Iterable[Control] = (),
) -> Iterator[bytearray]:
    """The checkpoint file of `image`, piece by piece, so that a writer may pause in between."""
    return write_checkpoint(
        image_records(image),
        epoch=snapshot_id.epoch,
        now_ms=now_ms,
        last_timestamp_ms=last_timestamp_ms,
        quorum=quorum,
    )


def write_checkpoint(
    records: Iterable[ApiMessageAndVersion],
    *,
    epoch: int,
    now_ms: int,
    last_timestamp_ms: int = 0,
    quorum: Iterable[Control] = (),
) -> Iterator[bytearray]:
    """The checkpoint file of any records: header, data, footer."""
    header = SnapshotHeaderRecord(version=0, last_contained_log_timestamp=last_timestamp_ms)
    head = [Control(SNAPSHOT_HEADER, message_bytes(header, 0)), *quorum]
    yield _control_batch(head, 0, epoch, now_ms)
    offset = len(head)
    for values in _in_batches(records):
        batch = [Record(delta, value=value) for delta, value in enumerate(values)]
        yield build_batch(batch, base_timestamp=now_ms, base_offset=offset, leader_epoch=epoch)
        offset += len(batch)
    footer = Control(SNAPSHOT_FOOTER, message_bytes(SnapshotFooterRecord(version=0), 0))
    yield _control_batch([footer], offset, epoch, now_ms)


def read_checkpoint(data: bytes | memoryview) -> Snapshot:
    """The content of a checkpoint file; CorruptSnapshot unless every byte is as it was written."""
    try:
        return _read_checkpoint(memoryview(data))
    except (KafkaError, DecodeError, UnsupportedVersion) as error:
        raise CorruptSnapshot(str(error)) from error


def _read_checkpoint(view: memoryview) -> Snapshot:
    snapshot = Snapshot([], [])
    seen = 0
    position = 0
    for batch in iterate_batches(view):
        header = read_batch_header(batch)
        if not batch_crc_ok(batch) or header.compression:
            raise CorruptSnapshot(f"bad batch at position {position}")
        records = walk_records(batch[HEADER_SIZE:], header.record_count)
        if not header.is_control:
            snapshot.records.extend(decode_record(record.value or b"") for record in records)
        else:
            for record in records:
                seen = _control_record(record, seen, snapshot.quorum)
        position += header.size
    if seen != SNAPSHOT_FOOTER or position != len(view):
        raise CorruptSnapshot(f"cut short at position {position}")
    return snapshot


def _control_record(record: Record, seen: int, quorum: list[Control]) -> int:
    """Which border of the file we are behind now: 0, SNAPSHOT_HEADER or SNAPSHOT_FOOTER."""
    control_type = control_type_of(record)
    if control_type == SNAPSHOT_HEADER and seen == 0:
        return SNAPSHOT_HEADER
    if seen != SNAPSHOT_HEADER:
        raise CorruptSnapshot(f"control record of type {control_type} outside of header and footer")
    if control_type in (KRAFT_VERSION, KRAFT_VOTERS):
        quorum.append(Control(control_type, record.value or b""))
    return SNAPSHOT_FOOTER if control_type == SNAPSHOT_FOOTER else seen


def _control_batch(controls: list[Control], base_offset: int, epoch: int, now_ms: int) -> bytearray:
    records = [Record(delta, 0, control_key(c.type), c.value) for delta, c in enumerate(controls)]
    return build_batch(
        records, base_timestamp=now_ms, base_offset=base_offset, leader_epoch=epoch, attributes=CONTROL_FLAG
    )


def _in_batches(records: Iterable[ApiMessageAndVersion]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size_bytes = 0
    for record in records:
        value = encode_record(record)
        batch.append(value)
        size_bytes += len(value)
        if len(batch) >= _BATCH_RECORDS or size_bytes >= _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch
