"""The segments of one log, in order; the last one is active.

invariant  never empty; base offsets strictly grow
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from kbroker.log.segment import Segment

# Indexes of inactive segments that stay in memory, per log.
_INDEXES_KEPT = 2


class Segments:
    """A list that is looked up by offset."""

    __slots__ = ("_bases", "_loaded", "_segments", "active")

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = list(segments)
        self._bases = [segment.base_offset for segment in segments]
        self._loaded: list[Segment] = []
        self.active = self._segments[-1]

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def first(self) -> Segment:
        return self._segments[0]

    @property
    def size_bytes(self) -> int:
        return sum(segment.size for segment in self._segments)

    def floor(self, offset: int) -> Segment:
        """The segment that holds `offset`, the first one if `offset` is before all."""
        return self._segments[max(bisect_right(self._bases, offset) - 1, 0)]

    def from_floor(self, offset: int) -> list[Segment]:
        """That segment and all behind it."""
        return self._segments[max(bisect_right(self._bases, offset) - 1, 0) :]

    def after(self, segment: Segment) -> Segment | None:
        index = bisect_right(self._bases, segment.base_offset)
        return self._segments[index] if index < len(self._segments) else None

    def append(self, segment: Segment) -> None:
        assert segment.base_offset > self._bases[-1]
        self.keep_index_of(self.active)
        self._segments.append(segment)
        self._bases.append(segment.base_offset)
        self.active = segment

    def remove_first(self, count: int) -> list[Segment]:
        removed = self._segments[:count]
        del self._segments[:count], self._bases[:count]
        assert self._segments
        return removed

    def remove_from(self, offset: int) -> list[Segment]:
        """Take out the segments that begin behind `offset`; the one before becomes active."""
        keep = max(bisect_right(self._bases, offset), 1)
        removed = self._segments[keep:]
        del self._segments[keep:], self._bases[keep:]
        self.active = self._segments[-1]
        return removed

    def replace_all(self, segment: Segment) -> list[Segment]:
        removed = self._segments
        self._segments, self._bases, self.active = [segment], [segment.base_offset], segment
        self._loaded.clear()
        return removed

    def on_sealed(self, segment: Segment) -> None:
        """Its indexes are on disk now: they stay in memory only if it is their turn."""
        segment.indexes_dirty = False
        if segment not in self._loaded and segment is not self.active:
            segment.drop_indexes()

    def keep_index_of(self, segment: Segment) -> None:
        """Let `segment` have its indexes in memory; the one that had them longest gives them up."""
        if segment in self._loaded:
            return
        self._loaded.append(segment)
        if len(self._loaded) > _INDEXES_KEPT:
            self._loaded.pop(0).drop_indexes()
