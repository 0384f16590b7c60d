"""One segment: a .log file and its indexes.

    size           bytes of whole batches; what lies behind is not there
    trusted_from   bytes from here on were written or scanned by this process;
                   before it they are checked once, when they are first read
    indexes        in memory, loaded when first needed, written by `seal`

Files are opened when first needed. Kafka: `LogSegment`.
"""

import logging
from collections.abc import Callable, Iterator

from kbroker.environment import File
from kbroker.log.index import AbortedTransaction, OffsetIndex, TimeIndex, decode_aborted
from kbroker.log.names import (
    INDEX_SUFFIX,
    LOG_SUFFIX,
    SEGMENT_SUFFIXES,
    TIME_INDEX_SUFFIX,
    TXN_INDEX_SUFFIX,
    Unwritten,
    offset_name,
    replace_file,
)
from kbroker.log.open_files import OpenFiles
from kbroker.log.scan import LOOK_UP_CHUNK, MAX_RELATIVE_OFFSET, SWEEP_CHUNK, Scan, look_at
from kbroker.log.verified import VerifiedRanges
from kbroker.records.batch import LENGTH_OVERHEAD, NO_TIMESTAMP, BatchHeader

logger = logging.getLogger(__name__)

# How much is checked against its CRC in one go, so that no read blocks for long.
VERIFY_BYTES = 1024 * 1024
# Sequential readers of one segment whose place is remembered.
_HINTS = 32
# In place of an index that is not in memory; nobody writes to it.
_NO_TIMES = TimeIndex()


class DamagedBatch(Exception):
    """Bytes that are no valid batch lie where one is wanted."""

    def __init__(self, position: int, why: str) -> None:
        super().__init__(f"{why} at position {position}")
        self.position = position


class Segment:
    """Batches from `base_offset` on."""

    __slots__ = (
        "_aborted",
        "_file",
        "_files",
        "_hints",
        "_index",
        "_prefix",
        "_rebuilt",
        "_reported_damage",
        "_since_index",
        "_time_index",
        "_timestamps_known",
        "_verified",
        "base_offset",
        "created_ms",
        "first_timestamp",
        "index_interval_bytes",
        "indexes_dirty",
        "is_made",
        "max_timestamp",
        "offset_of_max_timestamp",
        "roll_jitter_ms",
        "size",
        "trusted_from",
    )

    def __init__(
        self,
        files: OpenFiles,
        directory: str,
        base_offset: int,
        size: int,
        *,
        index_interval_bytes: int,
        created_ms: int,
        roll_jitter_ms: int = 0,
        is_made: bool = True,
    ) -> None:
        self.base_offset = base_offset
        self.size = size
        self.created_ms = created_ms
        self.roll_jitter_ms = roll_jitter_ms
        self.trusted_from = size
        # A log that never got a record has no file yet.
        self.is_made = is_made
        self.indexes_dirty = size == 0
        # Max timestamp of the first batch: where segment.ms counts from. None until known.
        self.first_timestamp: int | None = None
        self.max_timestamp = NO_TIMESTAMP
        self.offset_of_max_timestamp = base_offset
        self._files = files
        self._prefix = f"{directory}/{offset_name(base_offset)}"
        self.index_interval_bytes = index_interval_bytes
        self._since_index = 0
        self._file: File | None = None
        self._index: OffsetIndex | None = None
        self._time_index = _NO_TIMES
        # The largest timestamp outlives the indexes it was read from.
        self._timestamps_known = size == 0
        self._aborted: list[AbortedTransaction] | None = [] if size == 0 else None
        self._verified: VerifiedRanges | None = None
        self._rebuilt = False
        self._reported_damage = -1
        # Offset → position where reads have ended between index entries: where sequential readers come back.
        self._hints: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"Segment({self.path}, {self.size} bytes)"

    @property
    def path(self) -> str:
        return self._prefix + LOG_SUFFIX

    @property
    def directory(self) -> str:
        return self._prefix.rpartition("/")[0]

    @property
    def file(self) -> File:
        if self._file is None:
            self._file = self._files.open(self)
        return self._file

    # --- writing

    def create(self) -> None:
        """Make the empty file of a new segment, whatever lay there before."""
        self.is_made = False
        self.file.truncate(0)

    def append(self, batch: memoryview, header: BatchHeader) -> None:
        """Write one batch whose offsets are set. OSError leaves the segment as it was, in memory."""
        if self._index is None:
            self.load_indexes()
        (self._file or self.file).append(batch)
        self.note(self.size, header, len(batch))

    def note(self, position: int, header: BatchHeader, size: int) -> None:
        """Account for the batch at `position`, the present end."""
        last_offset = header.base_offset + header.last_offset_delta
        if position == 0:
            self.first_timestamp = header.max_timestamp
        if header.max_timestamp > self.max_timestamp:
            self.max_timestamp = header.max_timestamp
            self.offset_of_max_timestamp = last_offset
        if self._since_index > self.index_interval_bytes:
            assert self._index is not None
            base_offset = self.base_offset
            self._index.append(header.base_offset - base_offset, last_offset - base_offset, position)
            self._time_index.append(self.max_timestamp, self.offset_of_max_timestamp - self.base_offset)
            self._since_index = 0
        self._since_index += size
        self.size = position + size
        self.indexes_dirty = True

    def append_aborted(self, entry: AbortedTransaction) -> None:
        """Note an aborted transaction whose marker lies in this segment."""
        self.aborted().append(entry)
        file = self._files.disk.open(self._prefix + TXN_INDEX_SUFFIX, create=True)
        file.append(entry.encode())
        file.close()

    def trim(self) -> None:
        """Cut off what lies behind the last good batch: of a failed write, or found damaged."""
        if self._file is not None:
            self._file.truncate(self.size)

    def seal(self) -> bool:
        """Write the indexes as Kafka leaves them behind on roll and close, unsynced; whether it was due."""
        unwritten = self.unwritten_indexes()
        for path, encode in unwritten:
            replace_file(self._files.disk, path, encode())
        if unwritten:
            self.indexes_dirty = False
        return bool(unwritten)

    def unwritten_indexes(self) -> list[Unwritten]:
        """What `seal` has to write; for a segment that has a successor a thread may do it."""
        if not self.indexes_dirty or not self.is_made:
            return []
        if self._index is None:
            self.load_indexes()
        assert self._index is not None
        self._time_index.append(self.max_timestamp, self.offset_of_max_timestamp - self.base_offset)
        return [
            (self._prefix + INDEX_SUFFIX, self._index.as_it_is().encode),
            (self._prefix + TIME_INDEX_SUFFIX, self._time_index.as_it_is().encode),
        ]

    def paths(self) -> list[str]:
        """All files that may exist."""
        return [self._prefix + suffix for suffix in SEGMENT_SUFFIXES]

    def index_paths(self) -> list[str]:
        """The files that `seal` writes, and the transaction index."""
        return [self._prefix + suffix for suffix in SEGMENT_SUFFIXES[1:]]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._files.forget(self)

    # --- indexes

    @property
    def indexes_loaded(self) -> bool:
        return self._index is not None

    @property
    def index_entries(self) -> tuple[int, int]:
        """How many entries the offset and the time index have."""
        if self._index is None:
            self.load_indexes()
        assert self._index is not None
        return len(self._index), len(self._time_index)

    def drop_indexes(self) -> None:
        """Give the memory back; they are read again when needed."""
        if not self.indexes_dirty:
            self._index = None
            self._time_index = _NO_TIMES

    def load_indexes(self) -> None:
        """Read both indexes; rebuild them where they do not fit the log."""
        if self.size == 0:
            self._index, self._time_index = OffsetIndex(), TimeIndex()
            return
        index = OffsetIndex.decode(self._read(INDEX_SUFFIX), self.size)
        last = index.last()
        sane = self.size <= self.index_interval_bytes if last is None else self._is_batch(*last)
        if sane:
            time_index = TimeIndex.decode(self._read(TIME_INDEX_SUFFIX), MAX_RELATIVE_OFFSET)
            self._index, self._time_index = index, time_index
            sane = self._take_max_timestamp()
        if not sane:
            self.rebuild_indexes()
        self._timestamps_known = True

    def _read(self, suffix: str) -> bytes:
        try:
            return self._files.disk.read_bytes(self._prefix + suffix)
        except FileNotFoundError:
            return b""

    def tail_position(self) -> int:
        """Where the last indexed batch begins: no more than a few batches follow."""
        if self._index is None:
            if self.size <= self.index_interval_bytes:
                return 0
            last = self._last_entry_on_disk()
            if last is not None and self._is_batch(*last):
                return last[1]
            self.load_indexes()
        assert self._index is not None
        entry = self._index.last()
        return 0 if entry is None else entry[1]

    def _last_entry_on_disk(self) -> tuple[int, int] | None:
        try:
            file = self._files.disk.open(self._prefix + INDEX_SUFFIX)
        except FileNotFoundError:
            return None
        end = file.size() // OffsetIndex.ENTRY_SIZE * OffsetIndex.ENTRY_SIZE
        data = file.pread(OffsetIndex.ENTRY_SIZE, max(end - OffsetIndex.ENTRY_SIZE, 0)) if end else b""
        file.close()
        return OffsetIndex.decode(data, self.size).last()

    def next_offset(self) -> int:
        """The offset behind the last batch."""
        offset = self.base_offset
        for _, header in self._scan(self.tail_position()):
            offset = header.next_offset
        return offset

    def _is_batch(self, relative_offset: int, position: int) -> bool:
        for _, header in self._scan(position):
            return header.last_offset == self.base_offset + relative_offset
        return False

    def _take_max_timestamp(self) -> bool:
        """Adopt the time index's last entry if the batch it names agrees."""
        last = self._time_index.last()
        if last is None:
            # Honest where records carry no time.
            return self.first_batch_timestamp() < 0
        timestamp, relative_offset = last
        try:
            found = self.find(self.base_offset + relative_offset)
        except DamagedBatch:
            # Nothing better can be learned from the log.
            found = None
        else:
            if found is None or found[1].max_timestamp != timestamp:
                return False
        self.max_timestamp = timestamp
        self.offset_of_max_timestamp = self.base_offset + relative_offset
        return True

    def relearn_indexes(self) -> None:
        """After an unclean stop: a write that it interrupted may have left indexes with entries missing."""
        if self._index is None:
            self.load_indexes()
        if not self._rebuilt:
            self.rebuild_indexes()

    def rebuild_indexes(self) -> None:
        """From the batch headers. Behind damage the old entries are all there is: they stay."""
        self._rebuilt = True
        old = self._index
        size = self.size
        self._index, self._time_index = OffsetIndex(), TimeIndex()
        self._since_index = 0
        self.max_timestamp = NO_TIMESTAMP
        self.offset_of_max_timestamp = self.base_offset
        scan = self._scan(0, chunk_bytes=SWEEP_CHUNK)
        for position, header in scan:
            self.note(position, header, header.batch_length + LENGTH_OVERHEAD)
        self.size = size
        if scan.damage is not None:
            logger.warning("%s: %s at position %d", self.path, scan.damage, scan.position)
            if old is not None:
                self._index.extend_beyond(old, scan.position)
        self.indexes_dirty = True

    def _scan(self, position: int, *, check_crc: bool = False, chunk_bytes: int = LOOK_UP_CHUNK) -> Scan:
        return Scan(
            self.file,
            position,
            self.size,
            base_offset=self.base_offset,
            check_crc=check_crc,
            chunk_bytes=chunk_bytes,
        )

    def first_batch_timestamp(self) -> int:
        """The max timestamp of the first batch, -1 when there is none."""
        if self.first_timestamp is None:
            if self.size == 0:
                return NO_TIMESTAMP
            self.first_timestamp = NO_TIMESTAMP
            for _, header in self._scan(0):
                self.first_timestamp = header.max_timestamp
                break
        return self.first_timestamp

    def max_known_timestamp(self) -> int:
        """The largest record timestamp, -1 when there is none."""
        if not self._timestamps_known:
            self.load_indexes()
        return self.max_timestamp

    def largest_timestamp(self) -> int:
        """What retention goes by: the largest record timestamp, or else the file's modification time."""
        timestamp = self.max_known_timestamp()
        return timestamp if timestamp >= 0 else self._files.disk.modified_ms(self.path)

    # --- looking up

    def batches_from(self, position: int, *, check_crc: bool = False) -> Iterator[tuple[int, BatchHeader]]:
        """Each batch from the boundary `position` on; DamagedBatch where they stop being batches."""
        scan = self._scan(position, check_crc=check_crc, chunk_bytes=SWEEP_CHUNK)
        yield from scan
        if scan.damage is not None:
            raise DamagedBatch(scan.position, scan.damage)

    def _walk(self, entry: tuple[int, int] | None) -> Iterator[tuple[int, BatchHeader]]:
        """Batches from an index entry on. An entry that lies makes the index be rebuilt, once."""
        scan = self._scan(0 if entry is None else entry[1])
        if entry is None:
            yield from scan
        else:
            expected = self.base_offset + entry[0]
            for position, header in scan:
                if position == entry[1] and header.last_offset != expected:
                    scan.damage = f"an index entry for offset {expected} that leads elsewhere"
                    scan.position = position
                    break
                yield position, header
            if scan.damage is not None and scan.position == entry[1] and not self._rebuilt:
                self.rebuild_indexes()
                scan = self._scan(0)
                yield from scan
        if scan.damage is not None:
            raise self._damaged(scan.position, scan.damage)

    def find(self, offset: int) -> tuple[int, BatchHeader] | None:
        """Position and header of the first batch that ends at or behind `offset`."""
        if self._index is None:
            self.load_indexes()
        assert self._index is not None
        for position, header in self._walk(self._index.floor_offset(offset - self.base_offset)):
            if header.base_offset + header.last_offset_delta >= offset:
                return position, header
        return None

    def position_of(self, offset: int) -> int:
        """Where the first batch that ends at or behind `offset` begins; `size` when there is none."""
        if offset <= self.base_offset:
            return 0
        position = self._hints.get(offset)
        if position is None and self._index is not None:
            position = self._index.position_of(offset - self.base_offset)
        if position is not None:
            return position
        found = self.find(offset)
        return self.size if found is None else found[0]

    def boundary(self, start: int, limit: int) -> int:
        """The last batch boundary in [start, limit]; `start` itself is one."""
        if self._index is None:
            self.load_indexes()
        assert self._index is not None
        known = self._index.boundary(limit)
        if known is not None:
            return max(start, known)
        entry = self._index.floor_position(limit)
        if entry is not None and entry[1] > start and self._ends_at(self._index, *entry, limit):
            return entry[1]
        walk = self._walk(entry) if entry is not None and entry[1] > start else iter(self._scan(start))
        end = start
        try:
            for position, header in walk:
                end = position + header.batch_length + LENGTH_OVERHEAD
                if end > limit:
                    self._remember(header.base_offset, position)
                    return position
        except DamagedBatch as damage:
            return max(start, damage.position)
        return end

    def _ends_at(self, index: OffsetIndex, relative_offset: int, position: int, limit: int) -> bool:
        """Whether the batch of an index entry is the first that goes beyond `limit`: no need to walk."""
        header = look_at(self.file, position)
        if header is None or header.last_offset != self.base_offset + relative_offset:
            return False
        first_offset = header.base_offset - self.base_offset
        if not 0 <= first_offset <= relative_offset:
            return False
        index.see(position, first_offset)
        return position + header.batch_length + LENGTH_OVERHEAD > limit

    def _remember(self, offset: int, position: int) -> None:
        hints = self._hints
        hints[offset] = position
        if len(hints) > _HINTS:
            del hints[next(iter(hints))]

    def end_of(self, position: int) -> int:
        """Where the batch at the boundary `position` ends."""
        end = None if self._index is None else self._index.end_of(position)
        return position + self.header_at(position).batch_length + LENGTH_OVERHEAD if end is None else end

    def header_at(self, position: int) -> BatchHeader:
        """The header of the batch at the boundary `position`."""
        scan = self._scan(position)
        for _, header in scan:
            return header
        raise DamagedBatch(position, scan.damage or "no batch")

    def verified_end(self, start: int, end: int) -> int:
        """How far from `start` batches may be served, at most to `end`; DamagedBatch if not even one.

        Checks CRCs of what was not checked since the start, at least one
        batch and then no more than `VERIFY_BYTES`.
        """
        if start >= self.trusted_from:
            return end
        if self._verified is None:
            self._verified = VerifiedRanges()
        limit = min(end, self.trusted_from)
        position = min(self._verified.end_of(start), limit)
        if position == limit:
            return end
        scan = Scan(
            self.file, position, end, base_offset=self.base_offset, check_crc=True, chunk_bytes=SWEEP_CHUNK
        )
        for _ in scan:
            if scan.position >= limit or scan.position - position >= VERIFY_BYTES:
                break
        self._verified.add(position, scan.position)
        if scan.position == start:
            raise self._damaged(start, str(scan.damage))
        return end if scan.position >= limit else scan.position

    def _damaged(self, position: int, why: str) -> DamagedBatch:
        """Say it once: whoever wants these bytes will ask again and again."""
        if self._reported_damage != position:
            self._reported_damage = position
            logger.error("%s: %s at position %d; not served", self.path, why, position)
        return DamagedBatch(position, why)

    # --- time

    def find_timestamp(self, timestamp: int, from_offset: int) -> Iterator[tuple[int, BatchHeader]]:
        """Batches that may hold the first record at or after `timestamp`, from `from_offset` on."""
        if self._index is None:
            self.load_indexes()
        assert self._index is not None
        entry = self._time_index.floor(timestamp)
        relative = from_offset - self.base_offset
        if entry is not None:
            relative = max(relative, entry[1])
        for position, header in self._walk(self._index.floor_offset(relative)):
            if header.max_timestamp >= timestamp and header.last_offset >= from_offset:
                yield position, header

    # --- transactions

    def aborted(self) -> list[AbortedTransaction]:
        """Aborted transactions whose marker lies here."""
        if self._aborted is None:
            entries = decode_aborted(self._read(TXN_INDEX_SUFFIX))
            self._aborted = [] if entries is None else entries
        return self._aborted

    def has_no_aborted(self) -> None:
        """There is no transaction index file: save looking for it."""
        self._aborted = []

    def check_aborted(self) -> bool:
        """Whether the transaction index can be read; else it is dropped, to be made anew by replay."""
        if self._aborted is None and decode_aborted(self._read(TXN_INDEX_SUFFIX)) is None:
            self._aborted = []
            self._files.disk.remove(self._prefix + TXN_INDEX_SUFFIX)
            return False
        return True

    # --- cutting

    def truncate(self, offset: int) -> None:
        """Cut at the batch that holds `offset`; what is before stays."""
        try:
            position = self.position_of(offset)
        except DamagedBatch as damage:
            position = damage.position
        self.cut(position)
        kept = [entry for entry in self.aborted() if entry.last_offset < offset]
        if len(kept) != len(self.aborted()):
            self._aborted = kept
            data = b"".join(entry.encode() for entry in kept)
            replace_file(self._files.disk, self._prefix + TXN_INDEX_SUFFIX, data)

    def cut(self, position: int) -> None:
        """Make the boundary `position` the end."""
        self._forget_behind(position)
        self.file.truncate(position)

    def recover(self, position: int, see: Callable[[BatchHeader], None]) -> str | None:
        """Check every batch from the boundary `position` on; end before the first bad one and say why.

        `see` is shown each good one. The indexes are made anew for what is
        checked. The file is left to `trim`.
        """
        end = self.size
        self._forget_behind(position)
        scan = Scan(
            self.file, position, end, base_offset=self.base_offset, check_crc=True, chunk_bytes=SWEEP_CHUNK
        )
        for at, header in scan:
            self.note(at, header, header.batch_length + LENGTH_OVERHEAD)
            see(header)
        return scan.damage

    def _forget_behind(self, position: int) -> None:
        """Set size and indexes to what they were with `position` as the end."""
        if position == 0:
            self._index, self._time_index = OffsetIndex(), TimeIndex()
            self._timestamps_known = True
            self.first_timestamp = None
        elif self._index is None:
            self.load_indexes()
        assert self._index is not None
        self.size = position
        self.trusted_from = min(self.trusted_from, position)
        self.indexes_dirty = True
        self._hints.clear()
        self._since_index = 0
        self._index.truncate(position)
        last = self._index.last()
        # Time entries are made with offset entries, but for the one forced at the end.
        self._time_index.truncate(0 if last is None else last[0] + 1)
        self.max_timestamp, self.offset_of_max_timestamp = NO_TIMESTAMP, self.base_offset
        entry = self._time_index.last()
        if entry is not None:
            self.max_timestamp, self.offset_of_max_timestamp = entry[0], self.base_offset + entry[1]
        for _, header in self._scan(0 if last is None else last[1]):
            if header.max_timestamp > self.max_timestamp:
                self.max_timestamp, self.offset_of_max_timestamp = header.max_timestamp, header.last_offset
