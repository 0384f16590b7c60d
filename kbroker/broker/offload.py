"""Blocking disk work on threads, with its end on the loop."""

from __future__ import annotations

from collections.abc import Callable

import trio


class ThreadOffload:
    """The callable behind `Disk.offload`.

    While the broker starts or stops nobody is served, and work is done on the spot.
    """

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None
        self._finish_turn: Callable[[], None] | None = None
        self._running = 0

    def is_idle(self) -> bool:
        """Whether nothing is on its way to a thread, or back."""
        return self._running == 0

    def begin(self, nursery: trio.Nursery, finish_turn: Callable[[], None]) -> None:
        """From now on, use threads; each piece of finished work ends a turn."""
        self._nursery = nursery
        self._finish_turn = finish_turn

    def end(self) -> None:
        self._nursery = None

    def __call__(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        if self._nursery is None:
            done(_failure(work))
        else:
            self._running += 1
            self._nursery.start_soon(self._run, work, done)

    async def _run(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        try:
            failure = await trio.to_thread.run_sync(_failure, work)
        finally:
            self._running -= 1
        done(failure)
        assert self._finish_turn is not None
        self._finish_turn()


def _failure(work: Callable[[], None]) -> BaseException | None:
    """Run `work`; how it failed."""
    try:
        work()
    except Exception as error:
        return error
    return None
