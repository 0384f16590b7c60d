"""Feeds coordinators: a shard per partition that this broker leads.

    leadership gained ──▶ loading ──▶ active ──▶ lost: replies, dropped
                            └──▶ failed (log unreadable): NOT_COORDINATOR

    write: operation → append as one batch → replay → high watermark → answer
    order: an operation's records are in the log before any of its answers leaves

Everything that is already committed when the operation returns is answered
within the same turn, without a timer: always so on a single node.

Kafka: `CoordinatorRuntime`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kbroker.coordinator.loading import replay_batch
from kbroker.coordinator.records import CoordinatorRecord, batch_of, encode
from kbroker.coordinator.shard import CoordinatorShard, Now, Result
from kbroker.handlers.context import Pending
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.replication.partition import ACKS_ALL

if TYPE_CHECKING:
    from kbroker.handlers.context import Services, Timer
    from kbroker.metadata.delta import MetadataDelta
    from kbroker.metadata.image import MetadataImage
    from kbroker.replication.partition import Partition

S = TypeVar("S", bound=CoordinatorShard)
R = TypeVar("R")

_log = logging.getLogger(__name__)

# How much of the logs is replayed before others get a turn.
_BYTES_PER_TURN = 256 << 10
# A record's share of its batch beside key and value: lengths, deltas.
_RECORD_OVERHEAD = 32

# What a client is told when the coordinator's own append fails.
_APPEND_ERRORS = {
    errors.UNKNOWN_TOPIC_OR_PARTITION: errors.COORDINATOR_NOT_AVAILABLE,
    errors.NOT_ENOUGH_REPLICAS: errors.COORDINATOR_NOT_AVAILABLE,
    errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND: errors.COORDINATOR_NOT_AVAILABLE,
    errors.REQUEST_TIMED_OUT: errors.COORDINATOR_NOT_AVAILABLE,
    errors.NOT_LEADER_OR_FOLLOWER: errors.NOT_COORDINATOR,
    errors.KAFKA_STORAGE_ERROR: errors.NOT_COORDINATOR,
    errors.MESSAGE_TOO_LARGE: errors.UNKNOWN_SERVER_ERROR,
    errors.RECORD_LIST_TOO_LARGE: errors.UNKNOWN_SERVER_ERROR,
    errors.INVALID_FETCH_SIZE: errors.UNKNOWN_SERVER_ERROR,
}


class Shard(Generic[S]):
    """One partition's machine and where it stands in its log."""

    __slots__ = (
        "failed",
        "index",
        "last_offset",
        "leader_epoch",
        "loaded",
        "machine",
        "next_offset",
        "timer",
        "timer_ms",
        "topic_id",
    )

    def __init__(self, index: int, topic_id: bytes, leader_epoch: int, machine: S) -> None:
        self.index = index
        self.topic_id = topic_id
        self.leader_epoch = leader_epoch
        self.machine = machine
        self.loaded = False
        self.failed = False
        # While loading: from where to go on.
        self.next_offset = 0
        # The last record appended here; what it decided may not be committed yet.
        self.last_offset = -1
        self.timer: Timer | None = None
        self.timer_ms: int | None = None


class CoordinatorDriver(Generic[S]):
    """All shards of one internal topic on this broker."""

    def __init__(self, topic: str, services: Services, make_shard: Callable[[], S]) -> None:
        self._topic = topic
        self._services = services
        self._make_shard = make_shard
        self._commit_timeout_ms = services.config.int("offsets.commit.timeout.ms")
        self._codec = services.config.int("offsets.topic.compression.codec")
        self._shards: dict[int, Shard[S]] = {}
        self._loading: deque[Shard[S]] = deque()

    # ── leadership ───────────────────────────────────────────────────────────

    def apply(self, image: MetadataImage, delta: MetadataDelta | None) -> None:
        """Lead what the image says; `delta` None: look at all of it. The replicas have followed already."""
        topic = image.topics.get(self._topic)
        if topic is None:
            changed = set(self._shards)
        elif delta is None:
            changed = set(topic.partitions)
        else:
            changed = delta.changed_topics.get(topic.id, set())
        for index in sorted(changed):
            partition = None if topic is None else topic.partitions.get(index)
            if topic is None or partition is None or partition.leader != self._services.node_id:
                self._resign(index)
            else:
                self._elect(index, topic.id, partition.leader_epoch)
        if self._loading:
            self._load()

    def close(self) -> None:
        """The broker stops: answer everybody who waits."""
        for index in list(self._shards):
            self._resign(index)

    def _elect(self, index: int, topic_id: bytes, leader_epoch: int) -> None:
        present = self._shards.get(index)
        if present is not None:
            if present.topic_id == topic_id and present.leader_epoch >= leader_epoch:
                return
            # Led anew without having heard of the loss: the log may be another one.
            self._resign(index)
        shard = Shard(index, topic_id, leader_epoch, self._make_shard())
        self._shards[index] = shard
        self._loading.append(shard)

    def _resign(self, index: int) -> None:
        shard = self._shards.pop(index, None)
        if shard is None:
            return
        if shard.timer is not None:
            shard.timer.cancel()
        shard.machine.on_unloaded()
        self._send_replies(shard)

    # ── loading ──────────────────────────────────────────────────────────────

    def _load(self) -> None:
        """Replay a bounded part of the logs that are being loaded; the rest in later turns."""
        budget = _BYTES_PER_TURN
        while self._loading and budget > 0:
            shard = self._loading[0]
            if self._shards.get(shard.index) is shard:
                try:
                    budget -= self._load_part(shard, budget)
                except (KafkaError, OSError) as error:
                    _log.error("%s-%d cannot be loaded: %s", self._topic, shard.index, error)
                    shard.failed = True
                if not shard.loaded and not shard.failed:
                    continue
            self._loading.popleft()
        if self._loading:
            self._services.waiting.call_later(1, self._load)

    def _load_part(self, shard: Shard[S], budget: int) -> int:
        """Replay about `budget` bytes; how many it were."""
        log = self._partition(shard).local_log()
        end_offset = log.log_end_offset
        done = 0
        shard.next_offset = max(shard.next_offset, log.log_start_offset)
        if shard.next_offset < end_offset:
            for header, batch in log.iterate_batches(shard.next_offset):
                replay_batch(shard.machine, header, batch)
                shard.next_offset = header.next_offset
                done += len(batch)
                if done >= budget:
                    return done
        shard.last_offset = end_offset - 1
        shard.loaded = True
        now = self._now()
        shard.machine.on_loaded(now)
        self._settle(shard, now)
        self._services.waiting.wake([self.loaded_key(shard.index)])
        return done

    def loaded_key(self, index: int) -> tuple[str, str, int]:
        """What is woken when the shard can be asked."""
        return ("coordinator loaded", self._topic, index)

    def is_loading(self, index: int) -> bool:
        shard = self._shards.get(index)
        return shard is not None and not shard.loaded and not shard.failed

    # ── operations ───────────────────────────────────────────────────────────

    def shard(self, index: int) -> Shard[S]:
        """The shard, ready to be asked. KafkaError: loading, or not led here."""
        shard = self._shards.get(index)
        if shard is None or shard.failed:
            raise KafkaError(errors.NOT_COORDINATOR)
        if not shard.loaded:
            raise KafkaError(errors.COORDINATOR_LOAD_IN_PROGRESS)
        return shard

    def loaded_shards(self) -> list[Shard[S]]:
        """Those that can be asked now."""
        return [shard for shard in self._shards.values() if shard.loaded]

    def active_shards(self) -> Iterator[Shard[S]]:
        """Every shard led here. KafkaError if one is still loading."""
        for shard in self._shards.values():
            if not shard.failed:
                yield self.shard(shard.index)

    def write(
        self,
        shard: Shard[S],
        operation: Callable[[S, Now], Result[R]],
        on_error: Callable[[int], R],
    ) -> R | Pending[R]:
        """Run an operation and commit its records; its response, or `on_error` with the code in the way."""
        now = self._now()
        try:
            result = operation(shard.machine, now)
        except KafkaError as error:
            answer: R | Pending[R] = on_error(error.code)
        else:
            answer = self._carry_out(shard, result, on_error, now)
        self._settle(shard, now)
        return answer

    def read(
        self, shard: Shard[S], operation: Callable[[S], R], on_error: Callable[[int], R]
    ) -> R | Pending[R]:
        """Ask without changing anything; answered when all that the answer rests on is committed."""
        try:
            response = operation(shard.machine)
        except KafkaError as error:
            return on_error(error.code)
        outcome = errors.NONE if shard.last_offset < 0 else self._outcome(shard, shard.last_offset)
        if outcome is not None:
            return on_error(_append_error(outcome)) if outcome else response
        committed = self._when_committed(shard, shard.last_offset)
        return committed.then(lambda code: on_error(_append_error(code)) if code else response)

    def touch(self, shard: Shard[S], operation: Callable[[S, Now], R]) -> R:
        """Run an operation that writes nothing and answers nobody else, such as a heartbeat."""
        response = operation(shard.machine, self._now())
        self._arm(shard)
        return response

    def _carry_out(
        self, shard: Shard[S], result: Result[R], on_error: Callable[[int], R], now: Now
    ) -> R | Pending[R]:
        if not result.records:
            self._finish(shard, result, errors.NONE, now)
            return result.response
        try:
            last_offset = self._append(shard, result, now)
        except KafkaError as error:
            code = _append_error(error.code)
            self._finish(shard, result, code, now)
            return on_error(code)
        outcome = self._outcome(shard, last_offset)
        if outcome is not None:
            code = _append_error(outcome)
            self._finish(shard, result, code, now)
            return on_error(code) if code else result.response

        def committed(outcome: int) -> R:
            code = _append_error(outcome)
            if self._shards.get(shard.index) is shard:
                later = self._now()
                self._finish(shard, result, code, later)
                self._settle(shard, later)
            return on_error(code) if code else result.response

        return self._when_committed(shard, last_offset).then(committed)

    def _finish(self, shard: Shard[S], result: Result[Any], code: int, now: Now) -> None:
        if result.on_commit is not None:
            following = result.on_commit(code, now)
            if following is not None:
                self._carry_out(shard, following, _ignore, now)

    def _append(self, shard: Shard[S], result: Result[Any], now: Now) -> int:
        """Write and replay the records; the offset of the last one."""
        last_offset = -1
        limit = self._partition(shard).log.config.rules.max_message_bytes
        # Half of it, as what a record takes in a batch is only estimated.
        for records in [result.records] if result.atomic else _split(result.records, limit // 2):
            batch = batch_of(records, now.wall_ms, self._codec)
            if len(batch) > limit:
                raise KafkaError(errors.MESSAGE_TOO_LARGE)
            info = self._services.replicas.append_internal(self._topic, shard.index, batch, now.wall_ms)
            last_offset = shard.last_offset = info.last_offset
            if result.replay:
                for offset, record in enumerate(records, info.first_offset):
                    shard.machine.replay(offset, -1, record)
        return last_offset

    # ── waiting ──────────────────────────────────────────────────────────────

    def _partition(self, shard: Shard[S]) -> Partition:
        return self._services.replicas.partition(self._topic, shard.index)

    def _outcome(self, shard: Shard[S], last_offset: int) -> int | None:
        """0 when committed, an error code when it never will be, None: not yet."""
        try:
            return self._partition(shard).outcome(last_offset, ACKS_ALL)
        except KafkaError as error:
            return error.code

    def _when_committed(self, shard: Shard[S], last_offset: int) -> Pending[int]:
        return self._services.waiting.wait(
            [(self._topic, shard.index)],
            self._commit_timeout_ms,
            lambda: self._outcome(shard, last_offset),
            lambda: errors.REQUEST_TIMED_OUT,
        )

    # ── replies and timers ───────────────────────────────────────────────────

    def _settle(self, shard: Shard[S], now: Now) -> None:
        """Send what the machine has to say, fire what is due, set the timer."""
        self._send_replies(shard)
        while (result := shard.machine.on_deadline(now)) is not None:
            self._carry_out(shard, result, _ignore, now)
            self._send_replies(shard)
        self._arm(shard)

    def _send_replies(self, shard: Shard[S]) -> None:
        for reply in shard.machine.take_replies():
            pending: Pending[Any] = reply.token
            if not pending.abandoned:
                pending.complete(reply.response)

    def _arm(self, shard: Shard[S]) -> None:
        # Deadlines mostly move away; a timer that fires early just looks again.
        deadline_ms = shard.machine.next_deadline()
        if deadline_ms is None or (shard.timer_ms is not None and shard.timer_ms <= deadline_ms):
            return
        if self._shards.get(shard.index) is not shard:
            return
        if shard.timer is not None:
            shard.timer.cancel()
        shard.timer_ms = deadline_ms
        delay_ms = deadline_ms - self._services.environment.clock.monotonic_ms()
        shard.timer = self._services.waiting.call_later(max(delay_ms, 0), lambda: self._on_timer(shard))

    def _on_timer(self, shard: Shard[S]) -> None:
        shard.timer = shard.timer_ms = None
        if self._shards.get(shard.index) is shard:
            self._settle(shard, self._now())

    def _now(self) -> Now:
        clock = self._services.environment.clock
        return Now(clock.wall_ms(), clock.monotonic_ms())


def _split(records: Sequence[CoordinatorRecord], max_bytes: int) -> Iterator[Sequence[CoordinatorRecord]]:
    """Runs of records of at most about `max_bytes`."""
    run: list[CoordinatorRecord] = []
    size = 0
    for record in records:
        key, value = encode(record)
        record_size = len(key) + len(value or b"") + _RECORD_OVERHEAD
        if run and size + record_size > max_bytes:
            yield run
            run, size = [], 0
        run.append(record)
        size += record_size
    yield run


def _append_error(code: int) -> int:
    return _APPEND_ERRORS.get(code, code)


def _ignore(code: int) -> None:
    """Nobody asked: a timer's work. What failed stays as it was and is tried again later."""
    if code:
        _log.warning("A coordinator's records could not be written: %s", errors.name_of(code))
