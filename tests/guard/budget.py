"""What a hot path may cost: the committed budget."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("budget.json")
# What a clock varies by on a machine that does other things too.
_SLACK = 1.25


@dataclass
class Limits:
    """Of one request."""

    us: float
    blocks: int


def load() -> dict[str, Limits]:
    """By the path's name."""
    return {name: Limits(**limits) for name, limits in _read()["paths"].items()}


def is_for_this_python() -> bool:
    """Whether blocks can be compared: another version of Python allocates otherwise."""
    return _series(_read()["python"]) == _series(platform.python_version())


def _series(version: str) -> list[str]:
    return version.split(".")[:2]


def _read() -> Any:
    return json.loads(FILE.read_text(encoding="utf-8"))


def limits_for(us: float, blocks: int) -> Limits:
    """The budget of a path that costs this much."""
    return Limits(round(us * _SLACK, 1), blocks + max(2, blocks // 50))


def write(paths: dict[str, Limits]) -> None:
    """Make these the budget."""
    kept = {
        "command": "python -m tests.guard --write",
        "machine": machine(),
        "python": platform.python_version(),
        "paths": {name: asdict(limits) for name, limits in paths.items()},
    }
    FILE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def machine() -> str:
    """What the clock's figures belong to."""
    return f"{os.cpu_count()} cores of {_processor()}, {platform.system()}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
