"""The metadata log read at start: a snapshot, then the log behind it.

Control records of the quorum go to the voter set, metadata records to the
replay; one image is made at the end. Kafka: `MetadataLoader`,
`KRaftControlRecordStateMachine`, `BootstrapDirectory`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kbroker.broker.metadata_snapshots import MetadataSnapshots
from kbroker.controller.activation import bootstrap_records
from kbroker.log.directory import LogDirectoryError
from kbroker.metadata.delta import CorruptMetadata
from kbroker.metadata.features import unsupported_level
from kbroker.metadata.records import ApiMessageAndVersion, decode_record
from kbroker.metadata.replay import Replay
from kbroker.metadata.snapshot import BOOTSTRAP_FILE, CorruptSnapshot, read_checkpoint, write_checkpoint
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.primitives import DecodeError, UnsupportedVersion
from kbroker.raft.voters import LATEST_KRAFT_VERSION, Voter, VoterSet
from kbroker.records.batch import HEADER_SIZE, BatchHeader
from kbroker.records.control import KRAFT_VERSION, KRAFT_VOTERS, control_type_of
from kbroker.records.record import Record, walk_records

if TYPE_CHECKING:
    from kbroker.environment import Disk
    from kbroker.log.partition_log import PartitionLog


logger = logging.getLogger(__name__)


class LoadedMetadata:
    """All that the log and its snapshots say."""

    __slots__ = ("last_timestamp_ms", "replay", "snapshots", "unsnapshotted_bytes", "voters", "voters_in_log")

    def __init__(self, snapshots: MetadataSnapshots, local: Voter) -> None:
        self.snapshots = snapshots
        self.replay = Replay()
        self.voters = VoterSet((Voter(local.id),))
        # A voter set that only the formatting tool's snapshot (0, 0) names must go into the log.
        self.voters_in_log = False
        self.last_timestamp_ms = 0
        self.unsnapshotted_bytes = 0


def load_metadata(disk: Disk, log: PartitionLog, local: Voter, now_ms: int) -> LoadedMetadata:
    """LogDirectoryError says in one sentence why there is no going on from what is there."""
    loaded = LoadedMetadata(MetadataSnapshots(disk, log.directory), local)
    try:
        _load_snapshot(loaded, log, now_ms)
        _load_log(loaded, log)
    except (CorruptMetadata, DecodeError, UnsupportedVersion, KafkaError) as error:
        raise LogDirectoryError(f"The cluster metadata in {log.directory} can't be read: {error}.") from error
    loaded.replay.publish()
    problem = unsupported_level(loaded.replay.image)
    if loaded.voters.kraft_version > LATEST_KRAFT_VERSION:
        problem = f"kraft.version is {loaded.voters.kraft_version}, this broker knows {LATEST_KRAFT_VERSION}"
    if problem is not None:
        raise LogDirectoryError(f"The cluster metadata in {log.directory} is of a newer release: {problem}.")
    return loaded


def _load_snapshot(loaded: LoadedMetadata, log: PartitionLog, now_ms: int) -> None:
    snapshot = loaded.snapshots.load_newest()
    start = 0 if snapshot is None else snapshot.id.end_offset
    if start < log.log_start_offset:
        raise LogDirectoryError(
            f"The cluster metadata in {log.directory} begins at offset {log.log_start_offset}, "
            "and no readable snapshot holds what came before."
        )
    if snapshot is None:
        return
    for control in snapshot.quorum:
        _replay_control(loaded, control.type, control.value)
    loaded.voters_in_log = snapshot.id.end_offset > 0
    loaded.replay = Replay(snapshot.image)
    if log.log_end_offset < start:
        # The snapshot outlived the end of the log it was made of.
        log.truncate_fully_and_start_at(start, now_ms)


def _load_log(loaded: LoadedMetadata, log: PartitionLog) -> None:
    replay = loaded.replay
    start = replay.image.offset + 1
    for header, batch in log.iterate_batches(start):
        records = list(walk_records(batch[HEADER_SIZE:], header.record_count))
        skip = max(start - header.base_offset, 0)
        if header.is_control:
            for record in records:
                _replay_control(loaded, control_type_of(record), record.value or b"")
            replay.skip(header.last_offset, header.partition_leader_epoch)
        else:
            _replay_batch(replay, header, records[skip:], skip)
        loaded.last_timestamp_ms = header.max_timestamp
        loaded.unsnapshotted_bytes += len(batch)


def _replay_batch(replay: Replay, header: BatchHeader, records: list[Record], skipped: int) -> None:
    messages = [decode_record(record.value or b"").message for record in records]
    replay.load(messages, header.base_offset + skipped, header.partition_leader_epoch)


def _replay_control(loaded: LoadedMetadata, control_type: int, value: bytes) -> None:
    if control_type == KRAFT_VERSION:
        loaded.voters.replay_kraft_version(value)
    elif control_type == KRAFT_VOTERS:
        loaded.voters.replay_voters(value)
        loaded.voters_in_log = True


def load_bootstrap(
    disk: Disk, directory: str, *, is_new: bool, has_records: bool, now_ms: int
) -> list[ApiMessageAndVersion]:
    """The first records of a cluster that has none: the formatting tool's, else our own."""
    path = f"{directory}/{BOOTSTRAP_FILE}"
    if is_new:
        records = bootstrap_records()
        disk.write_atomically(path, b"".join(write_checkpoint(records, epoch=1, now_ms=now_ms)))
        return records
    try:
        return read_checkpoint(disk.read_bytes(path)).records
    except FileNotFoundError:
        return bootstrap_records()
    except CorruptSnapshot as error:
        if has_records:
            logger.warning("%s can't be read, and is not needed any more: %s", path, error)
            return bootstrap_records()
        raise LogDirectoryError(f"{path} can't be read: {error}.") from error
