"""A client's program, as the runner sees it.

The program is a child process in any language. They speak in lines; fields
are parted by tabs; the program's own lines begin with `@`, whatever else it
prints is its log.

    program  @client <version>               once, at the start
    program  @scenarios <name> <name> …      once, at the start
    runner   run <scenario> <broker kind> <bootstrap> <prefix>
    program  @broker kill|stop|start|data    as often as it likes, until its verdict
    runner   done [<text> …] | refused <why> | failed <why>
    program  @passed [<what>] | @failed <why> | @skipped <why>

The end of its input tells the program to end. A program that misses a
deadline is killed with all its children, and the next scenario starts a
fresh one.
"""

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compat.brokers import ROOT, Broker, BrokerFailed, Refused

START_TIMEOUT_S: Final = 60.0
CLOSE_TIMEOUT_S: Final = 2.0
VERDICTS: Final = frozenset({"passed", "failed", "skipped"})


class ProgramFailed(Exception):
    """The program did not keep to the conversation."""


@dataclass(frozen=True)
class Verdict:
    """What a program says about one scenario."""

    outcome: str
    detail: str = ""


class Program:
    """One running program."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            # A group of its own, so that its children can be ended with it.
            start_new_session=True,
        )
        self._lines: queue.Queue[list[str] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.version = self._expect("client")[0]
            self.scenarios = self._expect("scenarios")
        except ProgramFailed:
            self.close()
            raise

    def run(self, scenario: str, broker: Broker, prefix: str, deadline_s: float) -> Verdict:
        """One scenario to its verdict, carrying out what it asks of the broker."""
        deadline = time.monotonic() + deadline_s
        self._tell("run", scenario, broker.kind, broker.bootstrap, prefix)
        while True:
            try:
                word, *fields = self._next(deadline - time.monotonic())
            except TimeoutError:
                raise ProgramFailed(f"no verdict within {deadline_s:.0f} s") from None
            if word in VERDICTS:
                return Verdict(word, " ".join(fields))
            if word != "broker":
                raise ProgramFailed(f"said {word!r} where a verdict was due")
            self._tell(*_carry_out(fields[0], broker))

    def close(self) -> None:
        """End the program and everything it started."""
        if self._log.closed:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._reader.join(CLOSE_TIMEOUT_S)
        # Also when it has ended by itself: children may have outlived it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._log.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(b"@"):
                self._lines.put(line[1:].decode(errors="replace").rstrip("\r\n").split("\t"))
            else:
                self._log.write(line)
        self._lines.put(None)

    def _next(self, timeout_s: float) -> list[str]:
        try:
            line = self._lines.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            raise TimeoutError from None
        if line is None:
            raise ProgramFailed(f"the program ended with {self._process.wait()}")
        return line

    def _expect(self, word: str) -> list[str]:
        try:
            found, *fields = self._next(START_TIMEOUT_S)
        except TimeoutError:
            raise ProgramFailed(f"did not start within {START_TIMEOUT_S:.0f} s") from None
        if found != word:
            raise ProgramFailed(f"said {found!r} before {word!r}")
        return fields

    def _tell(self, *fields: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(("\t".join(fields) + "\n").encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ProgramFailed(f"the program ended with {self._process.wait()}") from None


def _carry_out(action: str, broker: Broker) -> tuple[str, ...]:
    """Do to the broker what a program asks; the answer for it."""
    try:
        match action:
            case "kill":
                broker.kill()
            case "stop":
                broker.stop()
            case "start":
                broker.start()
            case "data":
                return "done", *map(str, [broker.data_directory, *broker.beside])
            case _:
                raise ProgramFailed(f"asked to {action!r} the broker")
    except Refused as reason:
        return "refused", str(reason)
    except BrokerFailed as error:
        return "failed", str(error).replace("\t", " ").replace("\n", " | ")
    return ("done",)
