"""The producer snapshots of one log, named by the offset they are for.

Named by the offset they are valid for. Each has a CRC, so it need not be
written atomically: a torn one is dropped, and the log itself replayed.
"""

import logging
from collections.abc import Sequence

from kbroker.environment import Disk
from kbroker.log.names import SNAPSHOT_SUFFIX, offset_name, replace_file
from kbroker.log.producer_state import ProducerStates

logger = logging.getLogger(__name__)


class ProducerSnapshots:
    """The snapshot files of one directory, by offset."""

    __slots__ = ("_directory", "_disk", "_offsets")

    def __init__(self, disk: Disk, directory: str, offsets: Sequence[int] = ()) -> None:
        self._disk = disk
        self._directory = directory
        self._offsets = sorted(offsets)

    def _path(self, offset: int) -> str:
        return f"{self._directory}/{offset_name(offset)}{SNAPSHOT_SUFFIX}"

    def write(self, offset: int, states: ProducerStates) -> list[str]:
        """Save `states`, unsynced, and say where; an offset that is saved already or 0 needs no snapshot."""
        paths = []
        for path, data in self.take(offset, states).items():
            replace_file(self._disk, path, data)
            paths.append(path)
        return paths

    def take(self, offset: int, states: ProducerStates) -> dict[str, bytes]:
        """What `write` has to write, for somebody else to do so soon."""
        if offset <= (self._offsets[-1] if self._offsets else 0):
            return {}
        self._offsets.append(offset)
        return {self._path(offset): states.encode_snapshot()}

    def paths(self) -> set[str]:
        """Of all there are."""
        return set(map(self._path, self._offsets))

    def load_newest(self, at_most: int, start_offset: int, now_ms: int, expiration_ms: int) -> ProducerStates:
        """The newest good one up to `at_most`; no producers at `start_offset` if there is none."""
        for offset in [offset for offset in reversed(self._offsets) if offset <= at_most]:
            try:
                data = self._disk.read_bytes(self._path(offset))
            except FileNotFoundError:
                data = b""
            states = ProducerStates.decode_snapshot(data, offset, now_ms, expiration_ms)
            if states is not None:
                return states
            logger.warning("%s is corrupt: producers are learned from the log", self._path(offset))
            self._remove(offset)
        return ProducerStates(start_offset)

    def remove_behind(self, offset: int) -> None:
        while self._offsets and self._offsets[-1] > offset:
            self._remove(self._offsets[-1])

    def _remove(self, offset: int) -> None:
        self._offsets.remove(offset)
        self._disk.remove(self._path(offset))

    def give_up(self, offset: int) -> str | None:
        """The path of the snapshot at `offset`, which is the caller's to remove now."""
        if offset not in self._offsets:
            return None
        self._offsets.remove(offset)
        return self._path(offset)

    def paths_behind(self, offset: int) -> list[str]:
        return [self._path(each) for each in self._offsets if each > offset]
