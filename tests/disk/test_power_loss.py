"""Power loss at every write, fsync and rename of a whole broker's life (S5).

At each boundary the disk is copied, loses any part of what was not synced, and
a broker starts on what is left; `aftermath` holds it against the promises.
Sometimes the power fails again while the first failure is repaired.
"""

from __future__ import annotations

from contextlib import suppress
from random import Random

from tests.disk.aftermath import Aftermath
from tests.disk.script import Script
from tests.fakes.disk import PowerFailureError
from tests.handlers.support import DeferringDisk

OPERATIONS = 200
_TWICE_EVERY = 4
_AGAIN_EVERY = 10


class PowerLoss:
    """One script with all its boundaries."""

    def __init__(self, seed: int, operations: int = OPERATIONS) -> None:
        self.points = 0
        self._seed = seed
        self._copies: list[DeferringDisk] = []
        self._script = Script(seed, operations, self._check_copies)
        self._script.disk.on_write = lambda operation, path: self._copies.append(self._script.disk.fork())

    def run(self) -> int:
        """How many points were checked."""
        self._script.run()
        return self.points

    def _check_copies(self) -> None:
        copies, self._copies = self._copies, []
        for disk in copies:
            self.points += 1
            try:
                self._check(disk, Random(f"{self._seed} {self.points}"))
            except BaseException:
                print(f"seed {self._seed}, point {self.points}, while {self._script.operation}")
                raise

    def _check(self, disk: DeferringDisk, random: Random) -> None:
        now_ms = self._script.clock.now_ms
        model = self._script.model
        disk.crash(random)
        if self.points % _TWICE_EVERY == 0:
            disk.power_off_at = disk.writes + random.randint(1, 30)
            with suppress(PowerFailureError):
                Aftermath(disk, now_ms, model, random)
            disk.crash(random)
        Aftermath(disk, now_ms, model, random).check(again=self.points % _AGAIN_EVERY == 0)


def test_power_loss_anywhere_keeps_every_promise() -> None:
    assert PowerLoss(seed=1).run() > 500
