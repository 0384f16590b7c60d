"""Deadlines that are moved far more often than they fire.

A heartbeat moves its member's deadline: one attribute write. The heap keeps
the older, earlier entry; when that comes up the timer is queued again.

    invariant  a running timer has an entry at or before its deadline
    bound      entries ≤ 2 × running timers + a constant

Kafka: `CoordinatorTimer`.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from kbroker.coordinator.shard import Now, Result

_SLACK = 64


class Timer:
    """Something that happens once unless it is stopped or moved."""

    __slots__ = ("action", "deadline_ms", "queued_ms")

    def __init__(self, action: Callable[[Now], Result[None] | None]) -> None:
        self.action = action
        self.deadline_ms: int | None = None
        self.queued_ms: int | None = None


class Timers:
    """All timers of one shard, on the monotonic clock."""

    __slots__ = ("_heap", "_running", "_sequence")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._running = 0
        self._sequence = 0

    def start(self, timer: Timer, deadline_ms: int) -> None:
        """Start the timer, or move it."""
        if timer.deadline_ms is None:
            self._running += 1
        timer.deadline_ms = deadline_ms
        queued_ms = timer.queued_ms
        if queued_ms is None or deadline_ms < queued_ms:
            self._queue(timer, deadline_ms)
            if len(self._heap) > 2 * self._running + _SLACK:
                self._drop_stale_entries()

    def stop(self, timer: Timer) -> None:
        if timer.deadline_ms is not None:
            timer.deadline_ms = None
            self._running -= 1

    def next_deadline(self) -> int | None:
        heap = self._heap
        while heap:
            queued_ms, _, timer = heap[0]
            if timer.queued_ms == queued_ms and timer.deadline_ms == queued_ms:
                return queued_ms
            heappop(heap)
            if timer.queued_ms == queued_ms:
                timer.queued_ms = None
                if timer.deadline_ms is not None:
                    self._queue(timer, timer.deadline_ms)
        return None

    def pop_due(self, now_ms: int) -> Timer | None:
        """The earliest timer whose deadline has come, stopped."""
        deadline_ms = self.next_deadline()
        if deadline_ms is None or deadline_ms > now_ms:
            return None
        timer = heappop(self._heap)[2]
        timer.queued_ms = None
        self.stop(timer)
        return timer

    def _queue(self, timer: Timer, deadline_ms: int) -> None:
        timer.queued_ms = deadline_ms
        self._sequence += 1
        heappush(self._heap, (deadline_ms, self._sequence, timer))

    def _drop_stale_entries(self) -> None:
        # Timers stopped, or moved to an earlier time, leave entries behind; a
        # client that joins and leaves in a loop must not fill the memory.
        kept = []
        for queued_ms, sequence, timer in self._heap:
            if timer.queued_ms != queued_ms:
                continue
            if timer.deadline_ms is None:
                timer.queued_ms = None
            else:
                kept.append((queued_ms, sequence, timer))
        heapify(kept)
        self._heap = kept
