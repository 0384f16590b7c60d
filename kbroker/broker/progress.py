"""Shows how far a long recovery is, where somebody can see it."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

log = logging.getLogger(__name__)

# Below this nobody could read it in time.
_WORTH_SHOWING_BYTES = 256 << 20


class RecoveryProgress:
    """Hears (bytes checked, bytes to check); a bar on a terminal, else a line at each quarter."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._quarter = 0

    def __call__(self, done_bytes: int, total_bytes: int) -> None:
        if total_bytes < _WORTH_SHOWING_BYTES:
            return
        if _has_terminal():
            self._show(done_bytes, total_bytes)
        elif done_bytes * 4 // total_bytes > self._quarter:
            self._quarter = done_bytes * 4 // total_bytes
            log.info("Recovery: %d of %d MiB checked", done_bytes >> 20, total_bytes >> 20)

    def _show(self, done_bytes: int, total_bytes: int) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("Checking logs after an unclean stop", total=total_bytes)
            self._bar.start()
        assert self._task is not None
        self._bar.update(self._task, completed=done_bytes)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _has_terminal() -> bool:
    """Whether there is one to draw on, and not in the background, as one of several nodes."""
    try:
        return sys.stderr.isatty() and os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
    except OSError:
        return False
