"""The history checker proved: a broker with a planted defect is found out.

The same workload that finds nothing wrong with the broker as it is:

| defect | what the checker names |
|---|---|
| answers some sends without writing them | lost, unseen, inconsistent_offset, nonmonotonic_send |
| answers before the flush that it owes | lost, unseen |
| answers a write that the full disk refused | lost, unseen, inconsistent_offset, nonmonotonic_send |
| knows only the last batch of a producer | aborted_read, duplicate |
| knows no batch that it was sent before | duplicate, aborted_read |
| forgets its producers at a restart | duplicate, aborted_read |
| does not fence an old producer epoch | duplicate |
| gives an offset twice | inconsistent_offset, duplicate, lost |
| shows what is not committed | inconsistent_offset, nonmonotonic_poll |
| leaves out a batch when it serves several | int_poll_skip, poll_skip |
| serves batches again that were read before | int_nonmonotonic_poll, nonmonotonic_poll, inconsistent_offset |
| ListOffsets answers the end of a while ago | unseen |
| cuts one batch too much after a crash | lost, unseen, inconsistent_offset |
| does not write commits down | committed_backwards |
| answers some sends with another offset | inconsistent_offset, nonmonotonic_send |
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from kbroker.broker.coordinator_driver import CoordinatorDriver
from kbroker.handlers import list_offsets
from kbroker.log.flush import Flushing
from kbroker.log.partition_log import AppendInfo, PartitionLog
from kbroker.log.producer_state import ProducerStates
from kbroker.log.recovery import LogLoader
from kbroker.protocol.errors import KAFKA_STORAGE_ERROR, KafkaError
from kbroker.records.batch import iterate_batches, set_offset_and_leader_epoch
from kbroker.replication.partition import Partition
from tests.disk import broker as client
from tests.disk.workload import TOPIC, Workload
from tests.end_to_end.checker import anomalies, worst_lag_ms

SEEDS = 12
Patch = pytest.MonkeyPatch


def nothing_written(log: PartitionLog) -> AppendInfo:
    """An answer that waits for nothing."""
    end = log.log_end_offset
    return AppendInfo(end, end - 1, -1, log.log_start_offset, False)


def answer_without_writing(patch: Patch) -> None:
    numbers, append = count(), PartitionLog.append_as_leader

    def broken(log: PartitionLog, records: memoryview, *args: Any, **options: Any) -> AppendInfo:
        if log.topic == TOPIC and next(numbers) % 9 == 8:
            return nothing_written(log)
        return append(log, records, *args, **options)

    patch.setattr(PartitionLog, "append_as_leader", broken)


def answer_before_the_flush(patch: Patch) -> None:
    patch.setattr(Flushing, "on_append", lambda self, previous_end: False)


def answer_what_was_refused(patch: Patch) -> None:
    append = PartitionLog.append_as_leader

    def broken(log: PartitionLog, records: memoryview, *args: Any, **options: Any) -> AppendInfo:
        try:
            return append(log, records, *args, **options)
        except KafkaError as error:
            if error.code != KAFKA_STORAGE_ERROR:
                raise
            return nothing_written(log)

    patch.setattr(PartitionLog, "append_as_leader", broken)


def know_one_batch(patch: Patch) -> None:
    patch.setattr("kbroker.log.producer_state.BATCHES_KEPT", 1)


def know_no_batch(patch: Patch) -> None:
    patch.setattr(ProducerStates, "duplicate_of", lambda self, header: None)
    patch.setattr(ProducerStates, "_check_sequence", lambda self, state, header: None)


def forget_producers(patch: Patch) -> None:
    def broken(loader: LogLoader, segments: Any, snapshots: Any, start: int, end: int) -> ProducerStates:
        return ProducerStates(end)

    patch.setattr(LogLoader, "_load_producers", broken)


def fence_no_epoch(patch: Patch) -> None:
    patch.setattr(ProducerStates, "check_epoch", lambda self, state, producer_epoch: None)


def give_an_offset_twice(patch: Patch) -> None:
    numbers, put = count(), set_offset_and_leader_epoch

    def broken(records: memoryview, offset: int, leader_epoch: int) -> None:
        is_ours = b" of p" in bytes(records)
        put(records, max(offset - (is_ours and next(numbers) % 7 == 6), 0), leader_epoch)

    patch.setattr("kbroker.log.partition_log.set_offset_and_leader_epoch", broken)


def show_uncommitted(patch: Patch) -> None:
    read = Partition.read

    def broken(partition: Partition, offset: int, upper: int, max_bytes: int, at_least_one: bool) -> Any:
        return read(partition, offset, partition.log.log_end_offset, max_bytes, at_least_one)

    patch.setattr(Partition, "read", broken)


def serve(change: Callable[[list[memoryview]], list[memoryview]]) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        read = Partition.read

        def broken(partition: Partition, *args: Any) -> Any:
            part: Any = read(partition, *args)
            if not part or partition.topic != TOPIC:
                return part
            data = memoryview(part.file.pread(part.length, part.position))
            return b"".join(change(list(iterate_batches(data))))

        patch.setattr(Partition, "read", broken)

    return plant


def leave_out_a_batch(batches: list[memoryview]) -> list[memoryview]:
    return batches if len(batches) < 3 else [*batches[:1], *batches[2:]]


def serve_again(batches: list[memoryview]) -> list[memoryview]:
    return batches if len(batches) < 3 else [*batches[:2], *batches[1:]]


def answer_an_old_end(patch: Patch) -> None:
    look_up = list_offsets._look_up

    def broken(partition: Partition, log: PartitionLog, timestamp: int, request: Any) -> Any:
        found = look_up(partition, log, timestamp, request)
        return (found[0], max(found[1] - 3, 0), *found[2:]) if timestamp == client.LATEST else found

    patch.setattr(list_offsets, "_look_up", broken)


def cut_too_much(patch: Patch) -> None:
    load = LogLoader._load_segments

    def broken(loader: LogLoader) -> Any:
        segments, end = load(loader)
        if not loader._clean and recovery_topic(loader) == TOPIC and segments.active.size:
            segments.active.truncate(end - 1)
            end = segments.active.next_offset()
        return segments, end

    patch.setattr(LogLoader, "_load_segments", broken)


def recovery_topic(loader: LogLoader) -> str:
    return loader._directory.rpartition("/")[2].rpartition("-")[0]


def keep_commits_in_memory(patch: Patch) -> None:
    def broken(driver: Any, shard: Any, result: Any, now: Any) -> int:
        for record in result.records:
            shard.machine.replay(max(shard.last_offset, 0), -1, record)
        return int(shard.last_offset)

    patch.setattr(CoordinatorDriver, "_append", broken)
    patch.setattr(CoordinatorDriver, "_outcome", lambda self, shard, last_offset: 0)


def answer_a_wrong_offset(patch: Patch) -> None:
    numbers, append = count(), PartitionLog.append_as_leader

    def broken(log: PartitionLog, records: memoryview, *args: Any, **options: Any) -> AppendInfo:
        info = append(log, records, *args, **options)
        if log.topic == TOPIC and next(numbers) % 6 == 5:
            return AppendInfo(max(info.first_offset - 6, 0), info.last_offset, -1, 0, False)
        return info

    patch.setattr(PartitionLog, "append_as_leader", broken)


LOST = {"lost", "unseen"}
DEFECTS: list[tuple[Callable[[Patch], None], set[str]]] = [
    (answer_without_writing, LOST | {"inconsistent_offset", "nonmonotonic_send"}),
    (answer_before_the_flush, LOST),
    (answer_what_was_refused, LOST | {"inconsistent_offset", "nonmonotonic_send"}),
    (know_one_batch, {"aborted_read", "duplicate"}),
    (know_no_batch, {"aborted_read", "duplicate"}),
    (forget_producers, {"aborted_read", "duplicate"}),
    (fence_no_epoch, {"duplicate"}),
    (give_an_offset_twice, {"inconsistent_offset", "duplicate", "lost"}),
    (show_uncommitted, {"inconsistent_offset", "nonmonotonic_poll"}),
    (serve(leave_out_a_batch), {"int_poll_skip", "poll_skip"}),
    (serve(serve_again), {"int_nonmonotonic_poll"}),
    (cut_too_much, LOST | {"inconsistent_offset"}),
    (keep_commits_in_memory, {"committed_backwards"}),
    (answer_an_old_end, {"unseen"}),
    (answer_a_wrong_offset, {"nonmonotonic_send", "inconsistent_offset"}),
]


@pytest.mark.parametrize(("plant", "kinds"), DEFECTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_defect_in_the_broker_is_found(plant: Callable[[Patch], None], kinds: set[str]) -> None:
    find(plant, kinds, 0)


def find(plant: Callable[[Patch], None], kinds: set[str], seed: int) -> None:
    """The planted defect shows within a few seeds."""
    found: set[str] = set()
    with Patch.context() as patch:
        plant(patch)
        for number in range(SEEDS):
            found |= {anomaly.kind for anomaly in anomalies(Workload(seed + number).run())}
            if found & kinds:
                return
    raise AssertionError(f"{plant.__name__} is not found in {SEEDS} seeds from {seed}; only {found}")


def find_all(seed: int) -> int:
    """How many defects there are, all found."""
    for plant, kinds in DEFECTS:
        find(plant, kinds, seed)
    return len(DEFECTS)


def test_the_broker_as_it_is_keeps_its_promises() -> None:
    for seed in range(SEEDS):
        history = Workload(seed).run()
        assert anomalies(history) == [], f"seed {seed}"
        assert worst_lag_ms(history) > 0
