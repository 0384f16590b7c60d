"""Walking the batches of a file, trusting nothing in it.

A scan ends at `end`, or where the bytes stop being batches; then `damage`
says why and `position` where. Memory is bounded by the chunk size however
large a batch claims to be.
"""

from collections.abc import Iterator
from struct import Struct
from zlib import crc32

from kbroker.environment import File
from kbroker.records.batch import HEADER_SIZE, LENGTH_OVERHEAD, MAGIC, BatchHeader, read_batch_header
from kbroker.records.crc import crc32c

# Enough for an index interval: look-ups rarely need a second read.
LOOK_UP_CHUNK = 4096 + HEADER_SIZE
SWEEP_CHUNK = 256 * 1024
MAX_RELATIVE_OFFSET = 2**31 - 1
_CRC_FROM = 21
# Offset, size, CRC-32 of what follows it, magic.
_OLD_HEADER = Struct(">qiIB")
_OLD_CRC_FROM = 16
_MAX_OLD_MESSAGE = 64 * 1024 * 1024


def holds_old_message(file: File, position: int, end: int) -> bool:
    """Whether a message of format 0 or 1, with a CRC that fits, lies at `position`."""
    head = file.pread(_OLD_HEADER.size, position)
    if len(head) < _OLD_HEADER.size:
        return False
    size: int
    crc: int
    magic: int
    _, size, crc, magic = _OLD_HEADER.unpack(head)
    if magic not in (0, 1) or not 14 <= size <= min(end - position - LENGTH_OVERHEAD, _MAX_OLD_MESSAGE):
        return False
    return crc32(file.pread(size - 4, position + _OLD_CRC_FROM)) == crc


def look_at(file: File, position: int) -> BatchHeader | None:
    """The header at `position`, if there is one of format 2; nothing else of it is checked."""
    data = file.pread(HEADER_SIZE, position)
    if len(data) < HEADER_SIZE:
        return None
    header = read_batch_header(data)
    return header if header.magic == MAGIC else None


class Scan:
    """Iterate for (position, header) of each batch in [position, end) of a segment."""

    __slots__ = (
        "_check_crc",
        "_chunk",
        "_chunk_bytes",
        "_chunk_start",
        "_end",
        "_file",
        "_last_possible_offset",
        "damage",
        "next_offset",
        "position",
    )

    def __init__(
        self,
        file: File,
        position: int,
        end: int,
        *,
        base_offset: int,
        check_crc: bool = False,
        chunk_bytes: int = LOOK_UP_CHUNK,
    ) -> None:
        self.position = position
        self.next_offset = base_offset
        self.damage: str | None = None
        self._file = file
        # Offsets of a segment are 31 bits wide, relative to its base offset.
        self._last_possible_offset = base_offset + MAX_RELATIVE_OFFSET
        self._end = end
        self._check_crc = check_crc
        self._chunk_bytes = chunk_bytes
        self._chunk = b""
        self._chunk_start = position

    def __iter__(self) -> Iterator[tuple[int, BatchHeader]]:
        while self.position < self._end:
            header = self._header()
            if header is None:
                return
            self.damage = self._damage_of(header)
            if self.damage is not None:
                return
            position = self.position
            self.position += header.batch_length + LENGTH_OVERHEAD
            self.next_offset = header.base_offset + header.last_offset_delta + 1
            yield position, header

    def _header(self) -> BatchHeader | None:
        at = self.position - self._chunk_start
        if at + HEADER_SIZE > len(self._chunk):
            wanted = min(self._chunk_bytes, self._end - self.position)
            self._chunk = self._file.pread(wanted, self.position)
            self._chunk_start = self.position
            at = 0
            if len(self._chunk) < HEADER_SIZE:
                self.damage = "cut within a batch header"
                return None
        return read_batch_header(self._chunk, at)

    def _damage_of(self, header: BatchHeader) -> str | None:
        if header.magic != MAGIC:
            return f"magic {header.magic}"
        if header.batch_length < HEADER_SIZE - LENGTH_OVERHEAD:
            return f"batch length {header.batch_length}"
        if self.position + header.batch_length + LENGTH_OVERHEAD > self._end:
            return "cut within a batch"
        if header.base_offset < self.next_offset or header.last_offset_delta < 0:
            return f"offset {header.base_offset} where at least {self.next_offset} was due"
        if header.base_offset + header.last_offset_delta > self._last_possible_offset:
            return f"offset {header.base_offset}, too far from the segment's start"
        if self._check_crc and self._crc(header) != header.crc:
            return "CRC mismatch"
        return None

    def _crc(self, header: BatchHeader) -> int:
        at = self.position - self._chunk_start
        end = at + header.batch_length + LENGTH_OVERHEAD
        if end <= len(self._chunk):
            return int(crc32c(memoryview(self._chunk)[at + _CRC_FROM : end]))
        crc = 0
        position = self.position + _CRC_FROM
        end = self.position + header.batch_length + LENGTH_OVERHEAD
        while position < end:
            piece = self._file.pread(min(self._chunk_bytes, end - position), position)
            if not piece:
                return -1
            crc = crc32c(piece, crc)
            position += len(piece)
        return crc
