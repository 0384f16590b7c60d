"""How far one log is on the disk, and the fsync that moves it on.

    flush = log.begin_flush(now)  on the loop: what must become durable
    flush.work()                  off the loop: touches files only
    flush.done(error)             on the loop: moves flushed_offset, or takes the log offline

So that many logs share one trip off the loop. While a flush that
`flush.messages` asks for is due, the high watermark may not pass what is
flushed. A failed fsync is never retried: the kernel may have dropped the
pages and would then report success. What is refused before it comes to that
(no descriptor, no room for the leader epochs) is tried again later.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kbroker.log.checkpoints import encode_epochs
from kbroker.log.names import replace_file, sync_paths
from kbroker.log.recovery import EPOCHS_FILE

if TYPE_CHECKING:
    from kbroker.environment import Disk, File
    from kbroker.log.partition_log import PartitionLog
    from kbroker.log.segment import Segment

logger = logging.getLogger(__name__)

PARTITION_METADATA = "partition.metadata"
# Errors that pass: nothing is wrong with the disk.
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
REFUSALS = (errno.ENOSPC, errno.EDQUOT, *_NO_DESCRIPTORS)

FlushDone = Callable[["Flush", BaseException | None], None]


class Flush:
    """Work that makes a log durable up to `end_offset`."""

    __slots__ = (
        "_directories",
        "_disk",
        "_done",
        "_epochs",
        "_files",
        "_indexes",
        "end_offset",
        "given_up",
        "paths",
        "refused",
        "sealed",
        "snapshots",
    )

    def __init__(
        self,
        disk: Disk,
        end_offset: int,
        files: Sequence[File],
        sealed: Sequence[Segment],
        snapshots: Mapping[str, bytes],
        paths: Sequence[str],
        directories: Sequence[str],
        epochs: tuple[str, bytes] | None,
        done: FlushDone,
    ) -> None:
        self.end_offset = end_offset
        self.given_up = False
        self.refused: OSError | None = None
        self._disk = disk
        self._files = files
        # Segments whose indexes are to be written.
        self.sealed = sealed
        self._indexes = [unwritten for segment in sealed for unwritten in segment.unwritten_indexes()]
        self.snapshots = snapshots
        # Small files beside the log: opened only to be synced.
        self.paths = paths
        self._directories = directories
        self._epochs = epochs
        self._done = done

    def work(self) -> None:
        try:
            self._make_durable()
        except FileNotFoundError:
            # Deleted since, or set aside: nothing to keep.
            if not self.given_up:
                raise
        except OSError as error:
            if error.errno not in _NO_DESCRIPTORS:
                raise
            self.refused = error

    def _make_durable(self) -> None:
        try:
            for path, encode in self._indexes:
                replace_file(self._disk, path, encode())
            for path, data in self.snapshots.items():
                replace_file(self._disk, path, data)
        except OSError as error:
            if error.errno not in REFUSALS:
                raise
            self.refused = error
            return
        for file in self._files:
            file.sync()
        sync_paths(self._disk, self.paths)
        # In the directory there may be another log of that name by now.
        if self._epochs is not None and not self.given_up:
            try:
                self._disk.write_atomically(*self._epochs)
            except OSError as error:
                if error.errno not in REFUSALS:
                    raise
                self.refused = error
                return
        for directory in self._directories:
            self._disk.sync_directory(directory)

    def done(self, error: BaseException | None) -> None:
        self._done(self, error)


class Flushing:
    """What of a log is durable. `log` is the one it belongs to."""

    __slots__ = (
        "_current",
        "_disk",
        "_is_new",
        "_last_flush_ms",
        "_log",
        "_names_changed",
        "_snapshots",
        "_written",
        "due_from",
        "flushed_offset",
    )

    def __init__(
        self, disk: Disk, log: PartitionLog, flushed_offset: int, now_ms: int, *, names_unsure: bool
    ) -> None:
        self.flushed_offset = flushed_offset
        self._disk = disk
        self._log = log
        self._current: Flush | None = None
        # The high watermark's limit while a flush is due.
        self.due_from: int | None = None
        self._last_flush_ms = now_ms
        # What no flush of this process has made durable: names in the directory, the directory itself.
        self._names_changed = names_unsure
        self._is_new = names_unsure
        # Taken when a segment was rolled, to be written by the next flush.
        self._snapshots: dict[str, bytes] = {}
        # Files of a clean stop that are not durable yet.
        self._written: list[str] = []

    @property
    def is_complete(self) -> bool:
        """Whether a flush would have nothing to do."""
        log = self._log
        names_durable = log.is_empty or not (self._names_changed or self._is_new)
        return names_durable and not self._written and self.flushed_offset == log.log_end_offset

    def is_due_at(self, now_ms: int) -> bool:
        """Whether flush.messages or flush.ms asks for a flush now."""
        if self._log.offline or self.flushed_offset == self._log.log_end_offset:
            return False
        return self.due_from is not None or now_ms - self._last_flush_ms >= self._log.config.flush_ms

    def on_append(self, previous_end: int) -> bool:
        """Whether this append made a flush due."""
        unflushed = self._log.log_end_offset - self.flushed_offset
        if unflushed < self._log.config.flush_messages or self.due_from is not None:
            return False
        self.due_from = previous_end
        return True

    def on_names_changed(self) -> None:
        self._names_changed = True

    def on_rolled(self, base_offset: int, snapshots: Mapping[str, bytes]) -> None:
        """The next flush writes these, and the indexes of the segment before `base_offset`."""
        self._snapshots.update(snapshots)
        self._flushed_at_most(base_offset - 1)

    def on_truncation(self, offset: int) -> None:
        """What a flush under way makes durable behind `offset` is no longer in the log."""
        self._flushed_at_most(offset)
        self.due_from = None
        if self._current is not None:
            # The last of them may be active again, its indexes others.
            self._current.sealed = ()

    def _flushed_at_most(self, offset: int) -> None:
        self.flushed_offset = min(self.flushed_offset, offset)
        if self._current is not None:
            self._current.end_offset = min(self._current.end_offset, offset)

    def give_up(self) -> None:
        """The log is being deleted."""
        if self._current is not None:
            self._current.given_up = True

    def begin(self, now_ms: int) -> Flush | None:
        """Work that makes all that is here now durable; None if there is none, or some is under way."""
        log = self._log
        if self.is_complete or log.offline or self._current is not None:
            return None
        self._last_flush_ms = now_ms
        segments = log.segments.from_floor(self.flushed_offset)
        # May be refused; nothing has changed then.
        files = [segment.file for segment in segments]
        paths = [path for segment in segments[:-1] for path in segment.index_paths()]
        paths += log.snapshots.paths_behind(self.flushed_offset)
        paths += self._written
        self._written.clear()
        directories = [log.directory] if self._names_changed else []
        if self._is_new:
            # Without its name and its topic's id the log would be nobody's.
            paths.append(f"{log.directory}/{PARTITION_METADATA}")
            directories += [log.directory, log.directory.rpartition("/")[0]]
        self._names_changed = self._is_new = False
        known = log.snapshots.paths()
        snapshots = {path: data for path, data in self._snapshots.items() if path in known}
        self._snapshots.clear()
        self._current = Flush(
            self._disk,
            log.log_end_offset,
            files,
            [segment for segment in segments[:-1] if segment.indexes_dirty],
            snapshots,
            paths,
            directories,
            self._unsaved_epochs(),
            self._on_done,
        )
        return self._current

    def _unsaved_epochs(self) -> tuple[str, bytes] | None:
        epochs = self._log.leader_epochs
        entries = epochs.unsaved(self._log.log_end_offset)
        if entries is None:
            return None
        epochs.saved = entries
        return f"{self._log.directory}/{EPOCHS_FILE}", encode_epochs(entries)

    def save_epochs(self) -> None:
        """Write the leader epochs down now, if they have changed."""
        unsaved = self._unsaved_epochs()
        if unsaved is not None:
            self._disk.write_atomically(*unsaved)

    def on_closing(self, written: Sequence[str]) -> None:
        """A clean stop has written these files, unsynced, as it does now with the leader epochs."""
        for path, data in self._snapshots.items():
            replace_file(self._disk, path, data)
        self._written += self._snapshots
        self._snapshots.clear()
        self._written += written
        unsaved = self._unsaved_epochs()
        if unsaved is not None:
            path, data = unsaved
            file = self._disk.open(f"{path}.tmp", create=True)
            file.truncate(0)
            file.append(data)
            file.close()
            self._disk.rename(f"{path}.tmp", path)
            self._written.append(path)
        if self._written:
            self._names_changed = True

    def _on_done(self, flush: Flush, error: BaseException | None) -> None:
        if self._current is flush:
            self._current = None
        if error is not None:
            if not isinstance(error, OSError):
                raise error
            self._log.fail(error)
            return
        self._forget_overtaken(flush)
        if flush.refused is not None:
            self._try_again_later(flush, flush.refused)
            return
        self.flushed_offset = max(self.flushed_offset, flush.end_offset)
        for segment in flush.sealed:
            self._log.segments.on_sealed(segment)
        if self.due_from is not None:
            if self._log.log_end_offset - self.flushed_offset >= self._log.config.flush_messages:
                self.due_from = max(self.due_from, self.flushed_offset)
                self._log.request_flush()
            else:
                self.due_from = None

    def _forget_overtaken(self, flush: Flush) -> None:
        """Snapshots that were dropped while they were being written."""
        if flush.snapshots and not flush.given_up:
            known = self._log.snapshots.paths()
            for path in flush.snapshots.keys() - known:
                self._disk.remove(path)

    def _try_again_later(self, flush: Flush, error: OSError) -> None:
        """Nothing more is known to be durable, and nothing is lost: housekeeping brings the next try."""
        logger.warning("%s: a flush has to wait: %s", self._log.directory, error)
        self._snapshots.update(flush.snapshots)
        self._written += flush.paths
        self._names_changed = self._is_new = True
        self._log.leader_epochs.saved = ()
        self._log.defer_flush()

    def flush_now(self, now_ms: int) -> None:
        """Here, inline; OSError if it fails. One that is under way elsewhere changes nothing."""
        self._current = None
        flush = self.begin(now_ms)
        if flush is None:
            return
        try:
            flush.work()
        except OSError as error:
            flush.done(error)
            raise
        flush.done(None)
        if flush.refused is not None:
            raise flush.refused

    def mark_complete(self) -> None:
        """Somebody has made the whole volume durable."""
        self.flushed_offset = self._log.log_end_offset
        self._names_changed = self._is_new = False
        self._written.clear()
        self.due_from = None
