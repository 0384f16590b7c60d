"""The open files of segments: opened when needed, not too many at once.

    invariant  at most `limit` are open besides those that a response, a flush
               or a writeback still holds

The one opened longest ago goes, not the one used longest ago: nobody marks a
use, so appends and reads cost nothing. What is still in use is opened again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbroker.environment import Disk, File
    from kbroker.log.segment import Segment


class OpenFiles:
    """All of one log directory."""

    __slots__ = ("_limit", "_make_directory", "_open", "disk", "has_given_up_any")

    def __init__(self, disk: Disk, limit: int, make_directory: Callable[[str], None]) -> None:
        self.disk = disk
        # Then an fsync of a file may not hear of every failed write-out any more.
        self.has_given_up_any = False
        self._limit = limit
        # Makes a log's directory, unless it is there.
        self._make_directory = make_directory
        self._open: dict[Segment, None] = {}

    def open(self, segment: Segment) -> File:
        """The file of `segment`, which has none open."""
        if not segment.is_made:
            self._make_directory(segment.directory)
        file = self.disk.open(segment.path, create=not segment.is_made)
        segment.is_made = True
        self._open[segment] = None
        if len(self._open) > self._limit:
            self.has_given_up_any = True
            next(iter(self._open)).close()
        return file

    def forget(self, segment: Segment) -> None:
        """Its file has been closed."""
        self._open.pop(segment, None)
