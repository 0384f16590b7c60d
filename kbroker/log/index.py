"""The three indexes of a segment, in memory and as bytes.

    .index      int32 relative last offset of a batch | int32 position of that batch
    .timeindex  int64 largest timestamp so far | int32 relative last offset of its batch
    .txnindex   int16 version | producer id, first offset, marker offset, last stable offset

The first two are hints that can be rebuilt: decoding keeps the longest sane
prefix (a zero tail is Kafka's preallocation), and readers check what they find
against the batch it points to. Kafka: `OffsetIndex`, `TimeIndex`, `TransactionIndex`.
"""

from array import array
from bisect import bisect_left, bisect_right
from operator import le, lt
from struct import Struct
from sys import byteorder

_ABORTED = Struct(">hqqqq")
_ABORTED_VERSION = 0
# In place of the first offset of an indexed batch that nobody has looked at.
_UNSEEN = 2**31 - 1


def _big_endian(kind: str, data: bytes) -> "array[int]":
    """Numbers from big-endian bytes, or the other way round: it is the same."""
    numbers = array(kind, data)
    if byteorder == "little":
        numbers.byteswap()
    return numbers


def _grows(numbers: "array[int]") -> bool:
    return all(map(lt, numbers, numbers[1:]))


class OffsetIndex:
    """Some batches of a segment: relative last offset → position. Both grow strictly.

    In memory also the relative first offset of those batches that were seen:
    written, scanned or looked at. Where one follows on another without a gap in
    the offsets, no batch lies between. So where large batches begin and end is
    known without a look at the log.
    """

    __slots__ = ("_firsts", "_offsets", "_positions")
    ENTRY_SIZE = 8

    def __init__(self) -> None:
        self._offsets = array("i")
        self._positions = array("i")
        self._firsts = array("i")

    @classmethod
    def decode(cls, data: bytes, size: int) -> "OffsetIndex":
        """The sane entries of `data` that point into the first `size` bytes of the log."""
        index = cls()
        entries = _big_endian("i", data[: len(data) // 8 * 8])
        offsets, positions = entries[::2], entries[1::2]
        # A large one is checked in one go where it can be: the loop waits for it.
        sane = bool(positions) and positions[0] > 0 and positions[-1] < size and offsets[0] >= 0
        if sane and _grows(offsets) and _grows(positions):
            index._offsets, index._positions = offsets, positions
            index._firsts = array("i", [_UNSEEN]) * len(offsets)
            return index
        keep = 0
        last_offset, last_position = -1, -1
        for offset, position in zip(offsets, positions, strict=True):
            if offset <= last_offset or position <= last_position or position >= size or not position:
                break
            last_offset, last_position = offset, position
            keep += 1
        index._offsets, index._positions = offsets[:keep], positions[:keep]
        index._firsts = array("i", [_UNSEEN]) * keep
        return index

    def encode(self) -> bytes:
        entries = array("i", bytes(8 * len(self._offsets)))
        entries[::2] = self._offsets
        entries[1::2] = self._positions
        return _big_endian("i", entries.tobytes()).tobytes()

    def __len__(self) -> int:
        return len(self._offsets)

    def append(self, first_offset: int, offset: int, position: int) -> None:
        """A batch from `first_offset` to `offset` begins at `position`."""
        self._offsets.append(offset)
        self._positions.append(position)
        self._firsts.append(first_offset)

    def see(self, position: int, first_offset: int) -> None:
        """The batch of the entry at `position` is what the entry says, and begins with `first_offset`."""
        self._firsts[bisect_left(self._positions, position)] = first_offset

    def last(self) -> tuple[int, int] | None:
        return (self._offsets[-1], self._positions[-1]) if self._offsets else None

    def floor_offset(self, offset: int) -> tuple[int, int] | None:
        """The last entry whose batch ends at or before `offset`."""
        index = bisect_right(self._offsets, offset) - 1
        return (self._offsets[index], self._positions[index]) if index >= 0 else None

    def floor_position(self, position: int) -> tuple[int, int] | None:
        """The last entry whose batch begins at or before `position`."""
        index = bisect_right(self._positions, position) - 1
        return (self._offsets[index], self._positions[index]) if index >= 0 else None

    def position_of(self, offset: int) -> int | None:
        """Where the batch that holds `offset` begins; None if that takes a look at the log."""
        index = bisect_left(self._offsets, offset)
        if index < len(self._offsets) and self._firsts[index] <= offset:
            return self._positions[index]
        return None

    def boundary(self, position: int) -> int | None:
        """The last batch boundary up to `position`; None if that takes a look at the log."""
        index = bisect_right(self._positions, position) - 1
        if index >= 0 and (self._is_followed(index) or self._positions[index] == position):
            return self._positions[index] if self._firsts[index] != _UNSEEN else None
        return None

    def end_of(self, position: int) -> int | None:
        """Where the batch at the boundary `position` ends; None if that takes a look at the log."""
        index = bisect_left(self._positions, position)
        if index < len(self._positions) and self._positions[index] == position and self._is_followed(index):
            return self._positions[index + 1]
        return None

    def _is_followed(self, index: int) -> bool:
        """Whether the next entry's batch is known to be the next batch."""
        following = index + 1
        return following < len(self._firsts) and self._firsts[following] == self._offsets[index] + 1

    def extend_beyond(self, other: "OffsetIndex", position: int) -> None:
        """Take over the entries of `other` whose batches begin behind `position`."""
        first = bisect_right(other._positions, position)
        self._offsets += other._offsets[first:]
        self._positions += other._positions[first:]
        self._firsts += other._firsts[first:]

    def truncate(self, position: int) -> None:
        """Forget the batches that begin at or behind `position`."""
        keep = bisect_left(self._positions, position)
        self._offsets, self._positions = self._offsets[:keep], self._positions[:keep]
        self._firsts = self._firsts[:keep]

    def as_it_is(self) -> "OffsetIndex":
        """For a thread to encode: no later truncation is seen there."""
        index = OffsetIndex()
        index._offsets, index._positions = self._offsets, self._positions
        return index


class TimeIndex:
    """Largest timestamp so far → relative last offset of its batch. Timestamps grow strictly."""

    __slots__ = ("_offsets", "_timestamps")

    def __init__(self) -> None:
        self._timestamps = array("q")
        self._offsets = array("i")

    @classmethod
    def decode(cls, data: bytes, last_offset: int) -> "TimeIndex":
        """The sane entries of `data` that name offsets up to the relative `last_offset`."""
        index = cls()
        last_timestamp, previous_offset = -1, -1
        words = array("i", data[: len(data) // 12 * 12])
        high_and_low = array("i", bytes(8 * (len(words) // 3)))
        high_and_low[::2], high_and_low[1::2] = words[::3], words[1::3]
        timestamps = _big_endian("q", high_and_low.tobytes())
        offsets = _big_endian("i", words[2::3].tobytes())
        sane = bool(offsets) and timestamps[0] > 0 and offsets[0] >= 0 and offsets[-1] <= last_offset
        if sane and _grows(timestamps) and all(map(le, offsets, offsets[1:])):
            index._timestamps, index._offsets = timestamps, offsets
            return index
        for timestamp, offset in zip(timestamps, offsets, strict=True):
            if timestamp <= last_timestamp or offset < previous_offset or offset > last_offset:
                break
            # Preallocated zeros, or the least a segment can know: no loss.
            if timestamp == 0 and offset == 0:
                continue
            index.append(timestamp, offset)
            last_timestamp, previous_offset = timestamp, offset
        return index

    def encode(self) -> bytes:
        high_and_low = array("i", _big_endian("q", self._timestamps.tobytes()).tobytes())
        words = array("i", bytes(12 * len(self._offsets)))
        words[::3], words[1::3] = high_and_low[::2], high_and_low[1::2]
        words[2::3] = _big_endian("i", self._offsets.tobytes())
        return words.tobytes()

    def __len__(self) -> int:
        return len(self._offsets)

    def append(self, timestamp: int, offset: int) -> None:
        """Only when `timestamp` is larger than the last entry's; callers may offer any."""
        if timestamp > (self._timestamps[-1] if self._timestamps else -1):
            self._timestamps.append(timestamp)
            self._offsets.append(offset)

    def last(self) -> tuple[int, int] | None:
        return (self._timestamps[-1], self._offsets[-1]) if self._timestamps else None

    def floor(self, timestamp: int) -> tuple[int, int] | None:
        """The last entry with a timestamp up to `timestamp`: nothing before its batch is later."""
        index = bisect_right(self._timestamps, timestamp) - 1
        return (self._timestamps[index], self._offsets[index]) if index >= 0 else None

    def truncate(self, offset: int) -> None:
        """Forget entries at or behind the relative `offset`."""
        keep = bisect_left(self._offsets, offset)
        self._offsets, self._timestamps = self._offsets[:keep], self._timestamps[:keep]

    def as_it_is(self) -> "TimeIndex":
        """For a thread to encode: no later truncation is seen there."""
        index = TimeIndex()
        index._offsets, index._timestamps = self._offsets, self._timestamps
        return index


class AbortedTransaction:
    """One aborted transaction; `last_offset` is that of its ABORT marker."""

    __slots__ = ("first_offset", "last_offset", "last_stable_offset", "producer_id")

    def __init__(
        self, producer_id: int, first_offset: int, last_offset: int, last_stable_offset: int
    ) -> None:
        self.producer_id = producer_id
        self.first_offset = first_offset
        self.last_offset = last_offset
        self.last_stable_offset = last_stable_offset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AbortedTransaction) and self._fields == other._fields

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "AbortedTransaction({}, {}, {}, {})".format(*self._fields)

    @property
    def _fields(self) -> tuple[int, int, int, int]:
        return self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset

    def encode(self) -> bytes:
        return _ABORTED.pack(_ABORTED_VERSION, *self._fields)


def decode_aborted(data: bytes) -> list[AbortedTransaction] | None:
    """All entries of a .txnindex; None if any is not sane, for a missing entry corrupts what clients read."""
    if len(data) % _ABORTED.size:
        return None
    entries = []
    previous = -1
    for version, producer_id, first_offset, last_offset, stable in _ABORTED.iter_unpack(data):
        if version != _ABORTED_VERSION or producer_id < 0 or not 0 <= first_offset <= last_offset:
            return None
        if last_offset <= previous:
            return None
        entries.append(AbortedTransaction(producer_id, first_offset, last_offset, stable))
        previous = last_offset
    return entries
