"""All that waits: operations woken by key, and one timer heap.

Kafka: `DelayedOperationPurgatory` and `SystemTimer`, without their threads.
Synchronous: a driver asks for `next_deadline_ms` and calls `run_due`; the
trio task that does so is `run_timers`.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from kbroker.handlers.context import Pending

if TYPE_CHECKING:
    from kbroker.environment import Clock

T = TypeVar("T")

log = logging.getLogger(__name__)


class ScheduledCall:
    """One entry of the timer heap; a cancelled one stays there until its time, holding nothing."""

    __slots__ = ("callback", "deadline_ms")

    def __init__(self, deadline_ms: int, callback: Callable[[], None] | None) -> None:
        self.deadline_ms = deadline_ms
        self.callback = callback

    def cancel(self) -> None:
        self.callback = None


class _Operation:
    """A waiting operation, registered under each of its keys."""

    __slots__ = ("attempt", "expire", "keys", "pending", "timer")

    def __init__(
        self,
        keys: tuple[Hashable, ...],
        attempt: Callable[[], Any],
        expire: Callable[[], Any],
        pending: Pending[Any],
    ) -> None:
        self.keys = keys
        self.attempt = attempt
        self.expire = expire
        self.pending = pending
        self.timer: ScheduledCall | None = None


def _outcome(attempt: Callable[[], Any]) -> Any:
    """The answer, or the exception in its place: one operation's defect must not end another's turn."""
    try:
        return attempt()
    except Exception as error:
        return error


class WaitingRoom:
    """Implements `context.Waiting`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._operations: dict[Hashable, dict[_Operation, None]] = {}
        self._heap: list[tuple[int, int, ScheduledCall]] = []
        self._sequence = 0
        self._earlier = trio.Event()

    @property
    def waiting_count(self) -> int:
        """Registrations by key, for metrics."""
        return sum(map(len, self._operations.values()))

    def wait(
        self,
        keys: Iterable[Hashable],
        timeout_ms: int,
        attempt: Callable[[], T | None],
        expire: Callable[[], T],
    ) -> Pending[T]:
        pending: Pending[T] = Pending()
        operation = _Operation(tuple(keys), attempt, expire, pending)
        for key in operation.keys:
            self._operations.setdefault(key, {})[operation] = None
        operation.timer = self._schedule(timeout_ms, lambda: self._expire(operation))
        return pending

    def wake(self, keys: Iterable[Hashable]) -> None:
        operations = self._operations
        if not operations:
            return
        woken: dict[_Operation, None] = {}
        for key in keys:
            woken.update(operations.get(key, {}))
        # Once each, however many of its keys were woken.
        for operation in woken:
            if operation.pending.done:
                continue
            if operation.pending.abandoned:
                self._forget(operation)
                continue
            value = _outcome(operation.attempt)
            if value is not None:
                self._forget(operation)
                operation.pending.complete(value)

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> ScheduledCall:
        return self._schedule(delay_ms, callback)

    def next_deadline_ms(self) -> int | None:
        """When `run_due` has something to do, on the monotonic clock."""
        while self._heap and self._heap[0][2].callback is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run_due(self) -> bool:
        """Run what is due now; True when anything ran."""
        now_ms = self._clock.monotonic_ms()
        ran = False
        while self._heap and self._heap[0][0] <= now_ms:
            call = heapq.heappop(self._heap)[2]
            callback, call.callback = call.callback, None
            if callback is not None:
                ran = True
                try:
                    callback()
                except Exception:
                    log.exception("A timer's work failed")
        return ran

    async def run_timers(self, finish_turn: Callable[[], None]) -> None:
        """Sleep until the next deadline, run what is due, finish the turn; for ever."""
        while True:
            deadline_ms = self.next_deadline_ms()
            if deadline_ms is None:
                await self._earlier.wait()
            else:
                delay_ms = deadline_ms - self._clock.monotonic_ms()
                with trio.move_on_after(max(delay_ms, 0) / 1000):
                    await self._earlier.wait()
            self._earlier = trio.Event()
            if self.run_due():
                finish_turn()

    def _schedule(self, delay_ms: int, callback: Callable[[], None]) -> ScheduledCall:
        deadline_ms = self._clock.monotonic_ms() + max(delay_ms, 0)
        call = ScheduledCall(deadline_ms, callback)
        self._sequence += 1
        # The sequence keeps calls of one millisecond in order and ends the comparison before the call.
        heapq.heappush(self._heap, (deadline_ms, self._sequence, call))
        if self._heap[0][2] is call:
            self._earlier.set()
        return call

    def _expire(self, operation: _Operation) -> None:
        self._forget(operation)
        if not operation.pending.done and not operation.pending.abandoned:
            operation.pending.complete(_outcome(operation.expire))

    def _forget(self, operation: _Operation) -> None:
        for key in operation.keys:
            operations = self._operations.get(key)
            if operations is not None:
                operations.pop(operation, None)
                if not operations:
                    del self._operations[key]
        if operation.timer is not None:
            operation.timer.cancel()
            operation.timer = None
