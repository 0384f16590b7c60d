"""What a log asks of the log directory it lies in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kbroker.log.open_files import OpenFiles
    from kbroker.log.partition_log import PartitionLog
    from kbroker.log.writeback import Writeback


class LogOwner(Protocol):
    """Wishes are noted, not waited for; the edge carries them out off the loop."""

    files: OpenFiles
    writeback: Writeback

    def on_failure(self, error: OSError) -> None:
        """The disk can't be trusted any more: all logs here are offline."""

    def request_flush(self, log: PartitionLog) -> None:
        """Flush `log` soon."""

    def defer_flush(self, log: PartitionLog) -> None:
        """Flush `log` a little later: it was refused now."""

    def discard(self, paths: list[str], delay_ms: int, now_ms: int) -> None:
        """Remove these files after the delay."""

    def before_truncation(self, log: PartitionLog) -> None:
        """At once: make durable how far `log` is flushed, for it has just become less."""
