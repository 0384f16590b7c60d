"""How late the loop runs what is due: the first sign of a blocker."""

import trio

_PERIOD_S = 0.25


class LoopLag:
    """Sleeps over and over and notes by how much it overslept."""

    def __init__(self) -> None:
        self.last_s = 0.0
        # The worst since the last `take_worst`: one page, one period.
        self._worst_s = 0.0
        self.sum_s = 0.0
        self.count = 0

    async def run(self) -> None:
        while True:
            due = trio.current_time() + _PERIOD_S
            await trio.sleep_until(due)
            self.note(trio.current_time() - due)

    def note(self, lag_s: float) -> None:
        self.last_s = lag_s
        self.sum_s += lag_s
        self.count += 1
        self._worst_s = max(self._worst_s, lag_s)

    def take_worst(self) -> float:
        """Seconds; forgets it."""
        worst_s, self._worst_s = self._worst_s, 0.0
        return worst_s
