"""A disk in memory that can lose power, tear writes and fail on demand.

Two states side by side: what programs see, and what is durable. `sync` makes a
file's bytes durable, `sync_directory` makes a folder's names durable. On
`crash` each file keeps a random part of its unsynced writes, the last kept one
maybe torn, and each folder a random prefix of its unsynced changes of names
(a journal keeps their order). `writes` counts every change, so that a test
can crash or fail at each one.
"""

import errno
import posixpath
from collections.abc import Callable
from random import Random

Data = bytes | bytearray | memoryview


class PowerFailureError(Exception):
    """The power went off at the chosen write."""


class _Write:
    """One unsynced change of a file: bytes at a position, or a new length."""

    __slots__ = ("data", "position")

    def __init__(self, position: int, data: bytes | None) -> None:
        self.position = position
        self.data = data

    def apply(self, content: bytearray) -> None:
        if self.data is None:
            del content[self.position :]
            content.extend(bytes(self.position - len(content)))
        else:
            content.extend(bytes(max(0, self.position - len(content))))
            content[self.position : self.position + len(self.data)] = self.data


class _Node:
    """A file's content: as seen, as durable, and the writes between the two."""

    __slots__ = ("content", "durable", "modified_ms", "pending")

    def __init__(self) -> None:
        self.content = bytearray()
        self.durable = bytearray()
        self.pending: list[_Write] = []
        self.modified_ms = 0

    def lose_power(self, random: Random) -> None:
        kept = bytearray(self.durable)
        for write in self.pending:
            if random.random() < 0.5:
                continue
            if write.data and random.random() < 0.3:
                write = _Write(write.position, write.data[: random.randrange(len(write.data))])
            write.apply(kept)
        self.content, self.durable, self.pending = kept, bytearray(kept), []


class MemoryFile:
    """An open file; keeps working after its name is gone."""

    def __init__(self, disk: "MemoryDisk", node: _Node, path: str) -> None:
        self._disk = disk
        self._node = node
        self.path = path

    def fileno(self) -> int:
        return -1

    def size(self) -> int:
        return len(self._node.content)

    def append(self, data: Data) -> None:
        self.pwrite(data, len(self._node.content))

    def appendv(self, parts: list[Data]) -> None:
        self.append(b"".join(parts))

    def pread(self, length: int, position: int) -> bytes:
        self._disk.reads += 1
        return bytes(self._node.content[position : position + length])

    def pwrite(self, data: Data, position: int) -> None:
        self._change(_Write(position, bytes(data)))

    def truncate(self, length: int) -> None:
        if length != len(self._node.content):
            self._change(_Write(length, None))

    def _change(self, write: _Write) -> None:
        try:
            self._disk.count_write("truncate" if write.data is None else "write", self.path)
        except OSError:
            # Half of it may be there.
            if write.data:
                half = _Write(write.position, write.data[: len(write.data) // 2])
                half.apply(self._node.content)
                self._node.pending.append(half)
            raise
        write.apply(self._node.content)
        self._node.pending.append(write)
        self._node.modified_ms = self._disk.now_ms

    def sync(self) -> None:
        self._disk.count_write("sync", self.path)
        self._node.durable = bytearray(self._node.content)
        self._node.pending.clear()

    def start_writeback(self, position: int, length: int) -> None:
        self._disk.writebacks.append((self.path, position, length))

    def close(self) -> None:
        pass


class MemoryDisk:
    """Folders of files, by absolute path."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.reads = 0
        self.writes = 0
        self.write_log: list[str] = []
        self.writebacks: list[tuple[str, int, int]] = []
        # Called before each change with (operation, path); may raise.
        self.on_write: Callable[[str, str], None] | None = None
        self.power_off_at: int | None = None
        self._names: dict[str, _Node | None] = {"/": None}
        self._durable_names: dict[str, _Node | None] = {"/": None}
        # Unsynced changes of names, per folder, in order.
        self._pending_names: list[tuple[str, Callable[[dict[str, _Node | None]], None]]] = []
        self._locked: set[str] = set()

    # --- faults

    def count_write(self, operation: str, path: str) -> None:
        self.writes += 1
        if self.power_off_at is not None and self.writes >= self.power_off_at:
            raise PowerFailureError(f"{operation} {path}")
        if self.on_write is not None:
            self.on_write(operation, path)

    def crash(self, random: Random) -> None:
        """Lose what was not synced, as the seed decides, and every lock."""
        kept = {path: random.randint(0, self._pending_in(path)) for path in self._folders_with_pending()}
        for folder, change in self._pending_names:
            if kept[folder] > 0:
                kept[folder] -= 1
                change(self._durable_names)
        self._pending_names.clear()
        # Files of lost folders are lost with them.
        self._names = {
            path: node
            for path, node in self._durable_names.items()
            if self._reachable(path, self._durable_names)
        }
        self._durable_names = dict(self._names)
        for node in {id(node): node for node in self._names.values() if node is not None}.values():
            node.lose_power(random)
        self._locked.clear()
        self.power_off_at = None

    def _pending_in(self, folder: str) -> int:
        return sum(1 for path, _ in self._pending_names if path == folder)

    def _folders_with_pending(self) -> list[str]:
        return list(dict.fromkeys(path for path, _ in self._pending_names))

    def _reachable(self, path: str, names: dict[str, _Node | None]) -> bool:
        while path != "/":
            path = posixpath.dirname(path)
            if path not in names:
                return False
        return True

    def kill(self) -> None:
        """The process dies, the machine does not: all that was written is there."""
        self._locked.clear()
        self.power_off_at = None

    def _change_names(
        self, operation: str, path: str, change: Callable[[dict[str, _Node | None]], None]
    ) -> None:
        self.count_write(operation, path)
        change(self._names)
        self._pending_names.append((posixpath.dirname(path), change))

    # --- the Disk interface

    def _node(self, path: str) -> _Node:
        node = self._names.get(path)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        return node

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        if path not in self._names and create:
            if self._names.get(posixpath.dirname(path), b"") is not None:
                raise FileNotFoundError(errno.ENOENT, "No such directory", path)
            node = _Node()
            node.modified_ms = self.now_ms
            self._change_names("create", path, lambda names: names.__setitem__(path, node))
        return MemoryFile(self, self._node(path), path)

    def read_bytes(self, path: str) -> bytes:
        self.reads += 1
        return bytes(self._node(path).content)

    def write_atomically(self, path: str, data: bytes) -> None:
        file = self.open(f"{path}.tmp", create=True)
        file.truncate(0)
        file.append(data)
        file.sync()
        self.rename(f"{path}.tmp", path)
        self.sync_directory(posixpath.dirname(path))

    def list_directory(self, path: str) -> list[str]:
        if self._names.get(path, b"") is not None:
            raise FileNotFoundError(errno.ENOENT, "No such directory", path)
        prefix = path if path.endswith("/") else path + "/"
        return sorted(
            name[len(prefix) :]
            for name in self._names
            if name.startswith(prefix) and name != path and "/" not in name[len(prefix) :]
        )

    def exists(self, path: str) -> bool:
        return path in self._names

    def size(self, path: str) -> int:
        return len(self._node(path).content)

    def modified_ms(self, path: str) -> int:
        return self._node(path).modified_ms

    def make_directory(self, path: str) -> None:
        if path in self._names:
            return
        self.make_directory(posixpath.dirname(path))
        self._change_names("mkdir", path, lambda names: names.__setitem__(path, None))

    def rename(self, source: str, target: str) -> None:
        if source not in self._names:
            raise FileNotFoundError(errno.ENOENT, "No such file", source)

        def change(names: dict[str, _Node | None]) -> None:
            for path in [path for path in names if path == source or path.startswith(source + "/")]:
                names[target + path[len(source) :]] = names.pop(path)

        self._change_names("rename", source, change)

    def remove(self, path: str) -> None:
        def change(names: dict[str, _Node | None]) -> None:
            names.pop(path, None)

        if path in self._names:
            self._change_names("remove", path, change)

    def remove_tree(self, path: str) -> None:
        def change(names: dict[str, _Node | None]) -> None:
            for name in [name for name in names if name == path or name.startswith(path + "/")]:
                del names[name]

        if path in self._names:
            self._change_names("remove", path, change)

    def sync_directory(self, path: str) -> None:
        self.count_write("sync", path)
        remaining = []
        for folder, change in self._pending_names:
            if folder == path:
                change(self._durable_names)
            else:
                remaining.append((folder, change))
        self._pending_names = remaining

    def sync_all(self, path: str) -> None:
        self.count_write("sync", path)
        for node in self._names.values():
            if node is not None:
                node.durable = bytearray(node.content)
                node.pending.clear()
        for _, change in self._pending_names:
            change(self._durable_names)
        self._pending_names.clear()

    def space(self, path: str) -> tuple[int, int]:
        return 1 << 40, 1 << 39

    def lock(self, path: str) -> Callable[[], None] | None:
        if path in self._locked:
            return None
        self.open(path, create=True)
        self._locked.add(path)
        return lambda: self._locked.discard(path)

    def offload(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        try:
            work()
        except OSError as error:
            done(error)
        else:
            done(None)

    # --- for tests

    def corrupt(self, path: str, position: int, flip: int) -> None:
        """Flip bits of one byte, durably, uncounted."""
        node = self._node(path)
        for content in (node.content, node.durable):
            if position < len(content):
                content[position] ^= flip

    def cut(self, path: str, length: int) -> None:
        """Shorten a file, durably, uncounted."""
        node = self._node(path)
        del node.content[length:]
        node.durable = bytearray(node.content)
        node.pending.clear()

    def files(self) -> list[str]:
        return sorted(path for path, node in self._names.items() if node is not None)

    def copy(self) -> "MemoryDisk":
        """Another disk with what programs see on this one, all durable, unlocked."""
        other = MemoryDisk()
        other.now_ms = self.now_ms
        for path, node in self._names.items():
            if node is None:
                other._names[path] = None
            else:
                twin = _Node()
                twin.content, twin.durable = bytearray(node.content), bytearray(node.content)
                twin.modified_ms = node.modified_ms
                other._names[path] = twin
        other._durable_names = dict(other._names)
        return other
