"""Appended bytes that are not asked to be on the disk yet.

The kernel holds up whoever appends once too much is unwritten, and on the loop
that would hold up everybody. So when more than the allowance has been appended,
the oldest ranges begin to be written, on a thread. Below it they are left
alone: writing competes with the loop for a core and for the pages, and what is
short-lived never needs it. What was removed meanwhile, or its file closed, is
left to the kernel, but counts until its turn.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from kbroker.environment import Disk, File


class Writeback:
    """All of one log directory."""

    __slots__ = ("_allowance", "_disk", "_on_failure", "_running", "_waiting", "_waiting_bytes")

    def __init__(self, disk: Disk, on_failure: Callable[[OSError], None]) -> None:
        self._disk = disk
        self._on_failure = on_failure
        self._allowance = disk.unwritten_bytes_allowed()
        # (file, position, length) by age. What is removed must not be kept on the disk by it.
        self._waiting: deque[tuple[ref[File], int, int]] = deque()
        self._waiting_bytes = 0
        self._running = False

    def add(self, file: File, position: int, length: int) -> None:
        """Begin what is due at once: a second later it could be too much for the kernel."""
        self._waiting.append((ref(file), position, length))
        self._waiting_bytes += length
        if self._waiting_bytes > self._allowance and not self._running:
            self._run()

    def _run(self) -> None:
        ranges = self._take_due()

        def work() -> None:
            for file, position, length in ranges:
                file.start_writeback(position, length)

        if ranges:
            self._running = True
            self._disk.offload(work, self._done)

    def _take_due(self) -> list[tuple[File, int, int]]:
        due = []
        while self._waiting_bytes > self._allowance:
            reference, position, length = self._waiting.popleft()
            self._waiting_bytes -= length
            file = reference()
            if file is not None:
                due.append((file, position, length))
        return due

    def _done(self, error: BaseException | None) -> None:
        self._running = False
        if isinstance(error, OSError):
            self._on_failure(error)
        elif error is not None:
            raise error
        self._run()
