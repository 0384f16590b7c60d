"""A log that Apache Kafka wrote: what it held, and that we write the same.

`kafka/make.py` made the log and asked Kafka about its groups before killing it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kbroker.coordinator.group.classic_group import ClassicGroup, GroupState
from kbroker.coordinator.group.descriptions import list_group
from kbroker.coordinator.group.group_coordinator import GroupCoordinator
from kbroker.coordinator.loading import replay_batch
from kbroker.coordinator.records import CoordinatorRecord, batch_of, decode
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.offset_fetch_request import OffsetFetchRequestGroup, OffsetFetchRequestTopics
from kbroker.records.batch import (
    HEADER_SIZE,
    BatchHeader,
    iterate_batches,
    read_batch_header,
    set_offset_and_leader_epoch,
)
from kbroker.records.record import walk_records
from tests.coordinator.bench import Bench, CountingRandom

_FOLDER = Path(__file__).parent / "kafka"


def batches() -> Iterator[tuple[BatchHeader, memoryview]]:
    log = memoryview((_FOLDER / "consumer_offsets.log").read_bytes())
    for batch in iterate_batches(log):
        yield read_batch_header(batch), batch


def told(kind: str) -> list[list[str]]:
    """What Kafka said: `group`, `offset` or `member` lines."""
    lines = (_FOLDER / "told_by_kafka.txt").read_text().splitlines()
    return [line.split(" ")[1:] for line in lines if line.startswith(kind)]


def records_of(group_id: str) -> list[CoordinatorRecord]:
    """What Kafka wrote about one group."""
    records = []
    for header, batch in batches():
        if not header.is_control:
            for record in walk_records(batch[HEADER_SIZE:], header.record_count):
                decoded = decode(record.key, record.value)
                assert decoded is not None
                if getattr(decoded.key, "group", None) == group_id:
                    records.append(decoded)
    return records


@pytest.fixture
def bench() -> Bench:
    """The groups of that log, just loaded."""
    bench = Bench()
    bench.shard = GroupCoordinator(bench.config, CountingRandom())
    for header, batch in batches():
        replay_batch(bench.shard, header, batch)
    bench.shard.on_loaded(bench.now)
    return bench


# ── reading ──────────────────────────────────────────────────────────────────


def test_lists_the_groups_that_kafka_listed(bench: Bench) -> None:
    listed = sorted(
        [group.group_id, group.group_type.capitalize(), group.group_state, group.protocol_type]
        for group in map(list_group, bench.shard.groups.values())
    )
    assert listed == sorted(told("group"))


def test_tells_the_offsets_that_kafka_told(bench: Bench) -> None:
    found = sorted(
        [
            group_id,
            topic,
            *map(str, (partition, offset.offset, offset.leader_epoch)),
            offset.metadata.replace(" ", "_"),
        ]
        for group_id, topic, partition, offset in bench.shard.offsets.store.committed.items()
    )
    assert found == sorted(told("offset"))


def test_knows_the_members_that_kafka_knew(bench: Bench) -> None:
    found = sorted(
        [group.group_id, member.member_id, member.instance_id or "-", member.client_id, member.client_host]
        for group in bench.shard.groups.values()
        if isinstance(group, ClassicGroup)
        for member in group.members.values()
    )
    assert found == sorted(told("member"))


def test_classic_members_carry_on(bench: Bench) -> None:
    ((_, member_id, _, _, _),) = [line for line in told("member") if line[0] == "classic"]
    assert bench.heartbeat(member_id, 1, group_id="classic") == errors.NONE
    assert bench.commit_offset(11, member_id, 1, group_id="classic") == errors.NONE
    assert bench.group("classic").subscribed_topics == frozenset({"t"})


def test_an_open_transaction_is_still_open(bench: Bench) -> None:
    topics = [OffsetFetchRequestTopics("t", partition_indexes=[0])]
    answer = bench.shard.fetch_offsets(OffsetFetchRequestGroup("open", topics=topics), require_stable=True)
    assert answer.topics[0].partitions[0].error_code == errors.UNSTABLE_OFFSET_COMMIT


# ── groups of other protocols ────────────────────────────────────────────────


def join_code(bench: Bench, group_id: str, member_id: str = "") -> int:
    code: int = bench.answers[bench.join(member_id, group_id=group_id)].error_code
    return code


def test_a_consumer_group_with_members_is_not_for_classic_members(bench: Bench) -> None:
    for group_id in ("consumer", "upgraded", "share"):
        assert join_code(bench, group_id) == errors.INCONSISTENT_GROUP_PROTOCOL
        assert bench.heartbeat("m", 1, group_id=group_id) == errors.UNKNOWN_MEMBER_ID
        assert bench.answers[bench.sync("m", 1, group_id=group_id)].error_code == errors.UNKNOWN_MEMBER_ID
        with pytest.raises(KafkaError):
            bench.leave("m", group_id=group_id)
    assert bench.log == []


def test_its_members_are_gone_after_their_session(bench: Bench) -> None:
    bench.pass_time(45_000)
    assert list_group(bench.shard.groups["consumer"]).group_state == "Empty"
    assert {record.key.API_KEY for record in bench.take_records()} == {2}  # of the classic groups
    # As Kafka would after fencing them: strangers may commit, a classic group may take over.
    assert bench.commit_offset(61, group_id="consumer") == errors.NONE
    assert join_code(bench, "consumer", "m") == errors.UNKNOWN_MEMBER_ID
    bench.take_records()
    assert join_code(bench, "consumer") == errors.MEMBER_ID_REQUIRED
    records = bench.take_records()
    assert [record.key.API_KEY for record in records] == [8, 7, 6, 5, 3, 2]
    assert [record.value is None for record in records] == [True] * 5 + [False]
    assert bench.fetch_offset(group_id="consumer", topic_id=bytes(16)) == 61


def test_an_empty_consumer_group_makes_way_at_once(bench: Bench) -> None:
    assert join_code(bench, "consumer-empty") == errors.MEMBER_ID_REQUIRED
    assert [record.key.API_KEY for record in bench.take_records()] == [6, 3, 2]
    bench.member(group_id="consumer-empty")
    assert isinstance(bench.shard.groups["consumer-empty"], ClassicGroup)


def test_commits_and_fetches_of_members_of_the_consumer_protocol(bench: Bench) -> None:
    (member_id,) = bench.shard.groups["consumer"]._member_epochs  # type: ignore[union-attr]
    commit = {"group_id": "consumer"}
    assert bench.commit_offset(62, member_id, 2, **commit) == errors.NONE  # type: ignore[arg-type]
    assert bench.commit_offset(63, member_id, 2, version=8, **commit) == errors.UNSUPPORTED_VERSION  # type: ignore[arg-type]
    assert bench.commit_offset(63, member_id, 1, **commit) == errors.STALE_MEMBER_EPOCH  # type: ignore[arg-type]
    assert bench.commit_offset(63, "stranger", 2, **commit) == errors.UNKNOWN_MEMBER_ID  # type: ignore[arg-type]
    assert bench.commit_offset(63, **commit) == errors.UNKNOWN_MEMBER_ID  # type: ignore[arg-type]
    classic = next(iter(bench.shard.groups["upgraded"].classic_members))  # type: ignore[union-attr]
    stale = bench.commit_offset(81, classic, 1, group_id="upgraded", version=8)
    assert stale == errors.ILLEGAL_GENERATION

    def fetch(member: str | None, epoch: int) -> int:
        try:
            request = OffsetFetchRequestGroup("consumer", member, epoch, None)
            return bench.shard.fetch_offsets(request, require_stable=False).error_code
        except KafkaError as error:
            return error.code

    assert fetch(None, -1) == fetch(member_id, 2) == errors.NONE
    assert fetch(member_id, 1) == errors.STALE_MEMBER_EPOCH
    assert fetch("stranger", 2) == errors.UNKNOWN_MEMBER_ID


def test_share_groups_have_no_offsets_here(bench: Bench) -> None:
    assert bench.commit_offset(1, group_id="share") == errors.GROUP_ID_NOT_FOUND
    assert bench.fetch_offset(group_id="share") == -1
    bench.pass_time(45_000)
    assert join_code(bench, "share") == errors.INCONSISTENT_GROUP_PROTOCOL
    with pytest.raises(KafkaError) as refused:
        bench.shard.delete_group("share")
    assert refused.value.code == errors.UNSUPPORTED_VERSION


def test_deleting_a_consumer_group(bench: Bench) -> None:
    with pytest.raises(KafkaError) as refused:
        bench.shard.delete_group("consumer")
    assert refused.value.code == errors.NON_EMPTY_GROUP
    bench.carry_out(bench.shard.delete_group("consumer-empty"))
    assert [record.key.API_KEY for record in bench.take_records()] == [1, 1, 6, 3]
    assert "consumer-empty" not in bench.shard.groups


def test_what_expires_of_them(bench: Bench) -> None:
    bench.elapsed_ms = told_at_ms() - bench.now.wall_ms
    bench.shard.on_loaded(bench.now)
    bench.pass_time(8 * 24 * 60 * 60_000)
    # Share groups keep their state elsewhere, and this one has an open transaction.
    assert set(bench.shard.groups) == {"share", "open"}


def told_at_ms() -> int:
    return max(header.max_timestamp for header, _ in batches())


# ── writing ──────────────────────────────────────────────────────────────────


def test_our_batches_have_the_bytes_of_kafkas() -> None:
    compared = 0
    for header, batch in batches():
        if header.is_transactional:
            continue
        records = [
            decode(record.key, record.value)
            for record in walk_records(batch[HEADER_SIZE:], header.record_count)
        ]
        ours = batch_of([record for record in records if record is not None], header.base_timestamp, 0)
        set_offset_and_leader_epoch(memoryview(ours), header.base_offset, header.partition_leader_epoch)
        assert bytes(ours) == bytes(batch)
        compared += 1
    assert compared > 30


def normal(record: CoordinatorRecord) -> Any:
    """A record without what differs from run to run."""
    value = record.value
    if value is None:
        return repr(record.key), None
    facts = {name: getattr(value, name) for name in value.FIELDS}
    for name in ("commit_timestamp", "current_state_timestamp", "topic_id", "leader_epoch"):
        facts.pop(name, None)
    if facts.get("leader") is not None:
        facts["leader"] = facts["leader"][:-36]
    for member in facts.get("members", ()):
        member.member_id = member.member_id[:-36]
        member.subscription = member.assignment = b""
    return repr(record.key), record.value_version, facts


@pytest.mark.parametrize("group_id", ["classic-empty", "deleted", "classic-static"])
def test_we_write_what_kafka_writes_when(group_id: str) -> None:
    kafkas = records_of(group_id)
    bench = Bench()
    static = "instance" if group_id == "classic-static" else None
    offered = dict.fromkeys(("range", "cooperative-sticky"), b"")
    timeouts = {"session_timeout_ms": 45_000, "rebalance_timeout_ms": 300_000}
    facts: dict[str, Any] = {"group_id": group_id, "client_id": f"client-of-{group_id}", **timeouts}
    if static is None:
        member_id, _ = bench.member(protocols=offered, **facts)
        bench.pass_time(3_000)
    else:
        token = bench.join(instance_id=static, protocols=offered, **facts)
        bench.pass_time(3_000)
        member_id = bench.answers[token].member_id
    bench.sync(member_id, 1, {member_id: b""}, group_id=group_id, instance_id=static)
    first = next(record.value.offset for record in kafkas if record.key.API_KEY == 1)
    commit = {"group_id": group_id, "instance_id": static}
    bench.commit_offset(first, member_id, 1, partition=1, **commit)  # type: ignore[arg-type]
    of_group = f"of {group_id}"
    bench.commit_offset(first - 1, member_id, 1, metadata=of_group, **commit)  # type: ignore[arg-type]
    if static is None:
        bench.leave(member_id, group_id=group_id)
        assert bench.group(group_id).state is GroupState.EMPTY
    if group_id == "deleted":
        bench.carry_out(bench.shard.delete_group(group_id))
    ours, theirs = [[normal(record) for record in records] for records in (bench.take_records(), kafkas)]
    # Kafka's order of partitions is that of a hash table.
    assert sorted(map(repr, ours)) == sorted(map(repr, theirs))
    assert [record[0].split("(")[0] for record in ours] == [record[0].split("(")[0] for record in theirs]
