"""High watermark, min.insync.replicas, epochs and flushes, on a log that only counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.metadata.image import PartitionImage
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.replication.partition import Partition

ME, OTHER, THIRD = 1, 2, 3


class Appended:
    def __init__(self, last_offset: int) -> None:
        self.last_offset = last_offset


class CountingLog:
    """As much of a PartitionLog as a Partition looks at; every append is one record."""

    def __init__(self, end_offset: int = 0) -> None:
        self.topic = "t"
        self.partition = 0
        self.log_start_offset = 0
        self.high_watermark = 0
        self.log_end_offset = end_offset
        self.due_from: int | None = None
        self.epochs: list[tuple[int, int]] = []

    @property
    def high_watermark_limit(self) -> int:
        return self.log_end_offset if self.due_from is None else self.due_from

    def commit(self, offset: int) -> None:
        self.high_watermark = offset

    def assign_epoch(self, epoch: int) -> None:
        self.epochs.append((epoch, self.log_end_offset))

    def append_as_leader(self, records: memoryview, leader_epoch: int, now_ms: int, *rest: Any) -> Appended:
        offset = self.log_end_offset
        self.log_end_offset += 1
        return Appended(offset)

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        return {0: (0, 5), 1: (1, 8)}.get(epoch, (-1, -1))


def image(
    *replicas: int, isr: tuple[int, ...] = (), leader: int = ME, epoch: int = 0, change: int = 0
) -> PartitionImage:
    return PartitionImage(
        replicas,
        (b"",) * len(replicas),
        isr or replicas,
        leader=leader,
        leader_epoch=epoch,
        partition_epoch=change,
    )


class Case:
    """A partition and its log."""

    def __init__(
        self, *replicas: int, isr: tuple[int, ...] = (), min_isr: int = 1, end_offset: int = 0
    ) -> None:
        self.log = CountingLog(end_offset)
        self.partition = Partition(ME, b"i" * 16, self.log)  # type: ignore[arg-type]
        self.partition.min_insync_replicas = min_isr
        if replicas:
            self.partition.update(image(*replicas, isr=isr))

    def append(self, acks: int = -1) -> int:
        info = self.partition.append(memoryview(b""), acks, 0, None, 13)  # type: ignore[arg-type]
        self.partition.advance_high_watermark()
        return info.last_offset


def code_of(call: Any, *arguments: Any, **named: Any) -> int:
    with pytest.raises(KafkaError) as caught:
        call(*arguments, **named)
    return caught.value.code


# --- leadership ---------------------------------------------------------------------------------


def test_new_leader_records_where_its_epoch_starts() -> None:
    case = Case(ME, end_offset=5)
    assert case.log.epochs == [(0, 5)]
    assert case.partition.epoch_start_offset == 5
    assert case.log.high_watermark == 5


def test_same_epoch_again_changes_nothing() -> None:
    case = Case(ME)
    case.append()
    case.partition.update(image(ME, change=1))
    assert case.log.epochs == [(0, 0)]


def test_older_partition_epoch_is_ignored() -> None:
    case = Case(ME)
    case.partition.update(image(ME, epoch=1, change=5))
    case.partition.update(image(ME, OTHER, leader=OTHER, epoch=2, change=4))
    assert case.partition.is_leader


def test_follower_takes_no_appends() -> None:
    case = Case(ME, OTHER)
    case.partition.update(image(ME, OTHER, leader=OTHER, epoch=1, change=1))
    assert code_of(case.append) == errors.NOT_LEADER_OR_FOLLOWER
    assert case.partition.outcome(0, -1) == errors.NOT_LEADER_OR_FOLLOWER


def test_partition_without_leader() -> None:
    case = Case(ME)
    case.partition.update(image(ME, isr=(ME,), leader=-1, epoch=1, change=1))
    assert code_of(case.append) == errors.NOT_LEADER_OR_FOLLOWER


@pytest.mark.parametrize(
    ("asked", "code"), [(-1, 0), (3, 0), (2, errors.FENCED_LEADER_EPOCH), (4, errors.UNKNOWN_LEADER_EPOCH)]
)
def test_clients_are_fenced_by_leader_epoch(asked: int, code: int) -> None:
    case = Case()
    case.partition.update(image(ME, epoch=3))
    if code:
        assert code_of(case.partition.local_log, asked) == code
    else:
        assert case.partition.local_log(asked) is case.log  # type: ignore[comparison-overlap]


def test_epoch_is_checked_before_leadership() -> None:
    case = Case()
    case.partition.update(image(ME, OTHER, leader=OTHER, epoch=3))
    assert code_of(case.partition.local_log, 2) == errors.FENCED_LEADER_EPOCH
    assert code_of(case.partition.local_log, 3) == errors.NOT_LEADER_OR_FOLLOWER
    assert case.partition.local_log(3, only_leader=False) is case.log  # type: ignore[comparison-overlap]


def test_out_of_service_says_so_to_everybody() -> None:
    case = Case(ME)
    case.partition.take_out_of_service(errors.KAFKA_STORAGE_ERROR)
    assert code_of(case.append) == errors.KAFKA_STORAGE_ERROR
    assert code_of(case.partition.local_log) == errors.KAFKA_STORAGE_ERROR
    assert code_of(case.partition.local_log, 7) == errors.KAFKA_STORAGE_ERROR
    assert case.partition.outcome(0, -1) == errors.KAFKA_STORAGE_ERROR
    case.partition.update(image(ME, epoch=9, change=9))
    assert not case.partition.is_leader


# --- high watermark -----------------------------------------------------------------------------


def test_single_replica_commits_at_once() -> None:
    case = Case(ME)
    offset = case.append()
    assert case.log.high_watermark == 1
    assert case.partition.outcome(offset, -1) == errors.NONE


def test_slowest_in_sync_replica_decides() -> None:
    case = Case(ME, OTHER, THIRD)
    for _ in range(3):
        case.append()
    assert case.log.high_watermark == 0
    assert not case.partition.on_follower_fetch(OTHER, 3)
    assert case.partition.on_follower_fetch(THIRD, 2)
    assert case.log.high_watermark == 2
    assert case.partition.outcome(1, -1) == errors.NONE
    assert case.partition.outcome(2, -1) is None


def test_replica_outside_the_isr_has_no_say() -> None:
    case = Case(ME, OTHER, THIRD, isr=(ME, OTHER))
    case.append()
    assert case.partition.on_follower_fetch(OTHER, 1)
    assert case.log.high_watermark == 1


def test_shrunk_isr_commits_what_waited() -> None:
    case = Case(ME, OTHER)
    case.append()
    case.partition.update(image(ME, OTHER, isr=(ME,), change=1))
    assert case.log.high_watermark == 1


def test_stranger_and_repeated_fetch_move_nothing() -> None:
    case = Case(ME, OTHER)
    case.append()
    assert not case.partition.on_follower_fetch(99, 1)
    assert case.partition.on_follower_fetch(OTHER, 1)
    assert not case.partition.on_follower_fetch(OTHER, 1)


def test_new_epoch_forgets_what_followers_had() -> None:
    case = Case(ME, OTHER)
    case.append()
    case.partition.on_follower_fetch(OTHER, 1)
    case.partition.update(image(ME, OTHER, epoch=1, change=1))
    case.append()
    assert case.log.high_watermark == 1


@given(st.lists(st.tuples(st.sampled_from(["append", "fetch", "isr"]), st.integers(0, 12), st.booleans())))
def test_high_watermark_never_falls_nor_outruns_the_isr(steps: list[tuple[str, int, bool]]) -> None:
    case = Case(ME, OTHER, THIRD)
    ends = {ME: 0, OTHER: 0, THIRD: 0}
    isr: tuple[int, ...] = (ME, OTHER, THIRD)
    change = before = 0
    for what, number, flag in steps:
        follower = OTHER if flag else THIRD
        if what == "append":
            ends[ME] = case.append(acks=1) + 1
        elif what == "fetch":
            ends[follower] = max(ends[follower], min(number, ends[ME]))
            case.partition.on_follower_fetch(follower, min(number, ends[ME]))
        elif ends[follower] >= case.log.high_watermark:
            # Only who has all that is committed may be in the ISR.
            change += 1
            isr = (ME, follower) if number % 2 else (ME, OTHER, THIRD)
            if min(ends[id_] for id_ in isr) < case.log.high_watermark:
                isr = (ME, follower)
            case.partition.update(image(ME, OTHER, THIRD, isr=isr, change=change))
        assert case.log.high_watermark >= before
        before = case.log.high_watermark
        assert case.log.high_watermark <= min(ends[id_] for id_ in isr)


# --- min.insync.replicas ------------------------------------------------------------------------


def test_too_few_in_sync_replicas_refuse_acks_all_only() -> None:
    case = Case(ME, OTHER, isr=(ME,), min_isr=2)
    assert code_of(case.append, -1) == errors.NOT_ENOUGH_REPLICAS
    assert case.append(acks=1) == 0
    assert case.log.high_watermark == 0


def test_min_isr_is_capped_at_the_number_of_replicas() -> None:
    case = Case(ME, min_isr=3)
    case.append()
    assert case.log.high_watermark == 1


def test_isr_shrunk_below_minimum_after_the_append() -> None:
    case = Case(ME, OTHER, THIRD, min_isr=2)
    offset = case.append()
    case.partition.on_follower_fetch(OTHER, 1)
    case.partition.on_follower_fetch(THIRD, 1)
    case.partition.update(image(ME, OTHER, THIRD, isr=(ME,), change=1))
    assert case.partition.outcome(offset, -1) == errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND


def test_high_watermark_stands_still_below_min_isr() -> None:
    case = Case(ME, OTHER, isr=(ME,), min_isr=2)
    case.append(acks=1)
    assert case.log.high_watermark == 0
    case.partition.min_insync_replicas = 1
    assert case.partition.advance_high_watermark()


# --- group commit -------------------------------------------------------------------------------


@pytest.mark.parametrize("acks", [1, -1])
def test_append_waits_for_the_flush_it_made_due(acks: int) -> None:
    case = Case(ME)
    case.append()
    case.log.due_from = 1
    offset = case.append(acks)
    assert case.log.high_watermark == 1
    assert case.partition.outcome(offset, acks) is None
    case.log.due_from = None
    assert case.partition.advance_high_watermark()
    assert case.partition.outcome(offset, acks) == errors.NONE


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "code"), [(1, 1), (2, 0), (5, 0), (9, 0), (10, 1)])
def test_offsets_that_can_be_asked_for(offset: int, code: int) -> None:
    case = Case(ME, end_offset=9)
    case.log.log_start_offset = 2
    if code:
        assert code_of(case.partition.read, offset, 2, 100, True) == errors.OFFSET_OUT_OF_RANGE
    else:
        assert case.partition.read(offset, 2, 100, True) == b""


@pytest.mark.parametrize(
    ("epoch", "offset", "diverging"), [(0, 5, None), (0, 6, (0, 5)), (1, 8, None), (1, 9, (1, 8))]
)
def test_diverging_epoch(epoch: int, offset: int, diverging: tuple[int, int] | None) -> None:
    assert Case(ME).partition.diverging_epoch(epoch, offset) == diverging


def test_epoch_nobody_knows_is_out_of_range() -> None:
    assert code_of(Case(ME).partition.diverging_epoch, 7, 0) == errors.OFFSET_OUT_OF_RANGE
