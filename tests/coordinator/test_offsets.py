"""Committed offsets: who may commit, what is told, what expires."""

from __future__ import annotations

from typing import Any

import pytest

from kbroker.coordinator.group import group_records
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.offset_delete_request import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kbroker.protocol.generated.offset_fetch_request import OffsetFetchRequestGroup
from tests.coordinator.bench import TOPIC_ID, WALL_START_MS, Bench, subscription

DAY_MS = 24 * 60 * 60_000
CHECK_MS = 600_000
OTHER_TOPIC_ID = b"o" * 16


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ── who may commit ───────────────────────────────────────────────────────────


def test_a_stranger_commits_to_a_group_that_nobody_manages(bench: Bench) -> None:
    assert bench.commit_offset(5) == errors.NONE
    assert bench.commit_offset(6) == errors.NONE
    assert bench.fetch_offset() == 6
    assert bench.group().is_simple
    assert bench.commit_offset(7, group_id="") == errors.NONE


@pytest.mark.parametrize(
    ("version", "code"), [(8, errors.ILLEGAL_GENERATION), (9, errors.GROUP_ID_NOT_FOUND)]
)
def test_a_member_of_a_group_that_does_not_exist(bench: Bench, version: int, code: int) -> None:
    assert bench.commit_offset(5, "member", 1, version=version) == code


def test_members_and_strangers_of_a_stable_group(bench: Bench) -> None:
    leader, _ = bench.stable_group()
    assert bench.commit_offset(5, leader, 1) == errors.NONE
    assert bench.commit_offset(6) == errors.UNKNOWN_MEMBER_ID
    assert bench.commit_offset(6, "stranger", 1) == errors.UNKNOWN_MEMBER_ID
    assert bench.commit_offset(6, "", 1) == errors.UNKNOWN_MEMBER_ID
    assert bench.commit_offset(6, leader, 0) == errors.ILLEGAL_GENERATION
    assert bench.commit_offset(6, leader, -1) == errors.ILLEGAL_GENERATION
    assert bench.commit_offset(6, leader, 1, instance_id="i") == errors.UNKNOWN_MEMBER_ID
    assert bench.fetch_offset() == 5


def test_commits_during_a_rebalance(bench: Bench) -> None:
    leader, follower = bench.stable_group()
    bench.join(leader)
    # The old generation may save its work …
    assert bench.commit_offset(5, leader, 1) == errors.NONE
    bench.join(follower)
    assert bench.commit_offset(6, leader, 1) == errors.ILLEGAL_GENERATION
    # … the new one has no partitions yet.
    assert bench.commit_offset(6, leader, 2) == errors.REBALANCE_IN_PROGRESS


def test_a_group_that_became_empty_takes_commits_of_strangers(bench: Bench) -> None:
    members = bench.stable_group()
    bench.leave(*members)
    assert bench.commit_offset(5, members[0], 2) == errors.UNKNOWN_MEMBER_ID
    assert bench.commit_offset(5) == errors.NONE


def test_what_is_remembered_with_an_offset(bench: Bench) -> None:
    bench.commit_offset(5, metadata=None)
    (record,) = bench.take_records()
    value = record.value
    assert (value.offset, value.leader_epoch, value.metadata) == (5, 5, "")
    assert (value.commit_timestamp, value.expire_timestamp) == (WALL_START_MS, -1)
    assert (value.topic_id, record.value_version) == (TOPIC_ID, 4)
    bench.commit_offset(6, retention_ms=1_000)
    (record,) = bench.take_records()
    assert (record.value.expire_timestamp, record.value_version) == (WALL_START_MS + 1_000, 1)


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ("x" * 8, errors.NONE),
        ("x" * 9, errors.OFFSET_METADATA_TOO_LARGE),
        ("ä" * 8, errors.NONE),
        # Java counts these twice.
        ("\N{GRINNING FACE}" * 4, errors.NONE),
        ("\N{GRINNING FACE}" * 5, errors.OFFSET_METADATA_TOO_LARGE),
    ],
)
def test_metadata_is_bounded(metadata: str, code: int) -> None:
    bench = Bench(offset_metadata_max_bytes=8)
    assert bench.commit_offset(5, metadata=metadata) == code
    assert bench.fetch_offset() == (5 if code == errors.NONE else -1)


def test_a_commit_that_cannot_be_written_did_not_happen(bench: Bench) -> None:
    bench.append_error = errors.NOT_COORDINATOR
    assert bench.commit_offset(5) == errors.NOT_COORDINATOR
    assert bench.fetch_offset() == -1
    assert bench.shard.groups == {}


# ── what is told ─────────────────────────────────────────────────────────────


def test_offsets_of_an_earlier_topic_of_that_name_are_not_told(bench: Bench) -> None:
    bench.commit_offset(5)
    assert bench.fetch_offset(topic_id=TOPIC_ID) == 5
    assert bench.fetch_offset(topic_id=bytes(16)) == 5
    assert bench.fetch_offset(topic_id=OTHER_TOPIC_ID) == -1


def test_all_offsets(bench: Bench) -> None:
    for topic, partition in (("a", 1), ("a", 0), ("b", 7)):
        bench.commit_offset(partition, topic=topic, partition=partition)
    response = bench.shard.fetch_offsets(OffsetFetchRequestGroup("g", topics=None), require_stable=False)
    found = {
        (topic.name, partition.partition_index): partition.committed_offset
        for topic in response.topics
        for partition in topic.partitions
    }
    assert found == {("a", 1): 1, ("a", 0): 0, ("b", 7): 7}
    nobody = bench.shard.fetch_offsets(OffsetFetchRequestGroup("none", topics=None), require_stable=False)
    assert nobody.topics == []


def transactional(bench: Bench, producer_id: int, offset: int, partition: int = 0) -> None:
    """A transaction writes a commit; the marker is yet to come."""
    record = group_records.offset_commit(
        "g",
        "t",
        partition,
        offset=offset,
        leader_epoch=-1,
        metadata="",
        commit_timestamp_ms=bench.now.wall_ms,
        expire_timestamp_ms=-1,
        topic_id=bytes(16),
    )
    bench.append(record, producer_id=producer_id)


def test_open_transactions_make_offsets_unstable(bench: Bench) -> None:
    bench.commit_offset(5)
    transactional(bench, 1, 50)
    transactional(bench, 1, 60, partition=1)
    request = OffsetFetchRequestGroup("g", topics=None)
    (topic,) = bench.shard.fetch_offsets(request, require_stable=True).topics
    (partition,) = topic.partitions
    assert (partition.committed_offset, partition.error_code) == (-1, errors.UNSTABLE_OFFSET_COMMIT)
    (topic,) = bench.shard.fetch_offsets(request, require_stable=False).topics
    assert topic.partitions[0].committed_offset == 5
    bench.shard.replay_end_transaction_marker(1, committed=True)
    assert (bench.fetch_offset(), bench.fetch_offset(partition=1)) == (50, 60)


def test_aborted_transactions_leave_no_trace(bench: Bench) -> None:
    bench.commit_offset(5)
    transactional(bench, 1, 50)
    bench.shard.replay_end_transaction_marker(1, committed=False)
    bench.shard.replay_end_transaction_marker(1, committed=True)
    assert bench.fetch_offset() == 5


def test_transactions_do_not_undo_later_commits(bench: Bench) -> None:
    transactional(bench, 1, 50)
    bench.commit_offset(5)
    transactional(bench, 2, 60)
    bench.shard.replay_end_transaction_marker(1, committed=True)
    assert bench.shard.offsets.store.committed.get("g", "t", 0).offset == 5  # type: ignore[union-attr]
    bench.shard.replay_end_transaction_marker(2, committed=True)
    assert bench.fetch_offset() == 60


# ── deletion ─────────────────────────────────────────────────────────────────


def delete(bench: Bench, topic: str = "t", group_id: str = "g") -> int:
    """The error code of the partition, or of the whole."""
    partitions = [OffsetDeleteRequestPartition(0)]
    request = OffsetDeleteRequest(group_id, [OffsetDeleteRequestTopic(topic, partitions)])
    try:
        response = bench.carry_out(bench.shard.delete_offsets(request))
    except KafkaError as error:
        return error.code
    code: int = response.topics[0].partitions[0].error_code
    return code


def test_deleting_offsets(bench: Bench) -> None:
    assert delete(bench) == errors.GROUP_ID_NOT_FOUND
    bench.commit_offset(5)
    bench.take_records()
    assert delete(bench, topic="unread") == errors.NONE
    assert bench.take_records() == []
    assert delete(bench) == errors.NONE
    (record,) = bench.take_records()
    assert (record.key.topic, record.value) == ("t", None)
    assert bench.fetch_offset() == -1


def test_offsets_that_a_consumer_group_reads_are_not_deleted(bench: Bench) -> None:
    leader, _ = bench.stable_group()
    for topic in ("t", "u"):
        bench.commit_offset(5, leader, 1, topic=topic)
    assert delete(bench) == errors.GROUP_SUBSCRIBED_TO_TOPIC
    assert delete(bench, topic="u") == errors.NONE
    assert (bench.fetch_offset(), bench.fetch_offset("u")) == (5, -1)


def test_live_groups_of_other_kinds_are_left_alone(bench: Bench) -> None:
    bench.stable_group(protocol_type="connect")
    assert delete(bench) == errors.NON_EMPTY_GROUP


def test_subscriptions_that_cannot_be_read_may_be_anything(bench: Bench) -> None:
    leader, _ = bench.stable_group(protocols={"range": b"?"})
    bench.commit_offset(5, leader, 1)
    assert delete(bench) == errors.GROUP_SUBSCRIBED_TO_TOPIC


def test_deleting_a_pending_offset(bench: Bench) -> None:
    transactional(bench, 1, 50)
    assert delete(bench) == errors.NONE
    bench.shard.replay_end_transaction_marker(1, committed=True)
    assert bench.fetch_offset() == -1


def test_deleting_a_group(bench: Bench) -> None:
    def code() -> int:
        try:
            bench.carry_out(bench.shard.delete_group("g"))
        except KafkaError as error:
            return error.code
        return errors.NONE

    assert code() == errors.GROUP_ID_NOT_FOUND
    leader, follower = bench.stable_group()
    bench.commit_offset(5, leader, 1)
    assert code() == errors.NON_EMPTY_GROUP
    bench.leave(leader, follower)
    transactional(bench, 1, 50)
    transactional(bench, 1, 50, partition=1)
    pending = bench.answers[bench.join()].member_id
    bench.take_records()
    assert code() == errors.NONE
    records = bench.take_records()
    assert [(type(record.key).__name__, record.value) for record in records] == [
        ("OffsetCommitKey", None),
        ("OffsetCommitKey", None),
        ("GroupMetadataKey", None),
    ]
    assert (bench.shard.groups, bench.shard.offsets.store.committed.by_group) == ({}, {})
    assert bench.answers[bench.join(pending)].error_code == errors.UNKNOWN_MEMBER_ID


def test_deleting_a_topic_drops_its_offsets_in_all_groups(bench: Bench) -> None:
    for group_id in ("a", "b"):
        bench.commit_offset(5, group_id=group_id)
        bench.commit_offset(5, group_id=group_id, topic="u")
    transactional(bench, 1, 50)
    result = bench.shard.delete_topics([("t", OTHER_TOPIC_ID)])
    # Those of a topic with another id stay; the transaction's record knows no id.
    assert [record.key.group for record in result.records] == ["g"]
    bench.carry_out(bench.shard.delete_topics([("t", TOPIC_ID)]))
    assert [bench.fetch_offset(group_id=group_id) for group_id in "ab"] == [-1, -1]
    assert [bench.fetch_offset("u", group_id=group_id) for group_id in "ab"] == [5, 5]
    bench.shard.replay_end_transaction_marker(1, committed=True)
    assert bench.fetch_offset() == -1


# ── expiry ───────────────────────────────────────────────────────────────────


def test_offsets_of_a_simple_group_expire_after_their_last_commit(bench: Bench) -> None:
    bench.commit_offset(5)
    bench.commit_offset(5, partition=1)
    bench.pass_time(4 * DAY_MS)
    bench.commit_offset(6, partition=1)
    bench.take_records()
    bench.pass_time(3 * DAY_MS)
    (record,) = bench.take_records()
    assert (record.key.partition, record.value) == (0, None)
    bench.pass_time(4 * DAY_MS)
    offset, group = bench.take_records()
    assert (offset.key.partition, offset.value) == (1, None)
    assert (group.key.group, group.value) == ("g", None)
    assert bench.shard.groups == {}


def test_offsets_of_an_empty_group_expire_after_it_became_empty(bench: Bench) -> None:
    members = bench.stable_group(session_timeout_ms=1_800_000)
    bench.commit_offset(5, members[0], 1)
    for _ in range(8 * 96):
        bench.pass_time(DAY_MS // 96)
        assert {bench.heartbeat(member, 1) for member in members} == {errors.NONE}
    bench.leave(*members)
    bench.pass_time(7 * DAY_MS - CHECK_MS)
    assert bench.fetch_offset() == 5
    bench.pass_time(2 * CHECK_MS)
    assert bench.fetch_offset() == -1
    assert bench.shard.groups == {}


def test_topics_that_a_live_group_does_not_read_any_more_expire(bench: Bench) -> None:
    members = bench.stable_group(1, session_timeout_ms=1_800_000)
    for topic in ("t", "u"):
        bench.commit_offset(5, members[0], 1, topic=topic)
    for _ in range(8 * 96):
        bench.pass_time(DAY_MS // 96)
        bench.heartbeat(members[0], 1)
    assert (bench.fetch_offset(), bench.fetch_offset("u")) == (5, -1)


@pytest.mark.parametrize("join", [{"protocol_type": "connect"}, {"protocols": {"range": b"?"}}])
def test_nothing_of_a_live_group_expires_whose_topics_are_not_known(join: dict[str, Any]) -> None:
    bench = Bench()
    members = bench.stable_group(1, session_timeout_ms=1_800_000, **join)
    bench.commit_offset(5, members[0], 1)
    for _ in range(8 * 96):
        bench.pass_time(DAY_MS // 96)
        bench.heartbeat(members[0], 1)
    assert bench.fetch_offset() == 5


def test_an_expiry_of_its_own_wins(bench: Bench) -> None:
    bench.commit_offset(5, retention_ms=DAY_MS)
    bench.commit_offset(5, retention_ms=30 * DAY_MS, partition=1)
    bench.pass_time(DAY_MS)
    assert (bench.fetch_offset(), bench.fetch_offset(partition=1)) == (-1, 5)
    bench.pass_time(28 * DAY_MS)
    assert bench.fetch_offset(partition=1) == 5


def test_nothing_expires_under_an_open_transaction(bench: Bench) -> None:
    bench.commit_offset(5)
    transactional(bench, 1, 50)
    bench.pass_time(8 * DAY_MS)
    assert bench.shard.offsets.store.committed.get("g", "t", 0) is not None
    bench.shard.replay_end_transaction_marker(1, committed=False)
    bench.pass_time(CHECK_MS)
    assert bench.shard.groups == {}


def test_groups_that_never_had_offsets_go_at_the_next_check(bench: Bench) -> None:
    bench.join()
    bench.take_records()
    bench.pass_time(CHECK_MS)
    (record,) = bench.take_records()
    assert (record.key.group, record.value) == ("g", None)


def test_an_expiry_that_cannot_be_written_is_tried_again(bench: Bench) -> None:
    bench.commit_offset(5)
    bench.pass_time(7 * DAY_MS - CHECK_MS)
    bench.append_error = errors.NOT_COORDINATOR
    with pytest.raises(KafkaError):
        bench.pass_time(CHECK_MS)
    assert bench.fetch_offset() == 5
    bench.pass_time(CHECK_MS)
    assert bench.fetch_offset() == -1


def test_subscription_of_several_members(bench: Bench) -> None:
    (leader, _), _ = bench.member(), bench.member(protocols={"range": subscription("u")})
    bench.pass_time(6_000)
    assert bench.group().subscribed_topics == frozenset("tu")
    bench.sync(leader, 1)
    assert bench.replayed().group().subscribed_topics == frozenset("tu")
