"""Hostile input at the sizes of a night: damaged requests, guided fuzzing, besieged sockets."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.end_to_end.attacks import SETTINGS
from tests.end_to_end.process import BrokerProcess
from tests.end_to_end.test_attacks import GATE, HUNDRED_TOPICS, besieged
from tests.fuzz.targets import TARGETS
from tests.night.registry import Figures, search, sized
from tests.wire.requests import PAIRS
from tests.wire.test_random_requests import fuzz

_RUNS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


@search("x4")
def damaged_requests(seed: int, scale: float) -> Figures:
    """10,000 damaged requests for every API and version, through a whole broker."""
    sent = sum(fuzz(api_key, version, seed, sized(10_000, scale)) for api_key, version in PAIRS)
    return {"pairs of API and version": len(PAIRS), "requests": sent}


@search("x5")
def guided(seed: int, scale: float) -> Figures:
    """Five minutes of coverage-guided fuzzing for every target; needs `pip install '.[night]'`."""
    seconds = sized(300, scale)
    return {name: _runs_of(name, seconds, seed) for name in TARGETS}


def _runs_of(target: str, seconds: int, seed: int) -> int:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as corpus:
        command = [
            sys.executable,
            "-m",
            "tests.fuzz",
            target,
            corpus,
            f"--seconds={seconds}",
            f"--seed={seed}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        output = done.stdout + done.stderr
        found = [file.read_bytes().hex() for file in Path(corpus).glob("crash-*")]
    runs = _RUNS.search(output)
    assert done.returncode == 0, f"{target}: {found}\n{output[-3000:]}"
    assert runs is not None, output[-3000:]
    return int(runs[1])


@search("x6")
def siege(seed: int, scale: float) -> Figures:
    """2,000 hostile clients of each patient kind at once; how long a good one waits beside them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    attacks = {name: sized(count * 10, scale) for name, count in GATE.items()}
    with tempfile.TemporaryDirectory() as directory:
        broker = BrokerProcess(Path(directory) / "data", *SETTINGS, *HUNDRED_TOPICS)
        try:
            return {"hostile clients": sum(attacks.values()), **besieged(broker, attacks)}
        finally:
            broker.end()
