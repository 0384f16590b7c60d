"""The snapshots beside the metadata log: found, read, written, dropped.

    invariant  the log holds everything from the oldest snapshot's end on, so
               that a bad newer snapshot costs time and not metadata

Kafka: `KafkaRaftLog`, `SnapshotGenerator`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from kbroker.environment import Disk
from kbroker.metadata.delta import CorruptMetadata
from kbroker.metadata.image import EMPTY, MetadataImage
from kbroker.metadata.snapshot import Control, CorruptSnapshot, SnapshotId, read_checkpoint, write_snapshot

logger = logging.getLogger(__name__)

# Kafka's default for a log whose records cost microseconds; ours cost ten times that, and
# a start must not wait for them. So a snapshot is due when the log has grown by as much again.
_LEAST_BYTES_BETWEEN_SNAPSHOTS = 1 << 20


class LoadedSnapshot:
    """What a start goes on from."""

    __slots__ = ("id", "image", "quorum")

    def __init__(self, snapshot_id: SnapshotId, image: MetadataImage, quorum: list[Control]) -> None:
        self.id = snapshot_id
        self.image = image
        self.quorum = quorum


class MetadataSnapshots:
    """The checkpoint files in one metadata log's directory, oldest first."""

    __slots__ = ("_directory", "_disk", "_sizes")

    def __init__(self, disk: Disk, directory: str) -> None:
        self._disk = disk
        self._directory = directory
        self._sizes: dict[SnapshotId, int] = {}
        for name in disk.list_directory(directory):
            snapshot_id = SnapshotId.of_file(name)
            if snapshot_id is not None:
                self._sizes[snapshot_id] = disk.size(self._path(snapshot_id))
            elif name.endswith((".checkpoint.part", ".checkpoint.deleted", ".checkpoint.tmp")):
                disk.remove(f"{directory}/{name}")

    def _path(self, snapshot_id: SnapshotId) -> str:
        return f"{self._directory}/{snapshot_id.file_name}"

    def bytes_between_snapshots(self, configured: int) -> int:
        """How far the log may grow before the next one."""
        last_size = self._sizes[max(self._sizes)] if self._sizes else 0
        return min(configured, max(_LEAST_BYTES_BETWEEN_SNAPSHOTS, 2 * last_size))

    def load_newest(self) -> LoadedSnapshot | None:
        """The newest that is whole; None without any."""
        for snapshot_id in sorted(self._sizes, reverse=True):
            try:
                snapshot = read_checkpoint(self._disk.read_bytes(self._path(snapshot_id)))
                image = snapshot.image(snapshot_id) if snapshot.records else EMPTY
            except (CorruptSnapshot, CorruptMetadata) as error:
                logger.error("%s is no snapshot: %s; trying the one before", self._path(snapshot_id), error)
                continue
            return LoadedSnapshot(snapshot_id, image, snapshot.quorum)
        return None

    def write(
        self,
        image: MetadataImage,
        quorum: Iterable[Control],
        *,
        now_ms: int,
        last_timestamp_ms: int,
        pause: Callable[[Callable[[], None]], object],
        done: Callable[[BaseException | None], None],
    ) -> None:
        """Encode `image` piece by piece, with a `pause` after each, then write it off the loop."""
        snapshot_id = SnapshotId(image.offset + 1, image.epoch)
        pieces = write_snapshot(
            image, snapshot_id, now_ms=now_ms, last_timestamp_ms=last_timestamp_ms, quorum=quorum
        )
        data = bytearray()

        def step() -> None:
            piece = next(pieces, None)
            if piece is not None:
                data.extend(piece)
                pause(step)
            else:
                self._disk.offload(
                    lambda: self._disk.write_atomically(self._path(snapshot_id), bytes(data)), on_written
                )

        def on_written(error: BaseException | None) -> None:
            if error is None:
                self._sizes[snapshot_id] = len(data)
                logger.info("Wrote metadata snapshot %s, %d bytes", snapshot_id.file_name, len(data))
            done(error)

        step()

    def drop_old(
        self, log_bytes: int, retention_bytes: int, too_old: Callable[[int], bool]
    ) -> SnapshotId | None:
        """Forget snapshots beyond retention; the new oldest one if any went. The newest always stays."""
        total_bytes = log_bytes + sum(self._sizes.values())
        ids = sorted(self._sizes)
        dropped = 0
        for snapshot_id in ids[:-1]:
            too_much = 0 <= retention_bytes < total_bytes
            if not too_much and not too_old(self._disk.modified_ms(self._path(snapshot_id))):
                break
            total_bytes -= self._sizes.pop(snapshot_id)
            self._disk.remove(self._path(snapshot_id))
            dropped += 1
        return ids[dropped] if dropped else None
