"""The end of a turn: what follows from a step, until nothing follows.

    partitions that changed ─▶ waiting operations ─▶ answers ─▶ sends
                            └▶ backlogs that may go on ─▶ …
    logs that must be flushed ─▶ one trip off the loop for all of them

Every entry from the loop (received bytes, a due timer, finished disk work)
ends with `finish`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbroker.broker.network import NetworkState
    from kbroker.broker.pending import WaitingRoom
    from kbroker.environment import Environment
    from kbroker.log.flush import Flush
    from kbroker.replication.partition import Partition
    from kbroker.replication.replica_manager import ReplicaManager


class Turn:
    """Carries consequences from room to room."""

    def __init__(
        self,
        network: NetworkState,
        waiting: WaitingRoom,
        replicas: ReplicaManager,
        environment: Environment,
    ) -> None:
        self._network = network
        self._waiting = waiting
        self._replicas = replicas
        self._flusher = GroupCommit(replicas, environment)

    def finish(self) -> None:
        ready = self._network.ready
        while True:
            woken = self._replicas.take_woken()
            if woken:
                self._waiting.wake(woken)
            elif ready:
                ready.popleft().run_ready()
            else:
                break
        self._flusher.start_if_due()


class GroupCommit:
    """Flushes logs off the loop, all that are due in one trip; what comes meanwhile goes with the next."""

    def __init__(self, replicas: ReplicaManager, environment: Environment) -> None:
        self._replicas = replicas
        self._environment = environment
        self._running = False

    def start_if_due(self) -> None:
        if self._running:
            return
        due = self._replicas.take_flush_due()
        if due:
            self._start(due)

    def _start(self, due: list[Partition]) -> None:
        now_ms = self._environment.clock.wall_ms()
        begun = [(partition, partition.log.begin_flush(now_ms)) for partition in due]
        flushes = [(partition, flush) for partition, flush in begun if flush is not None]
        if not flushes:
            return
        self._running = True
        errors: dict[Flush, BaseException] = {}

        def work() -> None:
            for _, flush in flushes:
                try:
                    flush.work()
                except OSError as error:
                    errors[flush] = error

        def done(error: BaseException | None) -> None:
            self._running = False
            for partition, flush in flushes:
                failure = error or errors.get(flush)
                flush.done(failure)
                self._replicas.on_flushed(partition, failure)

        self._environment.disk.offload(work, done)
