"""Shards follow leadership, survive restarts, and answer when their records are committed."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from kbroker.broker import coordinator_driver
from kbroker.broker.group_coordinators import GroupCoordinators
from kbroker.metadata.topic_names import GROUP_METADATA_TOPIC
from kbroker.protocol import errors
from kbroker.protocol.generated.delete_groups_request import DeleteGroupsRequest
from kbroker.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
from kbroker.protocol.generated.list_groups_request import ListGroupsRequest
from kbroker.protocol.generated.partition_change_record import PartitionChangeRecord
from kbroker.records.batch import TRANSACTIONAL_FLAG, build_batch
from kbroker.records.control import build_end_txn_marker
from kbroker.records.record import Record, walk_records
from tests.handlers.groups import GroupWorld, error_of, waits
from tests.handlers.support import now


@pytest.fixture
def world() -> GroupWorld:
    world = GroupWorld()
    world.create_topic("t")
    world.create_offsets_topic(partitions=1)
    return world


def restart(world: GroupWorld) -> None:
    """All that the coordinator knew is gone but its log; loading begins."""
    world.groups.close()
    world.groups = world.services.groups = GroupCoordinators(world.services)
    world.groups.start(world.published.image)


# ── loading ──────────────────────────────────────────────────────────────────


def test_groups_and_offsets_survive_a_restart(world: GroupWorld) -> None:
    member_id, generation_id = world.stable_member()
    world.commit(41, member_id, generation_id)
    world.commit(42, member_id, generation_id)
    restart(world)
    assert world.committed() == 42
    assert error_of(world.call(HeartbeatRequest("g", generation_id, member_id), 4)) == errors.NONE
    assert now(world.sync(member_id, generation_id)).assignment == b"mine"
    world.pass_time(10_000)
    assert error_of(world.commit(43, member_id, generation_id)) == errors.UNKNOWN_MEMBER_ID


def test_deleted_groups_stay_deleted(world: GroupWorld) -> None:
    world.commit(5)
    world.call(DeleteGroupsRequest(["g"]), 2)
    restart(world)
    assert now(world.call(ListGroupsRequest(), 5)).groups == []


def test_a_long_log_is_loaded_in_turns(world: GroupWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for offset in range(10):
        world.commit(offset)
    monkeypatch.setattr(coordinator_driver, "_BYTES_PER_TURN", 300)
    restart(world)
    # While it loads: members need not worry, everybody else comes world.
    assert error_of(world.commit(99)) == errors.COORDINATOR_LOAD_IN_PROGRESS
    assert error_of(world.join()) == errors.COORDINATOR_LOAD_IN_PROGRESS
    assert error_of(world.call(HeartbeatRequest("g", 1, "m"), 4)) == errors.NONE
    assert now(world.call(ListGroupsRequest(), 5)).error_code == errors.COORDINATOR_LOAD_IN_PROGRESS
    found = world.call(FindCoordinatorRequest("g"), 3)
    assert waits(found)
    world.pass_time(100)
    assert error_of(found) == errors.NONE
    assert world.committed() == 9


def test_who_looks_for_a_coordinator_does_not_wait_for_ever(
    world: GroupWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.commit(1)
    monkeypatch.setattr(coordinator_driver, "_BYTES_PER_TURN", 0)
    restart(world)
    found = world.call(FindCoordinatorRequest("g"), 3)
    world.pass_time(4_999)
    assert waits(found)
    world.pass_time(1)
    assert error_of(found) == errors.NONE


def test_leadership_lost_while_loading(world: GroupWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.commit(1)
    monkeypatch.setattr(coordinator_driver, "_BYTES_PER_TURN", 0)
    restart(world)
    world.move_leader(GROUP_METADATA_TOPIC, leader=2)
    world.pass_time(100)
    assert error_of(world.commit(1)) == errors.NOT_COORDINATOR


def test_a_log_that_cannot_be_read_serves_no_group(
    world: GroupWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.commit(1)

    def fail(*_: Any) -> int:
        raise OSError(errno.EIO, "cannot read")

    monkeypatch.setattr(coordinator_driver, "replay_batch", fail)
    restart(world)
    assert error_of(world.commit(3)) == errors.NOT_COORDINATOR
    assert now(world.call(ListGroupsRequest(), 5)).error_code == errors.NONE


def test_transactions_of_another_broker_count_from_their_marker_on(world: GroupWorld) -> None:
    world.commit(1)
    log = world.replicas.partition(GROUP_METADATA_TOPIC, 0).log
    (header, batch), *_ = list(log.iterate_batches(0))
    (record,) = walk_records(batch[61:], header.record_count)
    for producer_id, offset, commit in ((7, 70, True), (8, 80, False)):
        value = bytearray(record.value or b"")
        value[2:10] = offset.to_bytes(8, "big")
        pending = build_batch(
            [Record(0, 0, record.key, bytes(value))],
            base_timestamp=header.base_timestamp,
            producer_id=producer_id,
            producer_epoch=0,
            base_sequence=0,
            attributes=TRANSACTIONAL_FLAG,
        )
        marker = build_end_txn_marker(
            commit=commit, producer_id=producer_id, producer_epoch=0, coordinator_epoch=0, timestamp_ms=1
        )
        for each in (pending, marker):
            world.replicas.append_internal(GROUP_METADATA_TOPIC, 0, each, world.clock.now_ms)
    restart(world)
    assert world.committed() == 70


# ── leadership ───────────────────────────────────────────────────────────────


def test_losing_leadership_answers_everybody_who_waits(world: GroupWorld) -> None:
    member_id = now(world.join()).member_id
    world.join(member_id)
    world.pass_time(1)
    late_id = now(world.join()).member_id
    joining = world.join(late_id)
    assert waits(joining)
    world.move_leader(GROUP_METADATA_TOPIC, leader=2)
    assert error_of(joining) == errors.NOT_COORDINATOR
    assert error_of(world.commit(1)) == errors.NOT_COORDINATOR
    world.pass_time(600_000)


def test_leadership_regained_loads_again(world: GroupWorld) -> None:
    world.commit(5)
    world.move_leader(GROUP_METADATA_TOPIC, leader=2)
    world.move_leader(GROUP_METADATA_TOPIC, leader=1)
    assert world.committed() == 5


def test_topic_made_anew_forgets_its_groups(world: GroupWorld) -> None:
    world.commit(5)
    world.delete_topic(GROUP_METADATA_TOPIC)
    assert error_of(world.commit(5)) == errors.NOT_COORDINATOR
    world.create_offsets_topic(partitions=1, incarnation=1)
    assert world.committed() == -1


def test_closing_answers_everybody_who_waits(world: GroupWorld) -> None:
    world.stable_member()
    joining = world.join(now(world.join()).member_id)
    assert waits(joining)
    world.groups.close()
    assert error_of(joining) == errors.NOT_COORDINATOR
    assert error_of(world.join()) == errors.NOT_COORDINATOR


# ── commits ──────────────────────────────────────────────────────────────────


@pytest.fixture
def replicated() -> GroupWorld:
    """A second replica, in sync, that never fetches: nothing gets committed by itself."""
    world = GroupWorld()
    world.create_topic("t")
    world.create_offsets_topic(partitions=1, replicas=(1, 2))
    return world


def shrink_isr(world: GroupWorld) -> None:
    """The second replica falls out of sync: what is written is committed."""
    topic_id = world.published.image.topics[GROUP_METADATA_TOPIC].id
    world.change(PartitionChangeRecord(0, topic_id, isr=[1]))
    world.finish_turn()


def test_answers_wait_for_the_high_watermark(replicated: GroupWorld) -> None:
    first, second = replicated.commit(5), replicated.commit(6)
    assert waits(first)
    assert waits(second)
    shrink_isr(replicated)
    assert error_of(first) == error_of(second) == errors.NONE
    assert replicated.committed() == 6


def test_reads_wait_for_what_they_rest_on(replicated: GroupWorld) -> None:
    replicated.commit(5)
    listing = replicated.call(ListGroupsRequest(), 5)
    assert waits(listing)
    shrink_isr(replicated)
    assert [group.group_id for group in now(listing).groups] == ["g"]


def test_a_commit_that_takes_too_long(replicated: GroupWorld) -> None:
    answer = replicated.commit(5)
    replicated.pass_time(4_999)
    assert waits(answer)
    replicated.pass_time(1)
    assert error_of(answer) == errors.COORDINATOR_NOT_AVAILABLE


def test_an_assignment_is_handed_out_once_committed(replicated: GroupWorld) -> None:
    member_id = now(replicated.join()).member_id
    joining = replicated.join(member_id)
    replicated.pass_time(1)
    leading = replicated.sync(member_id, now(joining).generation_id, b"mine")
    assert waits(leading)
    shrink_isr(replicated)
    assert now(leading).assignment == b"mine"


def test_an_assignment_that_cannot_be_committed_starts_over(replicated: GroupWorld) -> None:
    member_id = now(replicated.join()).member_id
    joining = replicated.join(member_id)
    replicated.pass_time(1)
    leading = replicated.sync(member_id, now(joining).generation_id, b"mine")
    replicated.pass_time(5_000)
    assert error_of(leading) == errors.COORDINATOR_NOT_AVAILABLE
    heartbeat = HeartbeatRequest("g", now(joining).generation_id, member_id)
    assert error_of(replicated.call(heartbeat, 4)) == errors.REBALANCE_IN_PROGRESS


def test_leadership_lost_before_the_commit(replicated: GroupWorld) -> None:
    answer = replicated.commit(5)
    replicated.move_leader(GROUP_METADATA_TOPIC, leader=2)
    replicated.finish_turn()
    assert error_of(answer) == errors.NOT_COORDINATOR


def test_a_disk_that_fails(world: GroupWorld) -> None:
    world.commit(5)
    world.disk.fails_with["write"] = OSError(errno.ENOSPC, "full")
    assert error_of(world.commit(6)) == errors.NOT_COORDINATOR


def test_too_few_replicas() -> None:
    world = GroupWorld()
    world.create_topic("t")
    topic = {"min.insync.replicas": "2"}
    world.create_topic(GROUP_METADATA_TOPIC, 1, topic, replicas=(1, 2), isr=(1,))
    assert error_of(world.commit(5)) == errors.COORDINATOR_NOT_AVAILABLE


def test_a_record_that_is_too_large() -> None:
    world = GroupWorld()
    world.create_topic("t")
    world.create_topic(GROUP_METADATA_TOPIC, 1, {"max.message.bytes": "90"})
    assert error_of(world.commit(5)) == errors.UNKNOWN_SERVER_ERROR
    assert world.committed() == -1


def test_tombstones_of_a_topic_are_split_over_batches() -> None:
    world = GroupWorld()
    world.create_topic("t")
    world.create_topic(GROUP_METADATA_TOPIC, 1, {"max.message.bytes": "200"})
    for group in range(10):
        world.commit(5, group_id=f"group-{group}")
    world.delete_topic("t")
    world.create_topic("t", incarnation=1)
    assert {world.committed(f"group-{group}") for group in range(10)} == {-1}


# ── time ─────────────────────────────────────────────────────────────────────


def test_heartbeats_schedule_nothing(world: GroupWorld) -> None:
    member_id, generation_id = world.stable_member()
    before = len(world.room._heap)
    for _ in range(100):
        world.call(HeartbeatRequest("g", generation_id, member_id), 4)
        world.pass_time(50)
    assert len(world.room._heap) <= before + 1


def test_offsets_expire(world: GroupWorld) -> None:
    world.commit(5)
    week_ms = 10_080 * 60_000
    world.pass_time(week_ms - 600_000)
    assert world.committed() == 5
    world.pass_time(600_000)
    assert world.committed() == -1
    world.pass_time(600_000)
    assert now(world.call(ListGroupsRequest(), 5)).groups == []


def test_metrics_see_groups_and_offsets(world: GroupWorld) -> None:
    member_id, generation_id = world.stable_member()
    world.commit(5, member_id, generation_id)
    (group,) = world.groups.group_offsets()
    assert group == ("g", 1, {("t", 0): 5})
