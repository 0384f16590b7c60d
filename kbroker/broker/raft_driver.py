"""The metadata log driven: append, flush, commit, publish, answer.

    submit ─▶ operation ─▶ records ─▶ append, replay into the controller
                                            │ one fsync for all that came meanwhile
    Pending ◀─ listeners ◀─ image ◀─ commit ◀┘ high watermark

Everything up to `submit`'s return is one step; the fsync runs off the loop. The
controller decides on what is appended; the world sees what is committed.

A first start formats the directory by itself. Every start is a new epoch and a
new incarnation of the own broker, unfenced at once: all of it is one fsync.

Why no NoOpRecord every half second: it would tell observers that the leader
lives and let them measure their lag. There are none, and disks may sleep.

Kafka: `KafkaRaftClient`, `QuorumController`, `BrokerLifecycleManager`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kbroker.broker.metadata_loader import load_bootstrap, load_metadata
from kbroker.controller.controller import Controller
from kbroker.controller.result import ControllerResult, too_large
from kbroker.handlers.context import Pending
from kbroker.log.config import LogConfig
from kbroker.log.directory import LogDirectoryError, in_one_sentence
from kbroker.log.partition_log import AppendOrigin
from kbroker.log.readable_log import StorageError
from kbroker.metadata.delta import MetadataDelta
from kbroker.metadata.features import METADATA_VERSION, registered_features
from kbroker.metadata.image import EMPTY, Endpoint, MetadataImage
from kbroker.metadata.records import encode_record, message_bytes
from kbroker.metadata.snapshot import Control
from kbroker.protocol.generated.broker_heartbeat_request import BrokerHeartbeatRequest
from kbroker.protocol.generated.broker_registration_request import (
    BrokerRegistrationRequest,
    Feature,
    Listener,
)
from kbroker.protocol.generated.kraft_version_record import KRaftVersionRecord
from kbroker.protocol.primitives import uuid_from_text
from kbroker.raft.election_state import CorruptElectionState, ElectionState
from kbroker.raft.quorum import (
    AdvanceHighWatermark,
    AppendLeaderChange,
    Effect,
    PersistElection,
    Quorum,
    UnsupportedQuorum,
)
from kbroker.raft.voters import Voter
from kbroker.records.batch import CONTROL_FLAG, build_batch
from kbroker.records.control import KRAFT_VERSION, KRAFT_VOTERS, LEADER_CHANGE, control_key
from kbroker.records.record import Record

if TYPE_CHECKING:
    from kbroker.config import Config
    from kbroker.environment import Environment
    from kbroker.handlers.context import Waiting
    from kbroker.log.directory import LogDirectory
    from kbroker.log.flush import Flush
    from kbroker.metadata.replay import Publication
    from kbroker.protocol.generated.describe_quorum_request import DescribeQuorumRequest
    from kbroker.protocol.generated.describe_quorum_response import DescribeQuorumResponse

T = TypeVar("T")

# Called with each committed image and what led to it, in the order of adding.
ImageListener = Callable[[MetadataImage, MetadataDelta], None]

logger = logging.getLogger(__name__)

QUORUM_STATE = "quorum-state"
# Readers of Apache Kafka take batches up to this size.
_MAX_BATCH_BYTES = 8 << 20
_STALE_CHECK_INTERVAL_MS = 1_000
# After a flush for which there was no descriptor or no room.
_RETRY_MS = 1_000


class _Uncommitted(NamedTuple):
    """What becomes true once the log is committed up to `end_offset`."""

    end_offset: int
    timestamp_ms: int
    published: Sequence[Publication]
    pending: Pending[Any]
    response: Any


class MetadataLog:
    """This node's share of the metadata quorum; implements `ControllerChannel` and `MetadataView`."""

    def __init__(
        self, environment: Environment, config: Config, directory: LogDirectory, waiting: Waiting
    ) -> None:
        self.image = EMPTY
        # Of the own registration; a clean stop leaves it in the directory.
        self.broker_epoch = -1
        self._clock = environment.clock
        self._disk = environment.disk
        self._random = environment.random
        self._config = config
        self._directory = directory
        self._waiting = waiting
        self._listeners: list[ImageListener] = []
        self._uncommitted: deque[_Uncommitted] = deque()
        self._publishing = False
        self._snapshotting = False

    def add_listener(self, listener: ImageListener) -> None:
        """Before `start`. The first call brings everything there is, as a delta from nothing."""
        self._listeners.append(listener)

    # --- start

    def start(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Load, lead, register and unfence the own broker, who is reached at `endpoints`.

        Blocks. LogDirectoryError says why the directory can't be used.
        """
        with in_one_sentence(self._directory.path):
            try:
                self._start(endpoints)
            except StorageError as error:
                raise LogDirectoryError(
                    f"The log directory {self._directory.path} can't be used: {error.message}."
                ) from error

    def _start(self, endpoints: Mapping[str, Endpoint]) -> None:
        directory, config = self._directory, self._config
        now_ms = self._clock.wall_ms()
        self._log = directory.open_metadata_log(
            LogConfig(
                segment_bytes=config.int("metadata.log.segment.bytes"),
                segment_ms=config.int("metadata.log.segment.ms"),
                # Only what a snapshot holds may go: by log start, never by age or size.
                delete=False,
            )
        )
        local = Voter(directory.node_id, uuid_from_text(directory.directory_id))
        loaded = load_metadata(self._disk, self._log, local, now_ms)
        self._snapshots = loaded.snapshots
        self._unsnapshotted_bytes = loaded.unsnapshotted_bytes
        self._last_snapshot_ms = now_ms
        self._last_timestamp_ms = loaded.last_timestamp_ms
        self._quorum = Quorum(local, loaded.voters)
        self._lead(voters_in_log=loaded.voters_in_log)
        loaded.replay.skip(self._log.log_end_offset - 1, self._quorum.epoch)
        self._controller = Controller(local.id, directory.cluster_id, config, self._random, loaded.replay)
        bootstrap = load_bootstrap(
            self._disk,
            directory.path,
            is_new=directory.is_new,
            has_records=METADATA_VERSION in self._controller.image.features,
            now_ms=now_ms,
        )
        self._append(lambda controller, _: controller.activate(bootstrap))
        self._register(endpoints, local)
        self._log.flush(now_ms)
        self._carry_out(self._quorum.on_flushed(self._log.log_end_offset))
        self._publish_everything()
        self._watch_other_brokers()

    def _lead(self, *, voters_in_log: bool) -> None:
        path = f"{self._log.directory}/{QUORUM_STATE}"
        try:
            stored = ElectionState.decode(self._disk.read_bytes(path))
        except FileNotFoundError:
            stored = None
        except CorruptElectionState as error:
            # The log's own epochs are a safe substitute while nobody else votes.
            logger.error("%s: %s; going on from the epochs in the log", path, error)
            stored = None
        try:
            effects = self._quorum.on_start(
                stored, max(self._log.latest_epoch, 0), self._log.log_end_offset, voters_in_log=voters_in_log
            )
        except UnsupportedQuorum as error:
            raise LogDirectoryError(f"{self._directory.path}: {error}.") from error
        self._carry_out(effects)

    def _register(self, endpoints: Mapping[str, Endpoint], local: Voter) -> None:
        clean_epoch = self._directory.clean_broker_epoch
        registration = BrokerRegistrationRequest(
            broker_id=local.id,
            cluster_id=self._directory.cluster_id,
            incarnation_id=self._random.uuid(),
            listeners=[Listener(name, *endpoint) for name, endpoint in endpoints.items()],
            features=[Feature(name, low, high) for name, (low, high) in registered_features().items()],
            rack=self._config.str("broker.rack") or None,
            log_dirs=[local.directory_id],
            previous_broker_epoch=-1 if clean_epoch is None else clean_epoch,
        )
        response = self._append(lambda controller, now_ms: controller.register_broker(registration, now_ms))
        self.broker_epoch = response.broker_epoch
        heartbeat = BrokerHeartbeatRequest(
            broker_id=local.id,
            broker_epoch=self.broker_epoch,
            current_metadata_offset=self._controller.next_offset - 1,
        )
        self._append(lambda controller, now_ms: controller.broker_heartbeat(heartbeat, now_ms))

    def _publish_everything(self) -> None:
        """The first image, of all that was loaded and decided so far."""
        self._uncommitted.clear()
        self.image = self._controller.image
        self._publish(self.image, MetadataDelta.from_nothing(self.image))

    def _watch_other_brokers(self) -> None:
        """Fence brokers that this release can't hear of, once their session ends."""
        image = self._controller.image
        if all(broker.fenced or broker.id == self._quorum.local.id for broker in image.brokers.values()):
            return
        self.submit(lambda controller, now_ms: controller.fence_stale_brokers(now_ms))
        self._waiting.call_later(_STALE_CHECK_INTERVAL_MS, self._watch_other_brokers)

    def stop(self) -> None:
        """The last records of a clean stop. Blocks; what was submitted before is committed and answered.

        Then the directory may be closed, with `broker_epoch`.
        """
        if self._log.offline:
            return
        try:
            self._append(lambda controller, _: controller.stop_own_broker())
            self._log.flush(self._clock.wall_ms())
        except StorageError as error:
            # The next start registers this broker anew anyway.
            logger.error("The end of this broker can't be written down: %s", error)
        # Less than the end only if an fsync is still under way on its thread: closing the log waits for none.
        self._carry_out(self._quorum.on_flushed(self._log.flushed_offset))
        self._commit()
        self._quorum.on_shutdown()

    # --- operations

    def submit(self, operation: Callable[[Controller, int], ControllerResult[T]]) -> Pending[T]:
        """See `ControllerChannel`. Raises KafkaError if the operation does, or the disk is gone."""
        pending: Pending[T] = Pending()
        self._append(operation, pending)
        self._flush()
        return pending

    def _append(
        self, operation: Callable[[Controller, int], ControllerResult[T]], pending: Pending[T] | None = None
    ) -> T:
        """Decide, append and replay; `pending` is completed once all that was known then is committed."""
        result = operation(self._controller, self._clock.monotonic_ms())
        now_ms = self._clock.wall_ms()
        published: Sequence[Publication] = ()
        if result.records:
            values = [encode_record(record) for record in result.records]
            self._append_batch([Record(delta, value=value) for delta, value in enumerate(values)], 0, now_ms)
            published = self._controller.replay(result.records, self._quorum.epoch)
        if pending is None:
            pending = Pending()
        waiting = _Uncommitted(self._log.log_end_offset, now_ms, published, pending, result.response)
        self._uncommitted.append(waiting)
        return result.response

    def _append_batch(self, records: Sequence[Record], attributes: int, now_ms: int) -> None:
        batch = build_batch(records, base_timestamp=now_ms, attributes=attributes)
        if len(batch) > _MAX_BATCH_BYTES:
            raise too_large()
        epoch = self._quorum.epoch
        self._log.append_as_leader(memoryview(batch), epoch, now_ms, origin=AppendOrigin.RAFT)
        self._unsnapshotted_bytes += len(batch)

    # --- durability

    def _flush(self) -> None:
        """Begin an fsync unless one is under way; what comes meanwhile shares the next."""
        flush = self._log.begin_flush(self._clock.wall_ms())
        if flush is not None:
            self._disk.offload(flush.work, lambda error: self._on_flushed(flush, error))
        elif self._log.flushed_offset == self._log.log_end_offset:
            self._commit()

    def _on_flushed(self, flush: Flush, error: BaseException | None) -> None:
        flush.done(error)
        if error is not None:
            # The directory is offline now and the broker stops. Nobody is told that a change was
            # made, nor that it was not: only the next start will know.
            logger.critical("The cluster metadata can't be made durable: %s", error)
            return
        self._carry_out(self._quorum.on_flushed(self._log.flushed_offset))
        self._commit()
        if flush.refused is not None:
            self._waiting.call_later(_RETRY_MS, self._flush)
        elif self._uncommitted:
            self._flush()

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, PersistElection):
                voters = self._quorum.voters
                version = min(voters.kraft_version, 1)
                data = effect.state.encode(version, voters.ids)
                self._disk.write_atomically(f"{self._log.directory}/{QUORUM_STATE}", data)
            elif isinstance(effect, AppendLeaderChange):
                self._append_leader_change(effect)
            elif isinstance(effect, AdvanceHighWatermark):
                self._log.commit(effect.offset)

    def _append_leader_change(self, effect: AppendLeaderChange) -> None:
        now_ms = self._clock.wall_ms()
        controls = [Control(LEADER_CHANGE, message_bytes(effect.message, 0))]
        if effect.with_voters:
            controls += self._voter_controls()
        records = [Record(delta, 0, control_key(c.type), c.value) for delta, c in enumerate(controls)]
        self._append_batch(records, CONTROL_FLAG, now_ms)

    def _voter_controls(self) -> list[Control]:
        """What the log says of its voters, for those who begin behind it; nothing with kraft.version 0."""
        voters = self._quorum.voters
        if voters.record is None:
            return []
        version = KRaftVersionRecord(0, voters.kraft_version)
        return [Control(KRAFT_VERSION, message_bytes(version, 0)), Control(KRAFT_VOTERS, voters.record)]

    # --- publication

    def _commit(self) -> None:
        """Publish and answer all that lies below the high watermark, in order."""
        if self._publishing:
            # A listener submitted something and the disk answered at once: the loop below goes on.
            return
        self._publishing = True
        try:
            while self._uncommitted and self._uncommitted[0].end_offset <= self._log.high_watermark:
                committed = self._uncommitted.popleft()
                self._last_timestamp_ms = committed.timestamp_ms
                for publication in committed.published:
                    self._publish(publication.image, publication.delta)
                committed.pending.complete(committed.response)
        finally:
            self._publishing = False
        self._maybe_snapshot()

    def _publish(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self.image = image
        for listener in self._listeners:
            listener(image, delta)

    def describe_quorum(self, request: DescribeQuorumRequest) -> DescribeQuorumResponse:
        from kbroker.raft.describe import describe_quorum

        return describe_quorum(self._quorum, request, self._clock.wall_ms())

    # --- snapshots

    def _maybe_snapshot(self) -> None:
        """Due by bytes or by time; looked at where something was committed, so an idle broker writes none."""
        config = self._config
        limit = self._snapshots.bytes_between_snapshots(
            config.int("metadata.log.max.record.bytes.between.snapshots")
        )
        interval_ms = config.int("metadata.log.max.snapshot.interval.ms")
        age_ms = self._clock.wall_ms() - self._last_snapshot_ms
        due = self._unsnapshotted_bytes >= limit or 0 < interval_ms <= age_ms
        if due and not self._snapshotting:
            self._snapshot()

    def _snapshot(self) -> None:
        now_ms = self._clock.wall_ms()
        self._snapshotting = True
        self._last_snapshot_ms = now_ms
        self._unsnapshotted_bytes = 0
        self._snapshots.write(
            self.image,
            self._voter_controls(),
            now_ms=now_ms,
            last_timestamp_ms=self._last_timestamp_ms,
            pause=lambda step: self._waiting.call_later(0, step),
            done=self._on_snapshot,
        )

    def _on_snapshot(self, error: BaseException | None) -> None:
        self._snapshotting = False
        if error is not None:
            logger.error("A snapshot of the cluster metadata could not be written: %s", error)
            if isinstance(error, OSError):
                self._directory.on_refusal_or_failure(error)
            return
        config = self._config
        now_ms = self._clock.wall_ms()
        retention_ms = config.int("metadata.max.retention.ms")
        oldest = self._snapshots.drop_old(
            self._log.size_bytes,
            config.int("metadata.max.retention.bytes"),
            lambda modified_ms: 0 <= retention_ms < now_ms - modified_ms,
        )
        if oldest is not None:
            self._log.set_log_start_offset(oldest.end_offset, now_ms)
            self._log.delete_old_segments(now_ms)
