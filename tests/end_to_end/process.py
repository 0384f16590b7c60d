"""A broker as a process of its own, on free ports and a folder of the test's."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

_LISTENING = re.compile(r"Listening on PLAINTEXT://(\S+);")
_ADMIN = re.compile(r"Admin port on http://(\S+)")
START_TIMEOUT_S = 30


class BrokerProcess:
    """Started on creation; `bootstrap` and `admin` are where it listens."""

    def __init__(
        self,
        data: Path,
        *options: str,
        port: int = 0,
        variables: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.command = [
            *prefix,
            sys.executable,
            "-m",
            "kbroker",
            *("-o", f"log.dirs={data}"),
            *("-o", f"listeners=PLAINTEXT://127.0.0.1:{port}"),
            *("-o", "kbroker.admin.listener=127.0.0.1:0"),
            *options,
        ]
        self.output = ""
        self._process = subprocess.Popen(
            self.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(variables or {})},
        )
        try:
            self.bootstrap = self.await_output(_LISTENING)
            self.admin = self.await_output(_ADMIN)
        except AssertionError:
            self.end()
            raise
        self.port = int(self.bootstrap.rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self._process.pid

    def await_output(self, pattern: re.Pattern[str]) -> str:
        """The first group of the first line that matches."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while (found := pattern.search(self.output)) is None:
            assert self._read(deadline), f"the broker ended or is late: {self.output}"
        return found[1]

    def _read(self, deadline: float) -> bool:
        stream: IO[bytes] | None = self._process.stdout
        assert stream is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            if not selector.select(max(deadline - time.monotonic(), 0)):
                return False
        data = os.read(stream.fileno(), 65536)
        self.output += data.decode()
        return bool(data)

    def read_output(self) -> str:
        """All that it has said so far."""
        while self._read(time.monotonic()):
            pass
        return self.output

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, timeout_s: float = 20) -> int:
        """The exit code, once it has ended; reads the rest of its output."""
        assert self._process.stdout is not None
        rest, _ = self._process.communicate(timeout=timeout_s)
        self.output += rest.decode()
        return self._process.returncode

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def end(self) -> None:
        """Whatever its state, leave nothing behind."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


def run_to_end(*arguments: str, variables: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of a `kbroker` that is expected to end by itself."""
    result = subprocess.run(
        [sys.executable, "-m", "kbroker", *arguments],
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        env={**os.environ, **(variables or {})},
        check=False,
    )
    return result.returncode, result.stdout, result.stderr
