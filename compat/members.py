"""Group members that can be killed: processes of their own, for programs in Python.

The program holds a `Member`. Its process is a module of the client's folder,
which tells what it owns and reads by `tell` and leaves when `told_to_leave`.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from compat.harness import equal, eventually


class Member:
    """A consumer in a process of its own."""

    def __init__(self, module: str, options: Mapping[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.assigned: frozenset[int] = frozenset()
        self.rebalances = 0
        self.error = ""
        self.records: list[tuple[int, int, str]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def leave(self) -> None:
        """End it by closing the consumer."""
        self._process.communicate("\n", timeout=30)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                event = json.loads(line)
                if "record" in event:
                    self.records.append(tuple(event["record"]))
                elif "error" in event:
                    self.error = event["error"]
                else:
                    self.assigned = frozenset(event["assigned"])
                    self.rebalances += 1
        except ValueError:  # Closed, or cut by a kill.
            return


def end(members: Sequence[Member]) -> None:
    """Leave none behind."""
    for member in members:
        member.kill()


def settled(members: Sequence[Member], partitions: int, timeout_s: float = 30.0) -> None:
    """Wait until the members share all partitions evenly, each owned once."""

    def even() -> bool:
        shares = [member.assigned for member in members]
        owned = [partition for share in shares for partition in share]
        sizes = [len(share) for share in shares]
        return sorted(owned) == list(range(partitions)) and max(sizes) - min(sizes) <= 1

    eventually(even, f"{len(members)} members share {partitions} partitions evenly", timeout_s)


def all_read_once(members: Sequence[Member], values: Sequence[str]) -> None:
    """Wait until the members together have read these values, each once."""

    def read() -> list[str]:
        return sorted(value for member in members for _, _, value in member.records)

    eventually(lambda: len(read()) >= len(values), f"{len(values)} records are read")
    equal(read(), sorted(values), "records read by all members together")


def told_to_leave() -> threading.Event:
    """In the member's process: set once the program wants it to leave."""
    leave = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        leave.set()

    threading.Thread(target=wait, daemon=True).start()
    return leave


def tell(**event: object) -> None:
    """In the member's process: `assigned` partitions, a `record` or a fatal `error`."""
    print(json.dumps(event), flush=True)
