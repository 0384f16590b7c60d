"""What the broker takes from the world: clock, random, disk.

Only interfaces. Production: `broker.system`. A simulator answers the same
calls from memory. Nothing below `broker/` reads a clock, draws a number or
opens a file in any other way.
"""

from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Time in milliseconds."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC; may jump."""

    def monotonic_ms(self) -> int:
        """Milliseconds since some fixed moment; never goes back."""


class Random(Protocol):
    """Where every random choice comes from."""

    def uuid(self) -> bytes:
        """16 random bytes of a version 4 UUID."""

    def below(self, limit: int) -> int:
        """A number in [0, limit)."""


class File(Protocol):
    """One open file. Positions and lengths are in bytes."""

    def fileno(self) -> int:
        """The descriptor for sendfile; -1 where there is none (use `pread`)."""

    def size(self) -> int:
        """Current length."""

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at the end, uncopied. OSError on a failed or short write."""

    def appendv(self, parts: list[bytes | bytearray | memoryview]) -> None:
        """Like `append` for several buffers in one call."""

    def pread(self, length: int, position: int) -> bytes:
        """Up to `length` bytes at `position`; shorter only at the end of the file."""

    def pwrite(self, data: bytes | bytearray | memoryview, position: int) -> None:
        """Overwrite at `position`; for preallocated index files."""

    def truncate(self, length: int) -> None:
        """Cut, or extend with zeros."""

    def sync(self) -> None:
        """fdatasync: return only when the data is durable. OSError must never be retried."""

    def start_writeback(self, position: int, length: int) -> None:
        """Hint: begin writing this range to disk, wait for nothing."""

    def close(self) -> None:
        """Idempotent. `File`s handed out in responses stay readable until released."""


class Disk(Protocol):
    """A file system below the log directories. Paths are absolute strings."""

    def open(self, path: str, *, create: bool = False) -> File:
        """Open for reading and writing. FileNotFoundError unless it exists or `create`."""

    def read_bytes(self, path: str) -> bytes:
        """A whole small file."""

    def write_atomically(self, path: str, data: bytes) -> None:
        """`<path>.tmp`, fsync, rename, fsync the folder: old or new, never half."""

    def list_directory(self, path: str) -> list[str]:
        """Names, sorted."""

    def exists(self, path: str) -> bool: ...

    def size(self, path: str) -> int: ...

    def modified_ms(self, path: str) -> int: ...

    def make_directory(self, path: str) -> None:
        """With its parents; existing is fine."""

    def rename(self, source: str, target: str) -> None: ...

    def remove(self, path: str) -> None:
        """A file; missing is fine."""

    def remove_tree(self, path: str) -> None: ...

    def sync_directory(self, path: str) -> None: ...

    def sync_all(self, path: str) -> None:
        """Make all below the locked directory `path` durable: one call instead of one per file.

        OSError also for a write-out that failed since the lock was taken.
        """

    def max_files(self) -> int:
        """How many files this process may have open, clients' sockets among them."""

    def unwritten_bytes_allowed(self) -> int:
        """How much may be appended, and wait to be written, before the system holds up whoever appends."""

    def space(self, path: str) -> tuple[int, int]:
        """(total bytes, usable bytes) of the volume."""

    def lock(self, path: str) -> Callable[[], None] | None:
        """Take a POSIX record lock, which excludes the JVM too; the release, or None if held elsewhere."""

    def offload(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        """Run blocking `work` off the loop, then `done` on the loop.

        A simulator runs both inline. `work` must touch nothing but files.
        """


class Environment:
    """The world, as one argument."""

    __slots__ = ("clock", "disk", "random")

    def __init__(self, clock: Clock, random: Random, disk: Disk) -> None:
        self.clock = clock
        self.random = random
        self.disk = disk
