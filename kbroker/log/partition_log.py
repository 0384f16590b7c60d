"""One partition's log: append, truncate, delete, flush.

    log_start_offset ≤ last_stable_offset ≤ high_watermark ≤ log_end_offset
    flushed_offset   ≤ log_end_offset       what an unclean stop need not check
    offline          after a failed write or fsync: every call answers 56

Looking is in `readable_log.py`, starting up in `recovery.py`. An append is one step:
checked, written, noted; if the write fails, nothing has changed. Kafka:
`UnifiedLog`, `LocalLog`.
"""

import logging
from enum import Enum

from kbroker.environment import Environment
from kbroker.log.config import NO_LIMIT, LogConfig
from kbroker.log.flush import REFUSALS, Flush, Flushing
from kbroker.log.owner import LogOwner
from kbroker.log.readable_log import ReadableLog, StorageError
from kbroker.log.recovery import (
    DELETED_SUFFIX,
    LoadedLog,
    marker_of,
    note_aborted,
    replay_producers,
)
from kbroker.log.retention import count_deletable
from kbroker.log.scan import MAX_RELATIVE_OFFSET
from kbroker.log.segment import DamagedBatch, Segment
from kbroker.protocol.errors import (
    CORRUPT_MESSAGE,
    OFFSET_OUT_OF_RANGE,
    RECORD_LIST_TOO_LARGE,
    KafkaError,
)
from kbroker.records.batch import (
    BatchHeader,
    batch_crc_ok,
    read_batch_header,
    set_offset_and_leader_epoch,
)
from kbroker.records.batch import iterate_batches as split_batches
from kbroker.records.validation import validate_produced

logger = logging.getLogger(__name__)

# Appends whose positions are remembered, so that a tail fetch looks nothing up.
_RECENT_APPENDS = 32
# What is noted as one range to be written out.
_WRITEBACK_BYTES = 16 * 1024 * 1024


class AppendOrigin(Enum):
    """Who appends as leader, and so what is checked."""

    CLIENT = "client"
    COORDINATOR = "coordinator"
    RAFT = "raft"


class AppendInfo:
    """What an append did."""

    __slots__ = (
        "duplicate",
        "first_offset",
        "last_offset",
        "log_append_time_ms",
        "log_start_offset",
    )

    def __init__(
        self,
        first_offset: int,
        last_offset: int,
        log_append_time_ms: int,
        log_start_offset: int,
        duplicate: bool,
    ) -> None:
        self.first_offset = first_offset
        self.last_offset = last_offset
        self.log_append_time_ms = log_append_time_ms
        self.log_start_offset = log_start_offset
        self.duplicate = duplicate


class PartitionLog(ReadableLog):
    """The log of one topic partition in one directory."""

    __slots__ = (
        "_disk",
        "_flushing",
        "_owner",
        "_random",
        "_reported_refusal",
        "_writeback_from",
        "directory",
    )

    def __init__(
        self,
        environment: Environment,
        owner: LogOwner,
        directory: str,
        topic: str,
        partition: int,
        topic_id: bytes,
        config: LogConfig,
        loaded: LoadedLog,
        *,
        recovery_point: int,
        high_watermark: int,
        names_unsure: bool,
    ) -> None:
        super().__init__(topic, partition, topic_id, config, loaded, high_watermark)
        self.directory = directory
        self._disk = environment.disk
        self._random = environment.random
        self._owner = owner
        self._flushing = Flushing(
            self._disk,
            self,
            # What recovery checked lies in the page cache, maybe not on the disk.
            min(recovery_point, loaded.log_end_offset),
            environment.clock.wall_ms(),
            # A clean stop flushes no empty log.
            names_unsure=names_unsure or self.is_empty,
        )
        self._writeback_from = self.segments.active.size
        # (log end offset, errno) of the refusal last logged: clients retry without end.
        self._reported_refusal = (-1, 0)

    # --- facts

    @property
    def high_watermark_limit(self) -> int:
        """How far the high watermark may go: not into what a due flush has not made durable."""
        due_from = self._flushing.due_from
        return self.log_end_offset if due_from is None else due_from

    @property
    def flushed_offset(self) -> int:
        """All before it is durable: what an unclean stop need not check."""
        return self._flushing.flushed_offset

    def update_config(self, config: LogConfig) -> None:
        self.config = config

    def assign_epoch(self, leader_epoch: int) -> None:
        """This replica leads from here on in `leader_epoch`."""
        self.leader_epochs.assign(leader_epoch, self.log_end_offset)

    # --- appending

    def append_as_leader(
        self,
        records: memoryview,
        leader_epoch: int,
        now_ms: int,
        origin: AppendOrigin = AppendOrigin.CLIENT,
        produce_version: int = 13,
    ) -> AppendInfo:
        """Append one batch, giving it its offsets in place; KafkaError if it may not come in."""
        if self.offline:
            self.check_online()
        if records.readonly:
            records = memoryview(bytearray(records))
        config = self.config
        is_client = origin is AppendOrigin.CLIENT
        if is_client:
            records, header = validate_produced(records, config.rules, now_ms, produce_version)
        else:
            header = read_batch_header(records)
            assert header.size == len(records)
        if len(records) > config.segment_bytes:
            raise KafkaError(
                RECORD_LIST_TOO_LARGE,
                f"The batch has {len(records)} bytes, segment.bytes is {config.segment_bytes}",
            )
        first_offset = self.log_end_offset
        header.base_offset = first_offset
        header.partition_leader_epoch = leader_epoch
        set_offset_and_leader_epoch(records, first_offset, leader_epoch)
        if header.producer_id >= 0:
            if is_client:
                written = self.producers.duplicate_of(header)
                if written is not None:
                    return AppendInfo(
                        written.first_offset,
                        written.last_offset,
                        written.timestamp,
                        self.log_start_offset,
                        True,
                    )
            self._check_producer(records, header, is_client)
        self._write(records, header, now_ms)
        return AppendInfo(
            first_offset,
            first_offset + header.last_offset_delta,
            now_ms if config.rules.log_append_time and is_client else -1,
            self.log_start_offset,
            False,
        )

    def append_as_follower(self, records: memoryview, now_ms: int, leader_epoch: int = 2**31 - 1) -> None:
        """Append the leader's batches as they are; those of a newer epoch than `leader_epoch` wait."""
        self.check_online()
        for batch in split_batches(records):
            header = read_batch_header(batch)
            if not batch_crc_ok(batch):
                raise KafkaError(CORRUPT_MESSAGE, f"The batch at offset {header.base_offset} fails its CRC")
            if header.base_offset < self.log_end_offset:
                self._make_room_before(header, now_ms)
            if header.partition_leader_epoch > leader_epoch:
                return
            self._write(batch, header, now_ms)

    def _make_room_before(self, header: BatchHeader, now_ms: int) -> None:
        """Into an empty log a batch may come that begins before its start: the leader's starts within it."""
        if not self.is_empty or header.last_offset < self.log_end_offset:
            why = f"The batch at offset {header.base_offset} is before the log end {self.log_end_offset}"
            raise KafkaError(OFFSET_OUT_OF_RANGE, why)
        self.truncate_fully_and_start_at(header.base_offset, now_ms)

    def _check_producer(self, batch: memoryview, header: BatchHeader, is_client: bool) -> None:
        if header.is_control:
            marker = marker_of(batch, header)
            if marker is not None:
                self.producers.check_marker(header.producer_id, header.producer_epoch, marker[1])
        else:
            self.producers.check(header, check_sequence=is_client)

    def _write(self, batch: memoryview, header: BatchHeader, now_ms: int) -> None:
        """The one place where a batch enters the log."""
        segment = self.segments.active
        try:
            if self._must_roll(segment, header, len(batch), now_ms):
                # Behind a gap the log end can be too far from the batch for a relative offset.
                at_least = header.last_offset - MAX_RELATIVE_OFFSET
                segment = self._roll(max(self.log_end_offset, at_least), now_ms)
            position = segment.size
            segment.append(batch, header)
        except OSError as error:
            raise self._write_failed(error) from error
        previous_end = self.log_end_offset
        base_offset = header.base_offset
        self.log_end_offset = base_offset + header.last_offset_delta + 1
        epoch = header.partition_leader_epoch
        if epoch >= 0 and epoch != self.leader_epochs.latest_epoch:
            self.leader_epochs.assign(epoch, base_offset)
        recent = self._recent
        recent[base_offset] = position
        if len(recent) > _RECENT_APPENDS:
            del recent[next(iter(recent))]
        if header.producer_id >= 0:
            self._note_producer(segment, batch, header)
        self.producers.end_offset = self.log_end_offset
        if self.config.flush_messages != NO_LIMIT and self._flushing.on_append(previous_end):
            self._owner.request_flush(self)
        if segment.size - self._writeback_from >= _WRITEBACK_BYTES:
            start, self._writeback_from = self._writeback_from, segment.size
            self._owner.writeback.add(segment.file, start, segment.size - start)

    def _note_producer(self, segment: Segment, batch: memoryview, header: BatchHeader) -> None:
        if not header.is_control:
            self.producers.note(header)
            return
        marker = marker_of(batch, header)
        if marker is not None:
            entry = self.producers.note_marker(header, marker[1], aborted=marker[0])
            if entry is not None:
                note_aborted(segment, entry)

    def _must_roll(self, segment: Segment, header: BatchHeader, size: int, now_ms: int) -> bool:
        config = self.config
        size += segment.size
        if size > config.segment_bytes:
            return segment.size > 0
        since_first_ms = header.max_timestamp - (segment.first_timestamp or 0)
        if (
            segment.first_timestamp
            and 0 <= since_first_ms <= config.segment_ms - segment.roll_jitter_ms
            and header.base_offset + header.last_offset_delta - segment.base_offset <= MAX_RELATIVE_OFFSET
            and size < config.max_time_index_entries * segment.index_interval_bytes
        ):
            return False
        if segment.size == 0:
            return header.last_offset - segment.base_offset > MAX_RELATIVE_OFFSET
        first = segment.first_batch_timestamp()
        waited_ms = header.max_timestamp - first if first >= 0 else now_ms - segment.created_ms
        if waited_ms > config.segment_ms - segment.roll_jitter_ms:
            return True
        if header.base_offset + header.last_offset_delta - segment.base_offset > MAX_RELATIVE_OFFSET:
            return True
        entries, time_entries = segment.index_entries
        return entries >= config.max_index_entries or time_entries >= config.max_time_index_entries

    # --- rolling and flushing

    def roll(self, now_ms: int) -> None:
        """Begin a new segment at the log end, unless the active one is empty."""
        self.check_online()
        try:
            self._roll(self.log_end_offset, now_ms)
        except OSError as error:
            raise self._write_failed(error) from error

    def _roll(self, base_offset: int, now_ms: int) -> Segment:
        active = self.segments.active
        if active.base_offset == base_offset:
            return active
        # Its indexes and the producers are written by the flush that follows: they can be large.
        self._flushing.on_rolled(base_offset, self.snapshots.take(base_offset, self.producers))
        segment = self._make_segment(base_offset, now_ms)
        self.segments.append(segment)
        self._recent.clear()
        self._writeback_from = 0
        self._owner.request_flush(self)
        return segment

    def _make_segment(self, base_offset: int, now_ms: int) -> Segment:
        segment = Segment(
            self._owner.files,
            self.directory,
            base_offset,
            0,
            index_interval_bytes=self.config.index_interval_bytes,
            created_ms=now_ms,
            roll_jitter_ms=self._roll_jitter_ms(),
        )
        segment.create()
        self._flushing.on_names_changed()
        return segment

    def _roll_jitter_ms(self) -> int:
        """So that partitions made at the same time do not all roll at the same time."""
        limit = min(self.config.segment_jitter_ms, self.config.segment_ms)
        return self._random.below(limit) if limit > 0 else 0

    # --- flushing and closing

    def flush_due(self, now_ms: int) -> bool:
        """Whether flush.messages or flush.ms asks for a flush now."""
        return self._flushing.is_due_at(now_ms)

    def request_flush(self) -> None:
        self._owner.request_flush(self)

    def defer_flush(self) -> None:
        self._owner.defer_flush(self)

    def begin_flush(self, now_ms: int) -> Flush | None:
        """Work that makes all that is here now durable; None if there is none, or some is under way."""
        try:
            return self._flushing.begin(now_ms)
        except OSError as error:
            # A file that is to be synced can't be opened now.
            if error.errno in REFUSALS:
                self.defer_flush()
            else:
                self.fail(error)
            return None

    def flush(self, now_ms: int) -> None:
        """Flush here and now; for where nothing else runs. KafkaError(56) if it fails."""
        self.check_online()
        try:
            self._flushing.flush_now(now_ms)
        except OSError as error:
            raise StorageError(str(error)) from error

    def give_up_flush(self) -> None:
        """The log is being deleted: what a flush under way does not find any more is no failure."""
        self._flushing.give_up()

    @property
    def is_flushed(self) -> bool:
        """Whether a flush would have nothing to do."""
        return self._flushing.is_complete

    def mark_flushed(self) -> None:
        """Somebody has made the whole volume durable."""
        self._flushing.mark_complete()

    def write_closing_state(self) -> None:
        """Write all that a start would otherwise rebuild; the flush that follows makes it durable."""
        written = [path for segment in self.segments if segment.seal() for path in segment.index_paths()]
        written += self.snapshots.write(self.log_end_offset, self.producers)
        self._flushing.on_closing(written)

    def close(self) -> None:
        """Release the files."""
        for segment in self.segments:
            segment.close()

    # --- failures

    def _write_failed(self, error: OSError) -> KafkaError:
        """A full disk or descriptor table refuses this write and no more; other errors end the directory."""
        refusal = (self.log_end_offset, error.errno or 0)
        if refusal != self._reported_refusal:
            self._reported_refusal = refusal
            logger.error("%s-%d: write failed: %s", self.topic, self.partition, error)
        try:
            self.segments.active.trim()
        except OSError as second:
            self.fail(second)
        else:
            if error.errno not in REFUSALS:
                self.fail(error)
        return StorageError(str(error))

    def fail(self, error: OSError) -> None:
        """The disk can't be trusted any more."""
        self.offline = True
        self._owner.on_failure(error)

    # --- deleting and truncating

    def set_log_start_offset(self, offset: int, now_ms: int) -> None:
        """Records before `offset` are gone for readers; their segments go with the next retention run."""
        self.check_online()
        if offset > self.high_watermark:
            raise KafkaError(
                OFFSET_OUT_OF_RANGE, f"Offset {offset} is beyond the high watermark {self.high_watermark}"
            )
        if offset > self.log_start_offset:
            self.log_start_offset = offset
            self.leader_epochs.truncate_from_start(offset)

    def delete_old_segments(self, now_ms: int) -> int:
        """Apply retention: files are renamed now and removed later. Returns how many segments went."""
        if self.offline:
            return 0
        count = count_deletable(
            self.segments,
            self.config,
            now_ms,
            self.log_start_offset,
            self.high_watermark,
            self.log_end_offset,
        )
        if count == 0:
            return 0
        if count == len(self.segments):
            try:
                self._roll(self.log_end_offset, now_ms)
            except OSError as error:
                self._write_failed(error)
                return 0
        try:
            self._discard(self.segments.remove_first(count), now_ms)
        except OSError as error:
            self.fail(error)
            return 0
        self.set_log_start_offset(max(self.log_start_offset, self.segments.first.base_offset), now_ms)
        return count

    def _discard(self, segments: list[Segment], now_ms: int) -> None:
        """Rename the files of `segments` and their snapshots, and have them removed later."""
        renamed = []
        for segment in segments:
            segment.close()
            snapshot = self.snapshots.give_up(segment.base_offset)
            for path in segment.paths() if snapshot is None else [*segment.paths(), snapshot]:
                try:
                    self._disk.rename(path, path + DELETED_SUFFIX)
                except FileNotFoundError:
                    continue
                renamed.append(path + DELETED_SUFFIX)
        self._owner.discard(renamed, self.config.file_delete_delay_ms, now_ms)

    def truncate_to(self, offset: int, now_ms: int) -> None:
        """Forget everything from `offset` on."""
        self.check_online()
        if offset >= self.log_end_offset:
            self.leader_epochs.truncate_from_end(offset)
            return
        self.log_start_offset = min(self.log_start_offset, offset)
        try:
            # Whole batches go, so the new end may lie before `offset`.
            offset = self._batch_start(offset)
            if offset < max(self.log_start_offset, self.segments.first.base_offset):
                self.truncate_fully_and_start_at(self.log_start_offset, now_ms)
                return
            self._before_truncation(offset)
            self._discard_newest(self.segments.remove_from(offset), now_ms)
            self.segments.active.truncate(offset)
            self.log_end_offset = offset
            self._after_truncation(now_ms)
        except OSError as error:
            raise self._write_failed(error) from error

    def truncate_fully_and_start_at(self, offset: int, now_ms: int) -> None:
        """Drop all and begin anew at `offset`: a follower whose leader's log starts behind its own end."""
        self.check_online()
        try:
            self._before_truncation(0)
            self._discard_newest(list(self.segments), now_ms)
            self.segments.replace_all(self._make_segment(offset, now_ms))
            self.log_start_offset = self.log_end_offset = offset
            self._after_truncation(now_ms)
        except OSError as error:
            raise self._write_failed(error) from error

    def _batch_start(self, offset: int) -> int:
        """Where the batch that holds `offset` begins; `offset` itself in a gap or in damage."""
        try:
            found = self.segments.floor(offset).find(offset)
        except DamagedBatch:
            return offset
        return offset if found is None else min(found[1].base_offset, offset)

    def _before_truncation(self, offset: int) -> None:
        """Write down first that nothing from `offset` on is known any more."""
        self._flushing.on_truncation(offset)
        self._owner.before_truncation(self)
        self.leader_epochs.truncate_from_end(offset)
        self._flushing.save_epochs()

    def _discard_newest(self, segments: list[Segment], now_ms: int) -> None:
        """Durably, newest first: a power loss must leave no gap, and nothing behind what is written next."""
        made = [segment for segment in segments if segment.is_made]
        if made:
            self._discard(made[::-1], now_ms)
            self._disk.sync_directory(self.directory)

    def _after_truncation(self, now_ms: int) -> None:
        """Bring what follows from the records to the new end."""
        self._recent.clear()
        self._writeback_from = self.segments.active.size
        self.snapshots.remove_behind(self.log_end_offset)
        self.producers = self.snapshots.load_newest(
            self.log_end_offset, self.log_start_offset, now_ms, self.config.producer_id_expiration_ms
        )
        replay_producers(self.segments, self.producers, self.log_end_offset)
        self.commit(self.high_watermark)

    def remove_expired_producers(self, now_ms: int) -> None:
        self.producers.remove_expired(now_ms, self.config.producer_id_expiration_ms)
