"""Opening the log of one partition, whatever state its directory is in.

    after a clean stop   nothing is scanned: sizes, the last index entry, the
                         few headers behind it
    after any other      every batch from the recovery point on is checked;
                         the log ends before the first bad one
    always               what is derivable and missing or corrupt is rebuilt

Nothing found here stops the start. Kafka: `LogLoader`.
"""

import logging
from collections.abc import Callable

from kbroker.log.checkpoints import decode_epochs
from kbroker.log.config import LogConfig
from kbroker.log.identity import LogDirectoryError
from kbroker.log.index import AbortedTransaction
from kbroker.log.leader_epochs import LeaderEpochs
from kbroker.log.names import (
    INDEX_SUFFIX,
    LOG_SUFFIX,
    SEGMENT_SUFFIXES,
    SNAPSHOT_SUFFIX,
    TIME_INDEX_SUFFIX,
    TXN_INDEX_SUFFIX,
    offset_name,
    sync_paths,
)
from kbroker.log.open_files import OpenFiles
from kbroker.log.producer_state import ProducerStates
from kbroker.log.scan import SWEEP_CHUNK, Scan, holds_old_message
from kbroker.log.segment import DamagedBatch, Segment
from kbroker.log.segments import Segments
from kbroker.log.snapshots import ProducerSnapshots
from kbroker.protocol.errors import KafkaError
from kbroker.records.batch import HEADER_SIZE, LENGTH_OVERHEAD, BatchHeader
from kbroker.records.control import ABORT, COMMIT, control_type_of, end_txn_coordinator_epoch
from kbroker.records.record import walk_records

logger = logging.getLogger(__name__)

_NEVER = 2**63
EPOCHS_FILE = "leader-epoch-checkpoint"
DELETED_SUFFIX = ".deleted"
CLEANED_SUFFIX = ".cleaned"
SWAP_SUFFIX = ".swap"
TEMPORARY_SUFFIX = ".tmp"
_UNFINISHED = (DELETED_SUFFIX, CLEANED_SUFFIX, SWAP_SUFFIX, TEMPORARY_SUFFIX)
_INDEX_SUFFIXES = (INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX)

# Called with the bytes just scanned.
Progress = Callable[[int], None]


class LoadedLog:
    """What was found, made consistent."""

    __slots__ = ("epochs", "log_end_offset", "log_start_offset", "producers", "segments", "snapshots")

    def __init__(
        self,
        segments: Segments,
        epochs: LeaderEpochs,
        producers: ProducerStates,
        snapshots: ProducerSnapshots,
        log_start_offset: int,
        log_end_offset: int,
    ) -> None:
        self.segments = segments
        self.epochs = epochs
        self.producers = producers
        self.snapshots = snapshots
        self.log_start_offset = log_start_offset
        self.log_end_offset = log_end_offset


def new_log(files: OpenFiles, directory: str, config: LogConfig, now_ms: int) -> LoadedLog:
    """What there is before anything was written: nothing on the disk either."""
    segment = Segment(
        files,
        directory,
        0,
        0,
        index_interval_bytes=config.index_interval_bytes,
        created_ms=now_ms,
        is_made=False,
    )
    snapshots = ProducerSnapshots(files.disk, directory)
    return LoadedLog(Segments([segment]), LeaderEpochs([]), ProducerStates(), snapshots, 0, 0)


class _Checked:
    """What the check of a log's tail saw on its way, so that nobody has to read it again."""

    __slots__ = ("epochs", "from_offset", "has_producers")

    def __init__(self) -> None:
        # All batches from here on were seen.
        self.from_offset = _NEVER
        self.epochs: list[tuple[int, int]] = []
        self.has_producers = False

    def see(self, header: BatchHeader) -> None:
        if header.producer_id >= 0:
            self.has_producers = True
        if not self.epochs or header.partition_leader_epoch > self.epochs[-1][0]:
            self.epochs.append((header.partition_leader_epoch, header.base_offset))


class LogLoader:
    """Loads one directory; `recovery_point` is the offset below which all was flushed."""

    def __init__(
        self,
        files: OpenFiles,
        directory: str,
        config: LogConfig,
        *,
        recovery_point: int,
        log_start_offset: int,
        clean: bool,
        now_ms: int,
        progress: Progress,
    ) -> None:
        self._files = files
        self._disk = files.disk
        self._directory = directory
        self._config = config
        self._recovery_point = recovery_point
        self._log_start_offset = log_start_offset
        self._clean = clean
        self._now_ms = now_ms
        self._progress = progress
        self._names: set[str] = set()
        self._checked = _Checked()

    def load(self) -> LoadedLog:
        self._names = set(self._disk.list_directory(self._directory))
        if any(name.endswith(_UNFINISHED) for name in self._names):
            self._finish_interrupted()
        self._remove_orphans()
        segments, end_offset = self._load_segments()
        start_offset = max(self._log_start_offset, segments.first.base_offset)
        if end_offset < start_offset:
            logger.warning("%s ends at %d, before its start %d", self._directory, end_offset, start_offset)
            for segment in segments:
                self._remove_segment(segment)
            segments, end_offset = Segments([self._new_segment(start_offset)]), start_offset
        epochs = self._load_epochs(segments, start_offset, end_offset)
        snapshots = ProducerSnapshots(
            self._disk, self._directory, self._snapshot_offsets(segments, end_offset)
        )
        producers = self._load_producers(segments, snapshots, start_offset, end_offset)
        for segment in segments:
            # A descriptor each would be many; most are not needed soon.
            segment.close()
        return LoadedLog(segments, epochs, producers, snapshots, start_offset, end_offset)

    # --- files left by an interrupted stop

    def _finish_interrupted(self) -> None:
        """Drop what was being deleted or cleaned; finish the swaps that a cleaning had decided on."""
        cleaned = [_offset_of(name) for name in self._names if name.endswith(CLEANED_SUFFIX)]
        first_cleaned = min(cleaned, default=2**63)
        for name in sorted(self._names):
            undecided = name.endswith(SWAP_SUFFIX) and _offset_of(name) >= first_cleaned
            if undecided or name.endswith((DELETED_SUFFIX, CLEANED_SUFFIX, TEMPORARY_SUFFIX)):
                self._remove(name)
        for name in sorted(self._names):
            if name.endswith(LOG_SUFFIX + SWAP_SUFFIX):
                self._remove_replaced_by(name)
        for name in sorted(self._names):
            if name.endswith(SWAP_SUFFIX):
                target = name[: -len(SWAP_SUFFIX)]
                self._disk.rename(self._path(name), self._path(target))
                self._names.remove(name)
                self._names.add(target)

    def _remove_orphans(self) -> None:
        """Indexes whose segment has gone."""
        for name in [name for name in self._names if name.endswith(_INDEX_SUFFIXES)]:
            if name.partition(".")[0] + LOG_SUFFIX not in self._names:
                self._remove(name)

    def _remove_replaced_by(self, swap: str) -> None:
        """Remove the segments whose records the swapped-in one holds."""
        base_offset = _offset_of(swap)
        file = self._disk.open(self._path(swap))
        scan = Scan(file, 0, file.size(), base_offset=base_offset, chunk_bytes=SWEEP_CHUNK)
        for _ in scan:
            pass
        file.close()
        for name in sorted(self._names):
            stem, dot, suffix = name.partition(".")
            if dot + suffix in SEGMENT_SUFFIXES and base_offset <= _offset_of(stem) < scan.next_offset:
                self._remove(name)

    def _path(self, name: str) -> str:
        return f"{self._directory}/{name}"

    def _remove(self, name: str) -> None:
        self._disk.remove(self._path(name))
        self._names.discard(name)

    # --- segments

    def _load_segments(self) -> tuple[Segments, int]:
        bases = sorted(
            offset for name in self._names if name.endswith(LOG_SUFFIX) and (offset := _offset_of(name)) >= 0
        )
        if not bases:
            start = self._log_start_offset
            return Segments([self._new_segment(start, is_made=start > 0)]), start
        segments = [self._segment(base) for base in bases]
        for segment in segments[:-1]:
            if f"{offset_name(segment.base_offset)}{INDEX_SUFFIX}" not in self._names and segment.size:
                self._progress(0)
                segment.rebuild_indexes()
                segment.seal()
                sync_paths(self._disk, segment.index_paths())
        end_offset = self._end_of_clean(segments) if self._clean else self._recover(segments)
        return Segments(segments), end_offset

    def _segment(self, base_offset: int) -> Segment:
        name = offset_name(base_offset)
        segment = Segment(
            self._files,
            self._directory,
            base_offset,
            self._disk.size(self._path(name + LOG_SUFFIX)),
            index_interval_bytes=self._config.index_interval_bytes,
            created_ms=self._now_ms,
        )
        if name + TXN_INDEX_SUFFIX not in self._names:
            segment.has_no_aborted()
        if name + INDEX_SUFFIX in self._names:
            segment.indexes_dirty = False
        return segment

    def _new_segment(self, base_offset: int, *, is_made: bool = True) -> Segment:
        segment = Segment(
            self._files,
            self._directory,
            base_offset,
            0,
            index_interval_bytes=self._config.index_interval_bytes,
            created_ms=self._now_ms,
            is_made=is_made,
        )
        if is_made:
            segment.create()
        return segment

    def _remove_segment(self, segment: Segment) -> None:
        segment.close()
        for path in segment.paths():
            self._disk.remove(path)
        self._disk.remove(self._path(offset_name(segment.base_offset) + SNAPSHOT_SUFFIX))
        self._names.discard(offset_name(segment.base_offset) + SNAPSHOT_SUFFIX)

    def _end_of_clean(self, segments: list[Segment]) -> int:
        """The log end after a clean stop. Only a tail that contradicts the checkpoint is checked."""
        active = segments[-1]
        end_offset = active.base_offset
        position = active.tail_position()
        try:
            for _, header in active.batches_from(position):
                end_offset = header.next_offset
            if end_offset == self._recovery_point:
                return end_offset
        except DamagedBatch as damage:
            logger.warning("%s: %s, after a clean stop", active.path, damage)
        self._check(segments, len(segments) - 1, position)
        return active.next_offset()

    def _recover(self, segments: list[Segment]) -> int:
        """Check from the recovery point on; the log ends before the first bad batch."""
        index = 0
        while index + 1 < len(segments) and segments[index + 1].base_offset <= self._recovery_point:
            index += 1
        first = segments[index]
        position = self._position_to_check_from(first)
        self._checked.from_offset = self._recovery_point if position else first.base_offset
        while index < len(segments):
            self._check(segments, index, position)
            position = 0
            if index + 1 < len(segments):
                segments[index].seal()
                self._check_follows(segments, index)
            index += 1
        return segments[-1].next_offset()

    def _check_follows(self, segments: list[Segment], index: int) -> None:
        """A power loss can take the tail of one segment and leave the next: then that one goes too.

        Only compaction makes honest gaps.
        """
        if self._config.compact or segments[index].next_offset() == segments[index + 1].base_offset:
            return
        logger.warning("%s ends before its successor begins", segments[index].path)
        self._drop_behind(segments, index)

    def _check(self, segments: list[Segment], index: int, position: int) -> None:
        """Check CRCs of one segment from `position` on. What is damaged goes, with all that follows."""
        segment = segments[index]
        size = segment.size
        damage = segment.recover(position, self._checked.see)
        self._progress(size - position)
        if damage is None:
            return
        if holds_old_message(segment.file, segment.size, size):
            # Not damage, and not ours to cut.
            raise LogDirectoryError(
                f"{segment.path} holds messages in a format from before Kafka 0.11, "
                "which this broker does not read: let Apache Kafka rewrite or delete them first."
            )
        where = f"{segment.path}: {damage} at position {segment.size}"
        logger.warning("%s, cut there; %d bytes dropped", where, size - segment.size)
        self._drop_behind(segments, index)
        segment.trim()

    def _drop_behind(self, segments: list[Segment], index: int) -> None:
        """Newest first, and durably before anything is cut: a power loss must leave no gap."""
        for later in reversed(segments[index + 1 :]):
            logger.warning("%s: %d bytes dropped, they follow damage", later.path, later.size)
            self._remove_segment(later)
        del segments[index + 1 :]
        self._disk.sync_directory(self._directory)

    def _position_to_check_from(self, segment: Segment) -> int:
        """Where the recovery point lies; the segment's start where that can't be right."""
        if self._recovery_point <= segment.base_offset:
            return 0
        segment.relearn_indexes()
        try:
            position = segment.position_of(self._recovery_point)
        except DamagedBatch:
            return 0
        return position if segment.next_offset() >= self._recovery_point else 0

    # --- leader epochs

    def _load_epochs(self, segments: Segments, start_offset: int, end_offset: int) -> LeaderEpochs:
        """The checkpoint's epochs; where it says nothing, those of the batches."""
        entries = None
        if EPOCHS_FILE in self._names:
            entries = decode_epochs(self._disk.read_bytes(self._path(EPOCHS_FILE)))
        if entries is None:
            entries, known_until = [], start_offset
        else:
            known_until = end_offset if self._clean else self._recovery_point
        epochs = LeaderEpochs()
        # The log start may be lower than when the epochs were written down.
        known_from = entries[0][1] if entries else start_offset
        _learn_epochs(epochs, segments, start_offset, known_from)
        for epoch, epoch_start in entries:
            if epoch > epochs.latest_epoch:
                epochs.assign(epoch, epoch_start)
        epochs.truncate_from_end(end_offset)
        known_until = max(known_until, start_offset)
        if known_until >= self._checked.from_offset:
            for epoch, epoch_start in self._checked.epochs:
                if epoch > epochs.latest_epoch:
                    epochs.assign(epoch, epoch_start)
        else:
            _learn_epochs(epochs, segments, known_until, end_offset)
        epochs.truncate_from_start(start_offset)
        epochs.saved = entries
        return epochs

    # --- producers

    def _snapshot_offsets(self, segments: Segments, end_offset: int) -> list[int]:
        """Snapshots that can be used later: of segments' starts, and the newest. The others are removed."""
        names = sorted(name for name in self._names if name.endswith(SNAPSHOT_SUFFIX))
        usable = [name for name in names if segments.first.base_offset <= _offset_of(name) <= end_offset]
        bases = {segment.base_offset for segment in segments}
        kept = [name for name in usable if _offset_of(name) in bases or name == usable[-1]]
        for name in names:
            if name not in kept:
                self._remove(name)
        return [_offset_of(name) for name in kept]

    def _load_producers(
        self, segments: Segments, snapshots: ProducerSnapshots, start_offset: int, end_offset: int
    ) -> ProducerStates:
        """The producers at `end_offset`; transaction indexes that can't be read are made anew with them."""
        damaged = [segment.base_offset for segment in segments if not segment.check_aborted()]
        expiration_ms = self._config.producer_id_expiration_ms
        at_most = damaged[0] if damaged else end_offset
        states = snapshots.load_newest(at_most, start_offset, self._now_ms, expiration_ms)
        # Saved where a crash of this process would begin to replay.
        self._replay_producers(segments, states, segments.active.base_offset)
        snapshots.write(segments.active.base_offset, states)
        self._replay_producers(segments, states, end_offset)
        states.remove_expired(self._now_ms, expiration_ms)
        return states

    def _replay_producers(self, segments: Segments, states: ProducerStates, end_offset: int) -> None:
        if self._checked.has_producers:
            replay_producers(segments, states, end_offset)
        else:
            replay_producers(segments, states, min(end_offset, self._checked.from_offset))
            states.end_offset = max(states.end_offset, end_offset)


def _offset_of(name: str) -> int:
    """The offset a file is named by, -1 if it is not."""
    stem = name.partition(".")[0]
    return int(stem) if stem.isdecimal() and len(stem) == 20 else -1


def _learn_epochs(epochs: LeaderEpochs, segments: Segments, from_offset: int, end_offset: int) -> None:
    """Add the leader epochs that begin in [from_offset, end_offset)."""
    if from_offset >= end_offset:
        return
    for segment in segments.from_floor(from_offset):
        try:
            for position, header in segment.batches_from(segment.position_of(from_offset)):
                if header.base_offset >= end_offset:
                    return
                if header.partition_leader_epoch > epochs.latest_epoch:
                    epochs.assign(header.partition_leader_epoch, header.base_offset)
                if position == 0 and _opens_in_same_epoch(segments.after(segment), header):
                    break
        except DamagedBatch as damage:
            logger.warning("%s: %s", segment.path, damage)


def _opens_in_same_epoch(segment: Segment | None, header: BatchHeader) -> bool:
    """Whether nothing changes between `header`, which opens a segment, and the next segment."""
    if segment is None or segment.size == 0:
        return False
    try:
        return segment.header_at(0).partition_leader_epoch == header.partition_leader_epoch
    except DamagedBatch:
        return False


def replay_producers(segments: Segments, states: ProducerStates, end_offset: int) -> None:
    """Bring `states` up to `end_offset` by the batches behind its own end; fills transaction indexes."""
    if states.end_offset >= end_offset:
        return
    for segment in segments.from_floor(states.end_offset):
        try:
            for position, header in segment.batches_from(segment.position_of(states.end_offset)):
                if header.base_offset >= end_offset:
                    break
                if header.producer_id >= 0:
                    _replay_batch(segment, position, header, states)
        except DamagedBatch as damage:
            logger.warning("%s: %s; producers behind it are unknown", segment.path, damage)
    states.end_offset = end_offset


def _replay_batch(segment: Segment, position: int, header: BatchHeader, states: ProducerStates) -> None:
    if not header.is_control:
        states.note(header)
        return
    batch = memoryview(segment.file.pread(header.batch_length + LENGTH_OVERHEAD, position))
    marker = marker_of(batch, header)
    if marker is None:
        return
    aborted, coordinator_epoch = marker
    entry = states.note_marker(header, coordinator_epoch, aborted=aborted)
    if entry is not None:
        note_aborted(segment, entry)


def note_aborted(segment: Segment, entry: AbortedTransaction) -> None:
    """Add to the transaction index unless a replay finds it there already."""
    known = segment.aborted()
    if not known or known[-1].last_offset < entry.last_offset:
        segment.append_aborted(entry)


def marker_of(batch: memoryview, header: BatchHeader) -> tuple[bool, int] | None:
    """(aborted, coordinator epoch) of an end-of-transaction marker; None for other control batches."""
    if header.record_count == 0:
        # Compaction leaves the bare header behind.
        return None
    try:
        record = next(walk_records(batch[HEADER_SIZE:], header.record_count))
        control_type = control_type_of(record)
        if control_type not in (ABORT, COMMIT):
            return None
        return control_type == ABORT, end_txn_coordinator_epoch(record)
    except KafkaError as error:
        logger.warning("The control record at offset %d is malformed: %s", header.base_offset, error)
        return None
