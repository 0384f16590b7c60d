"""A clock that moves when told and random choices from a seed."""

from random import Random as Generator

from kbroker.environment import Disk, Environment
from tests.fakes.disk import MemoryDisk


class ManualClock:
    """Time stands still until `advance`."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.now_ms = now_ms

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms

    def advance(self, by_ms: int) -> None:
        self.now_ms += by_ms


class SeededRandom:
    """The same choices for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._generator = Generator(seed)

    def uuid(self) -> bytes:
        value = bytearray(self._generator.randbytes(16))
        value[6] = value[6] & 0x0F | 0x40
        value[8] = value[8] & 0x3F | 0x80
        return bytes(value)

    def below(self, limit: int) -> int:
        return self._generator.randrange(limit)


def make_environment(disk: Disk | None = None, seed: int = 0) -> Environment:
    return Environment(ManualClock(), SeededRandom(seed), MemoryDisk() if disk is None else disk)
