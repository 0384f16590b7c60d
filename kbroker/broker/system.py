"""The world as it is: the operating system's clock, randomness and files.

Nothing here waits. Blocking work goes to the callable given to `OsDisk`, which
runs it on a thread and calls back on the loop.

Why files close when nobody refers to them: a response under way holds its
`OsFile` while `sendfile` reads from it; closing the descriptor under it could
hand its number to another file.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable
from functools import cache

from kbroker.broker.page_cache import unwritten_bytes_allowed

Offload = Callable[[Callable[[], None], Callable[[BaseException | None], None]], None]
Data = bytes | bytearray | memoryview

_SYNC_FILE_RANGE_WRITE = 2
# Of the 64 digits of base64url.
_DASH = 62
_MODE = 0o644
_READ_BYTES = 1 << 16


class SystemClock:
    """The operating system's clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


class SystemRandom:
    """The operating system's random numbers."""

    def uuid(self) -> bytes:
        value = bytearray(os.urandom(16))
        # Its text must not begin with a dash: command lines would take it for an option.
        while value[0] >> 2 == _DASH:
            value[0] = os.urandom(1)[0]
        value[6] = value[6] & 0x0F | 0x40
        value[8] = value[8] & 0x3F | 0x80
        return bytes(value)

    def below(self, limit: int) -> int:
        # Eight bytes more than `limit` has: the bias is beyond notice.
        length = limit.bit_length() // 8 + 8
        return int.from_bytes(os.urandom(length), "big") % limit


class OsFile:
    """A file descriptor, written at its end."""

    __slots__ = ("__weakref__", "_fd", "_path")

    def __init__(self, path: str, create: bool) -> None:
        # Set first, so that __del__ has something to look at when the open fails.
        self._fd = -1
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), _MODE)
        os.lseek(self._fd, 0, os.SEEK_END)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def __repr__(self) -> str:
        return f"OsFile({self._path!r})"

    def fileno(self) -> int:
        return self._fd

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def append(self, data: Data) -> None:
        written = os.write(self._fd, data)
        if written != len(data):
            self._append_rest(memoryview(data)[written:])

    def _append_rest(self, rest: memoryview) -> None:
        """After a short write: the next one succeeds or names the reason."""
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def appendv(self, parts: list[Data]) -> None:
        written = os.writev(self._fd, parts)
        if written != sum(map(len, parts)):
            self._append_rest(memoryview(b"".join(parts))[written:])

    def pread(self, length: int, position: int) -> bytes:
        data = os.pread(self._fd, length, position)
        if len(data) == length or not data:
            return data
        # Linux cuts one read at 2 GiB, and a signal may cut any.
        return data + self.pread(length - len(data), position + len(data))

    def pwrite(self, data: Data, position: int) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._fd, rest, position)
            position += written
            rest = rest[written:]

    def truncate(self, length: int) -> None:
        os.ftruncate(self._fd, length)
        os.lseek(self._fd, 0, os.SEEK_END)

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def start_writeback(self, position: int, length: int) -> None:
        _sync_file_range(self._fd, position, length)

    def close(self) -> None:
        """Nothing yet: the descriptor goes with the last reference."""


@cache
def _from_libc(name: str) -> Callable[..., int] | None:
    """Looked up once: each library object is garbage that only a collection finds."""
    import ctypes

    found: Callable[..., int] | None = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    return found


def _sync_file_range(fd: int, position: int, length: int) -> None:
    """A hint that only Linux takes; whether it was taken does not matter."""
    import ctypes

    function = _from_libc("sync_file_range")
    if function is not None:
        function(fd, ctypes.c_int64(position), ctypes.c_int64(length), _SYNC_FILE_RANGE_WRITE)


def _sync_volume(fd: int) -> None:
    """Sync the file system that holds `fd`; all of them where only that can be had."""
    import ctypes

    function = _from_libc("syncfs")
    if function is None:
        os.sync()
    elif function(fd) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class OsDisk:
    """The operating system's file system."""

    def __init__(self, offload: Offload) -> None:
        self._offload = offload
        # Directory → descriptor of its lock file. Linux tells a descriptor of
        # write errors on its volume since it was opened.
        self._locks: dict[str, int] = {}

    def open(self, path: str, *, create: bool = False) -> OsFile:
        return OsFile(path, create)

    def read_bytes(self, path: str) -> bytes:
        # A third of what `open` costs, and a start reads several such files of each log.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            parts = []
            while part := os.read(fd, _READ_BYTES):
                parts.append(part)
            return b"".join(parts)
        finally:
            os.close(fd)

    def write_atomically(self, path: str, data: bytes) -> None:
        temporary = f"{path}.tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
        self.sync_directory(os.path.dirname(path))

    def list_directory(self, path: str) -> list[str]:
        return sorted(os.listdir(path))

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def size(self, path: str) -> int:
        return os.stat(path).st_size

    def modified_ms(self, path: str) -> int:
        return os.stat(path).st_mtime_ns // 1_000_000

    def make_directory(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)

    def rename(self, source: str, target: str) -> None:
        os.replace(source, target)

    def remove(self, path: str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return

    def remove_tree(self, path: str) -> None:
        import shutil

        shutil.rmtree(path, ignore_errors=True)

    def sync_directory(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_all(self, path: str) -> None:
        _sync_volume(self._locks[path])

    def max_files(self) -> int:
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return sys.maxsize if most == resource.RLIM_INFINITY else most

    def unwritten_bytes_allowed(self) -> int:
        return unwritten_bytes_allowed()

    def space(self, path: str) -> tuple[int, int]:
        facts = os.statvfs(path)
        return facts.f_blocks * facts.f_frsize, facts.f_bavail * facts.f_frsize

    def lock(self, path: str) -> Callable[[], None] | None:
        # A record lock, for that is what the JVM takes too. Closing any other
        # descriptor of the file in this process would drop it: nobody else opens it.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(fd)
            return None
        directory = os.path.dirname(path)
        self._locks[directory] = fd
        return lambda: os.close(self._locks.pop(directory))

    def offload(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        self._offload(work, done)
