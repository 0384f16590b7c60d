"""What is done now and then, on a broker in memory."""

from __future__ import annotations

from typing import Any

import pytest

from kbroker.broker.housekeeping import Housekeeping
from kbroker.protocol.generated.partition_record import PartitionRecord
from tests.broker.support import World as Network
from tests.handlers.support import World, batch, topic_id


class Timers:
    """Collects what is scheduled, by delay; `run` lets one go off."""

    def __init__(self) -> None:
        self.scheduled: list[tuple[int, Any]] = []

    def call_later(self, delay_ms: int, callback: Any) -> None:
        self.scheduled.append((delay_ms, callback))

    def run(self, delay_ms: int) -> None:
        due = [entry for entry in self.scheduled if entry[0] == delay_ms]
        assert due, f"nothing is scheduled in {delay_ms} ms: {[delay for delay, _ in self.scheduled]}"
        for entry in due:
            self.scheduled.remove(entry)
            entry[1]()


def housekeeping(world: World) -> tuple[Housekeeping, Timers, Network]:
    timers = Timers()
    world.services.waiting = timers  # type: ignore[assignment]
    network = Network()
    chores = Housekeeping(world.services, network.network, world.directory)
    chores.start()
    return chores, timers, network


def world_with_records(**configs: str) -> World:
    world = World()
    world.create_topic("t", configs={name.replace("_", "."): value for name, value in configs.items()})
    hosted = world.replicas.topics["t"]
    for _ in range(3):
        world.replicas.append(hosted, hosted.partitions[0], memoryview(batch()), 1, world.clock.now_ms)
    return world


def test_checkpoints_are_written() -> None:
    world = world_with_records()
    chores, timers, _ = housekeeping(world)
    timers.run(5_000)
    chores.run_chores()
    world.disk.run_offloaded()
    assert world.disk.read_bytes("/data/replication-offset-checkpoint") == b"0\n1\nt 0 3\n"


def test_one_round_of_chores_at_a_time() -> None:
    world = world_with_records()
    chores, timers, _ = housekeeping(world)
    timers.run(5_000)
    chores.run_chores()
    world.delete_topic("t")
    timers.run(5_000)
    chores.run_chores()
    assert len(world.disk.offloaded) == 1
    world.disk.run_offloaded()
    chores.run_chores()
    assert len(world.disk.offloaded) == 1


def test_retention_takes_what_is_too_old_and_the_files_later() -> None:
    world = world_with_records(retention_ms="1000")
    _, timers, _ = housekeeping(world)
    log = world.replicas.partition("t", 0).log
    world.clock.now_ms += 10 * 365 * 86_400_000
    timers.run(30_000)
    assert log.log_start_offset == 3


def test_overdue_clients_are_ended() -> None:
    world = World()
    _, timers, network = housekeeping(world)
    ended: list[str] = []

    class Driver:
        def end(self, reason: str) -> None:
            ended.append(reason)

    connection = network.connect()
    network.network.connections[connection] = Driver()
    timers.run(5_000)
    assert not ended
    network.clock.now_ms += 600_001
    timers.run(5_000)
    assert ended == ["idle for 600000 ms"]


def test_a_topic_with_a_flush_time_is_flushed() -> None:
    world = world_with_records(flush_ms="500")
    _, timers, _ = housekeeping(world)
    timers.run(1_000)
    assert world.directory.take_flush_requests() == []
    world.clock.now_ms += 500
    timers.run(1_000)
    assert [log.topic for log in world.directory.take_flush_requests()] == ["t"]


def test_many_logs_are_looked_at_in_many_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_with_records(retention_ms="1000")
    world.change(*[PartitionRecord(n, topic_id("t"), [1], [1], leader=1) for n in range(2, 30)])
    hosted = world.replicas.topics["t"]
    for partition in hosted.partitions.values():
        world.replicas.append(hosted, partition, memoryview(batch()), 1, world.clock.now_ms)
    _, timers, _ = housekeeping(world)
    clock = world.clock
    clock.now_ms += 10 * 365 * 86_400_000

    def slow() -> int:
        clock.now_ms += 1
        return clock.now_ms

    monkeypatch.setattr(clock, "monotonic_ms", slow)

    def kept() -> int:
        return sum(partition.log.log_start_offset == 0 for partition in hosted.partitions.values())

    everything = kept()
    timers.run(30_000)
    turns = 1
    while kept():
        assert kept() > everything - 2 * turns
        timers.run(1)
        turns += 1
    assert turns > 10
