"""One partition's log as those see it who only look.

    log_start_offset ≤ last_stable_offset ≤ high_watermark ≤ log_end_offset

What changes it is in `partition_log.py`. Kafka: the reading half of `UnifiedLog`.
"""

import logging
from collections.abc import Iterator

from kbroker.log.config import LogConfig
from kbroker.log.index import AbortedTransaction
from kbroker.log.reader import (
    TimestampedOffset,
    iterate_batches,
    max_timestamp_offset,
    offset_for_timestamp,
    read_region,
)
from kbroker.log.recovery import LoadedLog
from kbroker.protocol.errors import KAFKA_STORAGE_ERROR, OFFSET_OUT_OF_RANGE, KafkaError
from kbroker.protocol.primitives import FileRegion
from kbroker.records.batch import BatchHeader

logger = logging.getLogger(__name__)


class ReadableLog:
    """Offsets, records and look-ups of one topic partition."""

    __slots__ = (
        "_recent",
        "config",
        "high_watermark",
        "leader_epochs",
        "log_end_offset",
        "log_start_offset",
        "offline",
        "partition",
        "producers",
        "segments",
        "snapshots",
        "topic",
        "topic_id",
    )

    def __init__(
        self,
        topic: str,
        partition: int,
        topic_id: bytes,
        config: LogConfig,
        loaded: LoadedLog,
        high_watermark: int,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.topic_id = topic_id
        self.config = config
        self.offline = False
        self.log_start_offset = loaded.log_start_offset
        self.log_end_offset = loaded.log_end_offset
        self.leader_epochs = loaded.epochs
        self.producers = loaded.producers
        self.segments = loaded.segments
        self.snapshots = loaded.snapshots
        # Base offset → position of the last batches appended, all in the active segment.
        self._recent: dict[int, int] = {}
        # Moved by `commit` only.
        self.high_watermark = 0
        self.commit(high_watermark)

    def __repr__(self) -> str:
        return f"PartitionLog({self.topic}-{self.partition}, {self.log_start_offset}…{self.log_end_offset})"

    def commit(self, offset: int) -> None:
        """Set the high watermark to `offset`, or to the next that this log has."""
        if not self.log_start_offset <= offset <= self.log_end_offset:
            offset = min(max(offset, self.log_start_offset), self.log_end_offset)
        self.high_watermark = offset
        if self.producers.unreplicated:
            self.producers.on_high_watermark(offset)

    @property
    def last_stable_offset(self) -> int:
        """Where read_committed stops."""
        unstable = self.producers.first_unstable_offset
        if unstable is None or unstable >= self.high_watermark:
            return self.high_watermark
        return max(unstable, self.log_start_offset)

    @property
    def size_bytes(self) -> int:
        return self.segments.size_bytes

    @property
    def is_empty(self) -> bool:
        return self.segments.active.size == 0 and len(self.segments) == 1

    @property
    def segment_count(self) -> int:
        return len(self.segments)

    @property
    def active_segment_base_offset(self) -> int:
        return self.segments.active.base_offset

    @property
    def first_segment_base_offset(self) -> int:
        return self.segments.first.base_offset

    @property
    def latest_epoch(self) -> int:
        return self.leader_epochs.latest_epoch

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        return self.leader_epochs.end_offset_for(epoch, self.log_end_offset)

    def read(
        self, offset: int, max_bytes: int, upper_offset: int, *, at_least_one: bool = True
    ) -> FileRegion | None:
        """Whole batches from `offset` up to `upper_offset` (exclusive), about `max_bytes` of them, if any."""
        if self.offline:
            self.check_online()
        if not self.log_start_offset <= offset <= self.log_end_offset:
            raise KafkaError(
                OFFSET_OUT_OF_RANGE,
                f"Offset {offset} is outside {self.log_start_offset}…{self.log_end_offset}",
            )
        if offset >= upper_offset:
            return None
        try:
            return read_region(
                self.segments,
                self._recent,
                offset,
                max_bytes,
                upper_offset,
                self.log_end_offset,
                at_least_one,
            )
        except OSError as error:
            raise self._read_failed(error) from error

    def iterate_batches(
        self, from_offset: int, end_offset: int | None = None
    ) -> Iterator[tuple[BatchHeader, memoryview]]:
        """Each batch that ends at or behind `from_offset`, for replay; up to the log end of now."""
        end_offset = self.log_end_offset if end_offset is None else end_offset
        return iterate_batches(self.segments, from_offset, end_offset)

    def aborted_transactions(self, from_offset: int, upper_offset: int) -> list[AbortedTransaction]:
        """Those that overlap [from_offset, upper_offset)."""
        found = []
        for segment in self.segments.from_floor(from_offset):
            for entry in segment.aborted():
                if entry.last_offset >= from_offset and entry.first_offset < upper_offset:
                    found.append(entry)
                if entry.last_stable_offset >= upper_offset:
                    return found
        return found

    def offset_for_timestamp(self, timestamp: int) -> TimestampedOffset | None:
        """(offset, timestamp, leader epoch) of the first record at or after `timestamp`."""
        self.check_online()
        limit = self.config.rules.max_decompressed_bytes
        try:
            return offset_for_timestamp(self.segments, timestamp, self.log_start_offset, limit)
        except OSError as error:
            raise self._read_failed(error) from error

    def max_timestamp_offset(self) -> TimestampedOffset | None:
        """The first record with the largest timestamp; None in an empty log."""
        self.check_online()
        try:
            return max_timestamp_offset(self.segments, self.config.rules.max_decompressed_bytes)
        except OSError as error:
            raise self._read_failed(error) from error

    def check_online(self) -> None:
        if self.offline:
            raise StorageError(f"The log directory of {self.topic}-{self.partition} is offline")

    def _read_failed(self, error: OSError) -> KafkaError:
        """What can't be read takes nobody else down."""
        logger.error("%s-%d: read failed: %s", self.topic, self.partition, error)
        return StorageError(str(error))


class StorageError(KafkaError):
    """The disk refused or failed."""

    def __init__(self, why: str) -> None:
        super().__init__(KAFKA_STORAGE_ERROR, why)
