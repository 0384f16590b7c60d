"""A program's side of the conversation, for programs in Python.

A module of scenarios is a mapping from name to function; `serve` lets the
runner call them. A scenario passes by returning, fails by any exception and
steps aside by `Skip`.
"""

import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


class Skip(Exception):
    """This scenario can not be run here; the text says why."""


class Failed(AssertionError):
    """What the scenario expected did not happen."""


@dataclass(frozen=True)
class Context:
    """One scenario's world. Everything it creates carries its prefix."""

    scenario: str
    broker_kind: str
    bootstrap: str
    prefix: str
    scratch: Path

    def topic(self, suffix: str = "") -> str:
        """A topic name that nobody else uses."""
        return f"{self.prefix}-{self.scenario}{suffix and '-' + suffix}"

    def group(self, suffix: str = "") -> str:
        """A group id that nobody else uses."""
        return f"{self.prefix}-{self.scenario}{suffix and '-' + suffix}"

    def broker(self, action: str) -> str:
        """Have the runner `kill`, `stop` or `start` the broker, or tell its `data` folders, tab by tab."""
        _say("broker", action)
        word, _, text = sys.stdin.readline().rstrip("\n").partition("\t")
        if word == "refused":
            raise Skip(text)
        check(word == "done", f"the runner could not {action} the broker: {text}")
        return text


# What it returns stands beside "passed" in the results.
Scenario = Callable[[Context], str | None]


def check(condition: object, message: str) -> None:
    """Fail with a message; unlike `assert`, also under `python -O`."""
    if not condition:
        raise Failed(message)


def equal(found: object, expected: object, what: str) -> None:
    """Fail when two things differ, showing both."""
    if found != expected:
        raise Failed(f"{what}: expected {_short(expected)}, found {_short(found)}")


def eventually(condition: Callable[[], object], what: str, timeout_s: float = 20.0) -> None:
    """Fail when `condition` is not true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(0.05)


def serve(version: str, scenarios: Mapping[str, Scenario]) -> int:
    """Answer the runner until it closes our standard input."""
    _say("client", version)
    _say("scenarios", *scenarios)
    while line := sys.stdin.readline():
        word, name, kind, bootstrap, prefix = line.rstrip("\n").split("\t")
        assert word == "run"
        with tempfile.TemporaryDirectory(prefix="compat-") as scratch:
            _say(*_outcome(scenarios[name], Context(name, kind, bootstrap, prefix, Path(scratch))))
    return 0


def _outcome(scenario: Scenario, context: Context) -> tuple[str, str]:
    try:
        remark = scenario(context)
    except Skip as reason:
        return "skipped", str(reason)
    except Exception as error:
        # Where it happened is in the program's log; the runner shows what.
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {error}"
    return "passed", remark or ""


def _say(word: str, *fields: str) -> None:
    cleaned = [field.replace("\t", " ").replace("\n", " | ") for field in fields]
    print("@" + "\t".join([word, *cleaned]), flush=True)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:200]}… ({len(text)} characters)"
