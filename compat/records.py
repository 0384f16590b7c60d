"""Records to send, and to compare with what is read, for programs in Python."""

import itertools
import random
from dataclasses import dataclass, field
from typing import Final

# Bytes of an uncompressed batch around one value: 61 of header, 11 of record.
BATCH_OVERHEAD: Final = 72
# What a broker takes by default.
MAX_BATCH: Final = 1_048_588
# Some time in the past.
THEN_MS: Final = 1_700_000_000_000


@dataclass
class Record:
    """What is sent, and compared with what is read."""

    value: bytes | None
    key: bytes | None = None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    partition: int = -1
    timestamp_ms: int = 0


def mixed(count: int, partitions: int) -> list[Record]:
    """Values that compress and values that do not, small and large."""
    numbers = random.Random(7)
    text = b"the quick brown fox jumps over the lazy dog " * 60
    sizes = itertools.cycle((0, 1, 10, 100, 1000, 5000))
    return [
        Record(
            numbers.randbytes(size) if number % 2 else text[:size],
            key=b"%d" % number,
            partition=number % partitions,
        )
        for number, size in zip(range(count), sizes, strict=False)
    ]


def numbered(name: str, count: int, partitions: int) -> list[Record]:
    """`name0`, `name1` and so on, spread over partitions."""
    return [Record(f"{name}{number}".encode(), partition=number % partitions) for number in range(count)]
