"""Checkpoint files: whole or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.metadata.delta import MetadataDelta
from kbroker.metadata.image import EMPTY, MetadataImage
from kbroker.metadata.snapshot import (
    Control,
    CorruptSnapshot,
    SnapshotId,
    read_checkpoint,
    write_checkpoint,
    write_snapshot,
)
from kbroker.protocol.generated.partition_record import PartitionRecord
from kbroker.protocol.generated.topic_record import TopicRecord
from kbroker.records.batch import iterate_batches, read_batch_header

ID = SnapshotId(1_000, 3)


def image_of(topics: int, partitions: int) -> MetadataImage:
    delta = MetadataDelta(EMPTY)
    for number in range(topics):
        topic_id = number.to_bytes(16, "big")
        delta.replay(TopicRecord(f"t{number}", topic_id), 0)
        for index in range(partitions):
            delta.replay(PartitionRecord(index, topic_id, [1], [1], leader=1), 0)
    return delta.build(ID.end_offset - 1, ID.epoch)


def written(image: MetadataImage, quorum: Iterable[Control] = ()) -> bytes:
    return b"".join(write_snapshot(image, ID, now_ms=7, last_timestamp_ms=5, quorum=quorum))


def test_a_snapshot_is_the_image() -> None:
    image = image_of(30, 50)
    data = written(image)
    assert read_checkpoint(data).image(ID) == image
    headers = [read_batch_header(batch) for batch in iterate_batches(memoryview(data))]
    assert [header.is_control for header in headers] == [True, False, False, True]
    assert headers[0].base_offset == 0
    assert all(after.base_offset == before.next_offset for before, after in pairwise(headers))
    assert {header.partition_leader_epoch for header in headers} == {ID.epoch}


def test_the_quorum_stands_in_the_first_batch() -> None:
    quorum = [Control(5, b"\0\0\0\1\0"), Control(6, b"voters")]
    snapshot = read_checkpoint(written(image_of(1, 1), quorum))
    assert snapshot.quorum == quorum
    assert len(snapshot.records) == 2


@given(st.data())
def test_no_damaged_file_is_a_snapshot(data: st.DataObject) -> None:
    good = bytearray(written(image_of(2, 3)))
    position = data.draw(st.integers(0, len(good) - 1))
    # Base offsets and leader epochs are not covered by the CRC, and nothing is read from them.
    good[position] ^= data.draw(st.integers(1, 255))
    with suppress(CorruptSnapshot):
        assert len(read_checkpoint(bytes(good)).records) == 8


@given(st.integers(0, 400))
def test_no_part_of_a_file_is_a_snapshot(length: int) -> None:
    good = written(image_of(1, 1))
    with pytest.raises(CorruptSnapshot):
        read_checkpoint(good[: min(length, len(good) - 1)])


def test_nothing_may_follow_the_footer() -> None:
    good = written(image_of(1, 1))
    for tail in (b"\0", b"".join(write_checkpoint([], epoch=1, now_ms=1))):
        with pytest.raises(CorruptSnapshot):
            read_checkpoint(good + tail)


def test_names() -> None:
    assert ID.file_name == "00000000000000001000-0000000003.checkpoint"
    assert SnapshotId.of_file(ID.file_name) == ID
    for name in ("bootstrap.checkpoint", ID.file_name + ".part", "1-1.checkpoint", "x" + ID.file_name):
        assert SnapshotId.of_file(name) is None
