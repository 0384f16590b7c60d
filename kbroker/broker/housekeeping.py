"""What must be done now and then: checkpoints, retention, expiry.

Each chore is a callback on the one timer heap. What may block (removing
files, writing checkpoints) is taken as work and run off the loop.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kbroker.log.config import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kbroker.broker.network import NetworkState
    from kbroker.handlers.context import Services
    from kbroker.log.directory import LogDirectory
    from kbroker.log.partition_log import PartitionLog
    from kbroker.replication.partition import Partition

log = logging.getLogger(__name__)

_CHORES_MS = 1_000
_IDLE_CHECK_MS = 5_000
_RETENTION_INITIAL_DELAY_MS = 30_000
_PRODUCER_EXPIRY_MS = 600_000
# Kafka never looks by default, so that a topic's own `flush.ms` has no effect there.
_FLUSH_CHECK_MS = 1_000
# How long logs are looked at before others get their turn.
_SLICE_MS = 1


class Housekeeping:
    """Schedules itself through `services.waiting`."""

    def __init__(self, services: Services, network: NetworkState, directory: LogDirectory) -> None:
        self._services = services
        self._network = network
        self._directory = directory
        self._chores_under_way = False

    def start(self) -> None:
        config = self._services.config
        self._repeat(
            config.int("replica.high.watermark.checkpoint.interval.ms"), self._checkpoint_high_watermarks
        )
        self._repeat(config.int("log.flush.offset.checkpoint.interval.ms"), self._checkpoint_recovery_points)
        self._repeat(config.int("log.flush.start.offset.checkpoint.interval.ms"), self._checkpoint_log_starts)
        self._repeat(
            config.int("log.retention.check.interval.ms"), self._apply_retention, _RETENTION_INITIAL_DELAY_MS
        )
        flush_check_ms = min(config.int("log.flush.scheduler.interval.ms"), _FLUSH_CHECK_MS)
        self._repeat(flush_check_ms, self._request_flushes)
        self._repeat(_PRODUCER_EXPIRY_MS, self._expire_producers)
        self._repeat(_IDLE_CHECK_MS, self._end_overdue_connections)
        self._repeat(_CHORES_MS, self.run_chores)

    def _repeat(self, period_ms: int, chore: Callable[[], None], first_ms: int | None = None) -> None:
        def run() -> None:
            chore()
            self._services.waiting.call_later(period_ms, run)

        self._services.waiting.call_later(period_ms if first_ms is None else first_ms, run)

    # --- checkpoints ---------------------------------------------------------------------------

    def _checkpoint_high_watermarks(self) -> None:
        self._directory.checkpoint_high_watermarks()

    def _checkpoint_recovery_points(self) -> None:
        self._directory.checkpoint_recovery_points()

    def _checkpoint_log_starts(self) -> None:
        self._directory.checkpoint_log_starts()

    # --- records that go -----------------------------------------------------------------------

    def _apply_retention(self) -> None:
        self._for_each(
            self._services.replicas.partitions(), lambda log, now_ms: log.delete_old_segments(now_ms)
        )

    def _expire_producers(self) -> None:
        self._for_each(
            self._services.replicas.partitions(), lambda log, now_ms: log.remove_expired_producers(now_ms)
        )

    def _request_flushes(self) -> None:
        """What `flush.ms` asks for, and what was refused; the end of the turn carries it out."""

        def look(log: PartitionLog, now_ms: int) -> None:
            if log.flush_due(now_ms):
                self._directory.request_flush(log)

        self._directory.request_deferred_flushes()
        # Nearly every topic leaves it to the operating system.
        timed = [
            partition
            for topic in self._services.replicas.topics.values()
            if topic.log_config.flush_ms < NO_LIMIT
            for partition in topic.partitions.values()
        ]
        if timed:
            self._for_each(timed, look)

    def _for_each(self, partitions: Iterable[Partition], look: Callable[[PartitionLog, int], object]) -> None:
        """Give every log its look, some in each turn."""
        remaining = list(partitions)
        clock = self._services.environment.clock

        def look_at_some() -> None:
            now_ms = clock.wall_ms()
            until_ms = clock.monotonic_ms() + _SLICE_MS
            while remaining:
                partition = remaining.pop()
                if not partition.unavailable:
                    look(partition.log, now_ms)
                if clock.monotonic_ms() >= until_ms:
                    self._services.waiting.call_later(1, look_at_some)
                    break

        look_at_some()

    def run_chores(self) -> None:
        """Remove files that are due and write checkpoints, off the loop."""
        if self._directory.offline_because is not None:
            self._services.replicas.on_storage_failure()
        if self._chores_under_way:
            # A slow disk: two of a kind must not write one file at once.
            return
        chores = self._directory.take_chores(self._services.environment.clock.wall_ms())
        if not chores:
            return

        failures: list[OSError] = []

        def work() -> None:
            for chore in chores:
                try:
                    chore()
                except OSError as error:
                    failures.append(error)

        def done(error: BaseException | None) -> None:
            self._chores_under_way = False
            if error is not None:
                raise error
            self._directory.finish_chores(failures)

        self._chores_under_way = True
        self._services.environment.disk.offload(work, done)

    # --- clients -------------------------------------------------------------------------------

    def _end_overdue_connections(self) -> None:
        for connection, reason in self._network.overdue():
            self._network.connections[connection].end(reason)
