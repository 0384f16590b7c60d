"""A crate's own tests against a broker: `python -m compat.rust.suite <client> <broker kind> <bootstrap>`.

The last line says how many passed, or which failed that may not. Tests that were written for a broker
with settings of its own get one.
"""

import contextlib
import importlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from compat import client as clients
from compat.brokers import broker_of
from compat.harness import Failed
from compat.rust import cargo
from compat.suite import allowances, judged

TIMEOUT_S: Final = 400.0
OUTCOMES: Final = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
_LINE: Final = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)", re.MULTILINE)


@dataclass(frozen=True)
class Suite:
    """Which of a crate's tests are run, and how they are told of the broker."""

    crate: str
    executables: Sequence[str]
    environment: Callable[[str], Mapping[str, str]]
    options: Sequence[str] = ()
    # What the broker must be like; without, it is the one that runs.
    properties: Mapping[str, str] = field(default_factory=dict)


def command(client: str, suite: Suite) -> list[str]:
    """What runs a client's suite, once its tests are compiled."""
    cargo.tests(clients.FOLDER / client, suite.crate, suite.executables)
    return [sys.executable, "-m", "compat.rust.suite", client]


def main(client: str, kind: str, bootstrap: str) -> int:
    """The exit code: 0 when nothing failed that is not allowed to."""
    suite: Suite = importlib.import_module(f"compat.{client}.run").SUITE
    folder = clients.FOLDER / client
    outcomes: dict[str, str] = {}
    with _broker(suite, kind, bootstrap) as address:
        for name, executable in cargo.tests(folder, suite.crate, suite.executables).items():
            for test, outcome in _outcomes(executable, suite, address).items():
                outcomes[f"{name}::{test}"] = outcome
    try:
        print(judged(outcomes, allowances(folder / "suite.allow")))
    except Failed as failure:
        print(failure)
        return 1
    return 0


@contextlib.contextmanager
def _broker(suite: Suite, kind: str, bootstrap: str) -> Iterator[str]:
    if not suite.properties:
        yield bootstrap
        return
    with tempfile.TemporaryDirectory(prefix="compat-suite-") as folder:
        broker = broker_of(kind, Path(folder) / kind, suite.properties)
        broker.start()
        try:
            yield broker.bootstrap
        finally:
            broker.kill()


def _outcomes(executable: Path, suite: Suite, bootstrap: str) -> dict[str, str]:
    listed = _run([executable, "--list", "--format", "terse", *suite.options], suite, bootstrap)
    tests = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
    text = _run([executable, "--test-threads", "4", *suite.options], suite, bootstrap)
    print(text, flush=True)
    found = {test: OUTCOMES[word] for test, word in _LINE.findall(text)}
    # What did not come to an end has hung, or has taken its process with it.
    return {test: found.get(test, "failed") for test in tests}


def _run(command: Sequence[str | Path], suite: Suite, bootstrap: str) -> str:
    environment = {**os.environ, **suite.environment(bootstrap)}
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(errors="replace") if isinstance(late.stdout, bytes) else ""
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
