"""Brokers take turns, and leave nothing behind; what the system says of them."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from compat.brokers import BrokerProcess

GB: Final = 1_000_000_000
# What one run may write: more would be written back to the disk while the next one runs.
BYTES_AT_MOST: Final = 900_000_000
# A kernel tells its host what is free, where the host wants to know, 2 s after memory was freed (free page
# reporting); what is freed later waits for the next time.
_TOLD_S: Final = 2.5
_CHUNK: Final = bytes(1 << 20)


def turns(kinds: Sequence[str], rounds: int) -> Iterator[str]:
    """A B, B A, A B, …"""
    for number in range(rounds):
        yield from kinds if number % 2 == 0 else reversed(kinds)


@contextmanager
def directory(path: Path) -> Iterator[Path]:
    """A new directory, gone afterwards."""
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def ended(broker: BrokerProcess) -> Iterator[BrokerProcess]:
    """The broker, not running afterwards."""
    try:
        yield broker
    finally:
        broker.kill()


def touch_memory(folder: Path) -> None:
    """Have memory at hand for what is written within the next 2 s.

    A virtual machine's host may take back what it is told is free; who needs it then waits for it. So a
    file as large is written, kept until the host was told of all that others freed before, and removed.
    """
    told_at_s = time.monotonic() + _TOLD_S
    path = folder / "touched"
    with path.open("wb", buffering=0) as file:
        for _ in range(0, BYTES_AT_MOST, len(_CHUNK)):
            file.write(_CHUNK)
    time.sleep(max(0.0, told_at_s - time.monotonic()))
    path.unlink()


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    started_at_s = time.monotonic()
    work()
    return time.monotonic() - started_at_s


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used, user and system, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB (2^20)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no VmRSS for {pid}")
