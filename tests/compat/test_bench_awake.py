"""What keeps cores awake for the bench gives way to all else, and ends."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

from compat.bench import awake


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_one_for_each_core_of_the_lowest_priority() -> None:
    with awake.cores_awake() as pids:
        cores = os.sched_getaffinity(0)
        assert len(pids) == len(cores)
        wait_for(lambda: all(os.sched_getscheduler(pid) == os.SCHED_IDLE for pid in pids))
        assert [os.sched_getaffinity(pid) for pid in pids] == [{core} for core in sorted(cores)]
    assert all(map(is_gone, pids))


def test_it_ends_with_who_started_it() -> None:
    script = (
        "import os, subprocess, sys\n"
        f"process = subprocess.Popen([sys.executable, {awake.__file__!r}, sys.argv[1], str(os.getpid())])\n"
        "print(process.pid)"
    )
    core = str(min(os.sched_getaffinity(0)))
    done = subprocess.run([sys.executable, "-c", script, core], capture_output=True, text=True, check=True)
    wait_for(lambda: is_gone(int(done.stdout)))
