"""The blocks of all paths, counted in a process that has done nothing else.

python -m tests.guard.counts    as JSON: what each path allocates, and what it keeps
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.guard.broker import running
from tests.guard.measures import kept_blocks, made_blocks
from tests.guard.paths import HotPaths
from tests.handlers.support import FakeClock

_ROOT = Path(__file__).parents[2]


def count() -> dict[str, tuple[int, int]]:
    """At a broker whose time stands still."""
    found = {}
    with running(FakeClock()) as broker:
        for path in HotPaths(broker):
            found[path.name] = made_blocks(path), kept_blocks(path)
            # What was counted were no refusals.
            assert broker.answers_to(path.steps(1)) >= path.requests
    return found


def count_apart() -> dict[str, tuple[int, int]]:
    """The same, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", __name__], cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return {name: (made, kept) for name, (made, kept) in json.loads(done.stdout).items()}


if __name__ == "__main__":
    print(json.dumps(count()))
