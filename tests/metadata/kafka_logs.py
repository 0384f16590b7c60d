"""The metadata logs of `kafka/`, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kbroker.metadata.records import ApiMessageAndVersion, decode_record
from kbroker.metadata.replay import Replay
from kbroker.records.batch import HEADER_SIZE, BatchHeader, iterate_batches, read_batch_header
from kbroker.records.record import walk_records

KAFKA = Path(__file__).parent / "kafka"
LOG = "00000000000000000000.log"


class Batch(NamedTuple):
    header: BatchHeader
    values: list[bytes]

    @property
    def records(self) -> list[ApiMessageAndVersion]:
        return [decode_record(value) for value in self.values]


def batches(name: str) -> Iterator[Batch]:
    """The whole log called `name`."""
    view = memoryview((KAFKA / name / LOG).read_bytes())
    for batch in iterate_batches(view):
        header = read_batch_header(batch)
        records = walk_records(batch[HEADER_SIZE:], header.record_count)
        yield Batch(header, [record.value or b"" for record in records])


def replayed(name: str, end_offset: int | None = None) -> Replay:
    """The log replayed up to `end_offset`."""
    replay = Replay()
    for header, values in batches(name):
        if end_offset is not None and header.base_offset >= end_offset:
            break
        if header.is_control:
            replay.skip(header.last_offset, header.partition_leader_epoch)
        else:
            messages = [decode_record(value).message for value in values]
            replay.load(messages, header.base_offset, header.partition_leader_epoch)
    replay.publish()
    return replay
