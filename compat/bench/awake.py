"""Cores that do not fall asleep while something is measured.

To wake a virtual machine's sleeping core takes its host from 10 to 130 µs, today
this and tomorrow that, and half of it counts as processor time of whoever sends
something to a process there. So each core has a process of the lowest priority
that there is, which counts while nobody else wants it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

# Between two looks whether who started it is still there.
_COUNTS: Final = 100_000


@contextmanager
def cores_awake() -> Iterator[list[int]]:
    """The process ids of those that count, one for each core we may use; gone afterwards."""
    with ExitStack() as counting:
        pids = []
        for core in sorted(os.sched_getaffinity(0)):
            command = [sys.executable, __file__, str(core), str(os.getpid())]
            process = counting.enter_context(subprocess.Popen(command))
            counting.callback(process.kill)
            pids.append(process.pid)
        yield pids


def _count(core: int, parent: int) -> None:
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while os.getppid() == parent:
        for _ in range(_COUNTS):
            pass


if __name__ == "__main__":
    _count(int(sys.argv[1]), int(sys.argv[2]))
