"""Reading a log's segments: by offset, by time, batch by batch.

What leaves here by `read_region` is whole batches in one file region, from
the batch that holds the wanted offset to the last one that fits.
"""

from collections.abc import Iterator, Mapping

from kbroker.log.segment import DamagedBatch, Segment
from kbroker.log.segments import Segments
from kbroker.protocol.errors import CORRUPT_MESSAGE, KafkaError
from kbroker.protocol.primitives import FileRegion
from kbroker.records.batch import (
    HEADER_SIZE,
    LENGTH_OVERHEAD,
    LOG_APPEND_TIME_FLAG,
    BatchHeader,
    batch_crc_ok,
)
from kbroker.records.compression import decompress
from kbroker.records.record import walk_outlines

# (offset, timestamp, leader epoch)
TimestampedOffset = tuple[int, int, int]


def not_served(damage: DamagedBatch) -> KafkaError:
    return KafkaError(CORRUPT_MESSAGE, f"The log is damaged here: {damage}")


def read_region(
    segments: Segments,
    recent: Mapping[int, int],
    offset: int,
    max_bytes: int,
    upper_offset: int,
    log_end_offset: int,
    at_least_one: bool,
) -> FileRegion | None:
    """From the batch that holds `offset` up to `upper_offset` (exclusive) and about `max_bytes`.

    `recent` knows where some batches of the active segment begin.
    """
    active = segments.active
    position = recent.get(offset)
    if position is not None and upper_offset >= log_end_offset and active.size - position <= max_bytes:
        return FileRegion(active.file, position, active.size - position)
    segment: Segment | None = active if offset >= active.base_offset else segments.floor(offset)
    while segment is not None:
        following = None if segment is active else segments.after(segment)
        if not segment.indexes_loaded:
            segments.keep_index_of(segment)
        try:
            start = segment.position_of(offset)
            if start < segment.size:
                whole = upper_offset >= (log_end_offset if following is None else following.base_offset)
                limit = segment.size if whole else _position_of(segment, active, recent, upper_offset)
                return _read(segment, start, limit, max_bytes, at_least_one)
        except DamagedBatch as damage:
            raise not_served(damage) from None
        # The rest of this segment was compacted away.
        segment = following
    return None


def _position_of(segment: Segment, active: Segment, recent: Mapping[int, int], offset: int) -> int:
    position = recent.get(offset) if segment is active else None
    return segment.position_of(offset) if position is None else position


def _read(segment: Segment, start: int, limit: int, max_bytes: int, at_least_one: bool) -> FileRegion | None:
    if start >= limit:
        return None
    end = limit
    if start + max_bytes < limit:
        end = segment.boundary(start, start + max_bytes)
        if end == start:
            if not at_least_one:
                return None
            end = segment.end_of(start)
    if start < segment.trusted_from:
        end = segment.verified_end(start, end)
    return FileRegion(segment.file, start, end - start)


def iterate_batches(
    segments: Segments, from_offset: int, end_offset: int
) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Header and bytes of each batch that ends at or behind `from_offset`, up to `end_offset`.

    KafkaError(CORRUPT_MESSAGE) at the first that fails its CRC.
    """
    for segment in segments.from_floor(from_offset):
        try:
            position = segment.position_of(from_offset)
            for at, header in segment.batches_from(position, check_crc=position < segment.trusted_from):
                if header.base_offset >= end_offset:
                    return
                size = header.batch_length + LENGTH_OVERHEAD
                yield header, memoryview(segment.file.pread(size, at))
        except DamagedBatch as damage:
            raise not_served(damage) from None


def offset_for_timestamp(
    segments: Segments, timestamp: int, log_start_offset: int, max_decompressed_bytes: int
) -> TimestampedOffset | None:
    """The first record from the log start on whose timestamp is at least `timestamp`."""
    for segment in segments.from_floor(log_start_offset):
        if segment.max_known_timestamp() < timestamp:
            continue
        try:
            for position, header in segment.find_timestamp(timestamp, log_start_offset):
                found = _first_record(
                    segment, position, header, timestamp, log_start_offset, max_decompressed_bytes
                )
                if found is not None:
                    return found
        except DamagedBatch as damage:
            raise not_served(damage) from None
    return None


def max_timestamp_offset(segments: Segments, max_decompressed_bytes: int) -> TimestampedOffset | None:
    """The first record with the largest timestamp of all."""
    best: Segment | None = None
    for segment in segments:
        if segment.size and (best is None or segment.max_known_timestamp() > best.max_timestamp):
            best = segment
    if best is None:
        return None
    try:
        found = best.find(best.offset_of_max_timestamp)
        if found is None:
            return None
        position, header = found
        return _first_record(best, position, header, header.max_timestamp, 0, max_decompressed_bytes)
    except DamagedBatch as damage:
        raise not_served(damage) from None


def _first_record(
    segment: Segment,
    position: int,
    header: BatchHeader,
    timestamp: int,
    from_offset: int,
    max_decompressed_bytes: int,
) -> TimestampedOffset | None:
    """The first fitting record of one batch whose max timestamp is large enough."""
    epoch = header.partition_leader_epoch
    if header.attributes & LOG_APPEND_TIME_FLAG or header.record_count == 1:
        return max(header.base_offset, from_offset), header.max_timestamp, epoch
    batch = memoryview(segment.file.pread(header.batch_length + LENGTH_OVERHEAD, position))
    if position < segment.trusted_from and not batch_crc_ok(batch):
        raise DamagedBatch(position, "CRC mismatch")
    try:
        payload = decompress(header.compression, batch[HEADER_SIZE:], max(max_decompressed_bytes, len(batch)))
        for offset_delta, timestamp_delta, _ in walk_outlines(payload, header.record_count):
            offset = header.base_offset + offset_delta
            if header.base_timestamp + timestamp_delta >= timestamp and offset >= from_offset:
                return offset, header.base_timestamp + timestamp_delta, epoch
    except KafkaError:
        # Records were never checked, only their batch: the batch's start is an answer that skips nothing.
        return max(header.base_offset, from_offset), header.max_timestamp, epoch
    return None
