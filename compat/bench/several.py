"""kbroker as several processes, under its own supervisor (`--brokers N`)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from compat import wire
from compat.brokers import HOST, Kbroker


class Supervised(Kbroker):
    """The command that starts, watches and stops them."""

    def __init__(self, directory: Path, count: int, properties: Mapping[str, str]) -> None:
        super().__init__(directory, properties)
        self._count = count

    def command(self) -> Sequence[str | Path]:
        return [*super().command(), "--brokers", str(self._count)]

    def nodes(self) -> list[Kbroker]:
        """Each of them, once all answer."""
        deadline_s = time.monotonic() + self.start_timeout_s
        for port in range(self.port, self.port + self._count):
            wire.first_answer_s(HOST, port, time.monotonic(), deadline_s - time.monotonic(), self.running)
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [_Node(self, index, int(pid)) for index, pid in enumerate(children)]

    def kill(self) -> None:
        """By a clean stop: its processes must be gone before their directories are."""
        if self.running():
            self.stop()


class _Node(Kbroker):
    """One process of several, which somebody else starts and ends."""

    def __init__(self, supervised: Supervised, index: int, pid: int) -> None:
        self.port = supervised.port + index
        self._pid = pid
        self._data_directory = supervised.data_directory / f"node{1 + index}"

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def data_directory(self) -> Path:
        return self._data_directory
