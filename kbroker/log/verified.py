"""Which parts of a file have passed their CRC since the process started.

Sequential readers make one range that grows. Readers that jump could make
many: past a fixed number the smallest is forgotten and would be checked again.
"""

from bisect import bisect_right

_MAX_RANGES = 64


class VerifiedRanges:
    """Disjoint, sorted [start, end) ranges."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def end_of(self, position: int) -> int:
        """The end of the range that holds `position`; `position` itself if none does."""
        index = bisect_right(self._starts, position) - 1
        return max(position, self._ends[index]) if index >= 0 else position

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        first = bisect_right(self._starts, start) - 1
        if first < 0 or self._ends[first] < start:
            first += 1
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        if len(self._starts) > _MAX_RANGES:
            lengths = [end - start for start, end in zip(self._starts, self._ends, strict=True)]
            smallest = lengths.index(min(lengths))
            del self._starts[smallest], self._ends[smallest]
