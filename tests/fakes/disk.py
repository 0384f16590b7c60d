"""A disk in memory that can lose power, tear writes and fail on demand.

Two states side by side: what programs see, and what is durable. `sync` makes a
file's bytes durable, `sync_directory` makes a folder's names durable; a sync
that fails loses what it was to keep, and the next one does not know of it. On
`crash` each file keeps a random part of its unsynced writes, in whole or by
sectors, the last sector maybe torn, and each folder a random prefix of its
unsynced changes of names (a journal keeps their order). `writes` counts every
change, so that a test can crash or fail at each one.
"""

import errno
import posixpath
from collections.abc import Callable, Iterator
from random import Random
from typing import Self

Data = bytes | bytearray | memoryview
SECTOR = 512


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

    def copy(self) -> "_Node":
        twin = _Node()
        twin.content, twin.durable = bytearray(self.content), bytearray(self.durable)
        twin.pending = list(self.pending)
        twin.modified_ms = self.modified_ms
        return twin

    def sync(self) -> None:
        for write in self.pending:
            write.apply(self.durable)
        self.pending.clear()

    def lose_power(self, random: Random) -> None:
        kept = bytearray(self.durable)
        for write in self.pending:
            for part in _survivors(write, random):
                part.apply(kept)
        self.content, self.durable, self.pending = kept, bytearray(kept), []


def _survivors(write: _Write, random: Random) -> list[_Write]:
    """What the disk has got of `write`: all, nothing, a torn beginning, or some of its sectors."""
    choice = random.random()
    if choice < 0.35:
        return []
    if not write.data or choice < 0.65:
        return [write]
    if choice < 0.8:
        return [_Write(write.position, write.data[: random.randrange(len(write.data))])]
    parts = []
    start = 0
    while start < len(write.data):
        end = min(len(write.data), start + SECTOR - (write.position + start) % SECTOR)
        if random.random() < 0.5:
            parts.append(_Write(write.position + start, write.data[start:end]))
        start = end
    if parts and random.random() < 0.5:
        last = parts[-1]
        assert last.data is not None
        parts[-1] = _Write(last.position, last.data[: random.randrange(len(last.data) + 1)])
    return parts


class _Folder:
    """Names as seen and as durable, and the changes between the two."""

    __slots__ = ("durable", "names", "pending")

    def __init__(self) -> None:
        self.names: dict[str, _Node | _Folder] = {}
        self.durable: dict[str, _Node | _Folder] = {}
        self.pending: list[_NameChange] = []

    def copy(self, twins: dict[int, "_Node | _Folder"]) -> "_Folder":
        twin = _Folder()
        for names, target in ((self.names, twin.names), (self.durable, twin.durable)):
            target.update({name: _twin(entry, twins) for name, entry in names.items()})
        twin.pending = [
            _NameChange(change.name, change.entry and _twin(change.entry, twins), change.target)
            for change in self.pending
        ]
        return twin

    def change(self, change: "_NameChange") -> None:
        change.apply(self.names)
        self.pending.append(change)

    def sync(self) -> None:
        for change in self.pending:
            change.apply(self.durable)
        self.pending.clear()

    def lose_power(self, random: Random) -> None:
        for change in self.pending[: random.randint(0, len(self.pending))]:
            change.apply(self.durable)
        self.pending.clear()
        self.names = dict(self.durable)
        for entry in self.names.values():
            entry.lose_power(random)

    def walk(self, path: str) -> Iterator[tuple[str, _Node]]:
        for name, entry in self.names.items():
            below = f"{path}/{name}"
            if isinstance(entry, _Folder):
                yield from entry.walk(below)
            else:
                yield below, entry

    def sync_all(self) -> None:
        self.sync()
        for entry in self.names.values():
            if isinstance(entry, _Folder):
                entry.sync_all()
            else:
                entry.sync()


class _NameChange:
    """`name` becomes `entry`; or, without one, is called `target` from now on, or goes."""

    __slots__ = ("entry", "name", "target")

    def __init__(self, name: str, entry: _Node | _Folder | None = None, target: str | None = None) -> None:
        self.name = name
        self.entry = entry
        self.target = target

    def apply(self, names: dict[str, _Node | _Folder]) -> None:
        if self.entry is not None:
            names[self.name] = self.entry
        else:
            entry = names.pop(self.name)
            if self.target is not None:
                names[self.target] = entry


def _twin(entry: _Node | _Folder, twins: dict[int, _Node | _Folder]) -> _Node | _Folder:
    """The copy of `entry`, made once."""
    twin = twins.get(id(entry))
    if twin is None:
        twin = twins[id(entry)] = entry.copy() if isinstance(entry, _Node) else entry.copy(twins)
    return twin


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
        self._disk.count_read(self.path)
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
        try:
            self._disk.count_write("sync", self.path)
        except OSError:
            # The kernel drops the pages and reports the failure once.
            self._node.pending.clear()
            raise
        self._node.sync()

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
        # The same before each read of a file's content.
        self.on_read: Callable[[str], None] | None = None
        self.power_off_at: int | None = None
        self.files_allowed = 1024
        self.unwritten_allowed = 0
        self._root = _Folder()
        self._locked: set[str] = set()

    # --- faults

    def count_write(self, operation: str, path: str) -> None:
        self.writes += 1
        if self.power_off_at is not None and self.writes >= self.power_off_at:
            raise PowerFailureError(f"{operation} {path}")
        if self.on_write is not None:
            self.on_write(operation, path)

    def count_read(self, path: str) -> None:
        self.reads += 1
        if self.on_read is not None:
            self.on_read(path)

    def crash(self, random: Random) -> None:
        """Lose what was not synced, as the seed decides, and every lock."""
        self._root.lose_power(random)
        self._locked.clear()
        self.power_off_at = None

    def kill(self) -> None:
        """The process dies, the machine does not: all that was written is there."""
        self._locked.clear()
        self.power_off_at = None

    def _change_names(
        self, operation: str, path: str, entry: _Node | _Folder | None = None, target: str | None = None
    ) -> None:
        folder, name = posixpath.split(path)
        assert target is None or posixpath.dirname(target) == folder
        self.count_write(operation, path)
        self._folder(folder).change(_NameChange(name, entry, target and posixpath.basename(target)))

    def _entry(self, path: str) -> _Node | _Folder | None:
        entry: _Node | _Folder | None = self._root
        for name in filter(None, path.split("/")):
            entry = entry.names.get(name) if isinstance(entry, _Folder) else None
        return entry

    def _folder(self, path: str) -> _Folder:
        folder = self._entry(path)
        if not isinstance(folder, _Folder):
            raise FileNotFoundError(errno.ENOENT, "No such directory", path)
        return folder

    def _node(self, path: str) -> _Node:
        node = self._entry(path)
        if not isinstance(node, _Node):
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        return node

    # --- the Disk interface

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        if create and self._entry(path) is None:
            self._folder(posixpath.dirname(path))
            node = _Node()
            node.modified_ms = self.now_ms
            self._change_names("create", path, node)
        return MemoryFile(self, self._node(path), path)

    def read_bytes(self, path: str) -> bytes:
        self.count_read(path)
        return bytes(self._node(path).content)

    def write_atomically(self, path: str, data: bytes) -> None:
        file = self.open(f"{path}.tmp", create=True)
        file.truncate(0)
        file.append(data)
        file.sync()
        self.rename(f"{path}.tmp", path)
        self.sync_directory(posixpath.dirname(path))

    def list_directory(self, path: str) -> list[str]:
        return sorted(self._folder(path).names)

    def exists(self, path: str) -> bool:
        return self._entry(path) is not None

    def size(self, path: str) -> int:
        return len(self._node(path).content)

    def modified_ms(self, path: str) -> int:
        return self._node(path).modified_ms

    def make_directory(self, path: str) -> None:
        if self._entry(path) is not None:
            return
        self.make_directory(posixpath.dirname(path))
        self._change_names("mkdir", path, _Folder())

    def rename(self, source: str, target: str) -> None:
        if self._entry(source) is None:
            raise FileNotFoundError(errno.ENOENT, "No such file", source)
        self._change_names("rename", source, target=target)

    def remove(self, path: str) -> None:
        if self._entry(path) is not None:
            self._change_names("remove", path)

    def remove_tree(self, path: str) -> None:
        self.remove(path)

    def sync_directory(self, path: str) -> None:
        folder = self._folder(path)
        self.count_write("sync", path)
        folder.sync()

    def sync_all(self, path: str) -> None:
        self.count_write("sync", path)
        self._root.sync_all()

    def unwritten_bytes_allowed(self) -> int:
        return self.unwritten_allowed

    def max_files(self) -> int:
        return self.files_allowed

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
        return sorted(path for path, _ in self._root.walk(""))

    def copy(self) -> Self:
        """Another disk with what programs see on this one, all durable, unlocked."""
        other = self.fork()
        other.sync_all("/")
        other.writes = 0
        other.kill()
        return other

    def fork(self) -> Self:
        """Another disk in the very same state, lock and unsynced changes included, but without faults."""
        other = type(self)()
        other.now_ms = self.now_ms
        other._root = self._root.copy({})
        other._locked = set(self._locked)
        return other
