"""One fsync of one log, split so that many share a trip off the loop.

    flush = log.begin_flush()     on the loop: what must become durable
    flush.work()                  off the loop: touches files only
    flush.done(error)             on the loop: moves flushed_offset, or takes the log offline

A failed fsync is never retried: the kernel may have dropped the pages and
would then report success.
"""

from collections.abc import Callable, Sequence

from kbroker.environment import Disk, File

FlushDone = Callable[["Flush", BaseException | None], None]


class Flush:
    """Work that makes a log durable up to `end_offset`."""

    __slots__ = ("_directories", "_disk", "_done", "_epochs", "_files", "_paths", "end_offset")

    def __init__(
        self,
        disk: Disk,
        end_offset: int,
        files: Sequence[File],
        paths: Sequence[str],
        directories: Sequence[str],
        epochs: tuple[str, bytes] | None,
        done: FlushDone,
    ) -> None:
        self.end_offset = end_offset
        self._disk = disk
        self._files = files
        # Small files beside the log: opened only to be synced.
        self._paths = paths
        self._directories = directories
        self._epochs = epochs
        self._done = done

    def work(self) -> None:
        for file in self._files:
            file.sync()
        for path in self._paths:
            try:
                file = self._disk.open(path)
            except FileNotFoundError:
                # Deleted since: nothing to keep.
                continue
            file.sync()
            file.close()
        if self._epochs is not None:
            self._disk.write_atomically(*self._epochs)
        for directory in self._directories:
            self._disk.sync_directory(directory)

    def done(self, error: BaseException | None) -> None:
        self._done(self, error)
