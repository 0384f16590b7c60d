"""Fetch: limits, isolation, long polls, sessions, epochs and error codes."""

from __future__ import annotations

from typing import Any

import pytest

from kbroker.handlers.context import Pending
from kbroker.protocol import errors
from kbroker.protocol.generated.fetch_request import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    ReplicaState,
)
from kbroker.protocol.generated.fetch_response import PartitionData
from kbroker.protocol.generated.partition_change_record import PartitionChangeRecord
from kbroker.records.batch import iterate_batches, read_batch_header
from kbroker.records.control import build_end_txn_marker
from tests.handlers.support import World, batch, now, topic_id

BATCH_BYTES = len(batch(b"value"))
TRANSACTIONAL = 0x10


def request(
    *indexes: int,
    topic: str = "t",
    offset: int = 0,
    epoch: int = -1,
    last_epoch: int = -1,
    partition_max_bytes: int = 1 << 20,
    **fields: Any,
) -> FetchRequest:
    wanted = [
        FetchPartition(
            index,
            current_leader_epoch=epoch,
            fetch_offset=offset,
            last_fetched_epoch=last_epoch,
            partition_max_bytes=partition_max_bytes,
        )
        for index in indexes
    ]
    fields.setdefault("max_wait_ms", 0)
    fields.setdefault("min_bytes", 1)
    return FetchRequest(topics=[FetchTopic(topic, topic_id(topic), wanted)] if wanted else [], **fields)


def partitions(answer: Any) -> list[PartitionData]:
    return [partition for topic in now(answer).responses for partition in topic.partitions]


def only(answer: Any) -> PartitionData:
    (partition,) = partitions(answer)
    return partition


def offsets(data: PartitionData) -> list[int]:
    """Base offsets of the whole batches in the records; nothing may be left over."""
    assert data.records is not None
    records = memoryview(data.records)  # type: ignore[arg-type]
    found = [read_batch_header(one) for one in iterate_batches(records)]
    assert sum(header.size for header in found) == len(records)
    return [header.base_offset for header in found]


def produce(
    world: World, index: int = 0, count: int = 1, topic: str = "t", sent: bytes | None = None
) -> None:
    hosted = world.replicas.topics[topic]
    for _ in range(count):
        records = memoryview(bytearray(sent or batch(b"value")))
        world.replicas.append(hosted, hosted.partitions[index], records, 1, world.clock.now_ms)
    world.finish_turn()


@pytest.fixture
def world() -> World:
    made = World()
    made.create_topic("t", 3)
    return made


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(4, 19))
def test_every_version_reads(world: World, version: int) -> None:
    produce(world, count=3)
    answer = only(world.call(request(0, offset=1), version))
    assert offsets(answer) == [1, 2]
    assert (answer.error_code, answer.high_watermark, answer.last_stable_offset) == (0, 3, 3)
    assert answer.log_start_offset == (0 if version >= 5 else -1)
    assert answer.aborted_transactions is None
    assert answer.preferred_read_replica == -1


def test_first_batch_holds_the_offset_and_may_begin_before_it(world: World) -> None:
    produce(world, sent=bytes(batch(b"a", b"b", b"c")))
    assert offsets(only(world.call(request(0, offset=2), 18))) == [0]


def test_end_of_log_is_empty_and_no_error(world: World) -> None:
    produce(world)
    answer = only(world.call(request(0, offset=1), 18))
    assert (answer.error_code, answer.high_watermark, answer.records) == (0, 1, b"")


def test_first_batch_comes_whole_whatever_the_limits(world: World) -> None:
    for index in range(3):
        produce(world, index, 2)
    answers = partitions(world.call(request(0, 1, 2, max_bytes=1, partition_max_bytes=1), 18))
    assert [offsets(answer) for answer in answers] == [[0], [], []]
    assert [answer.error_code for answer in answers] == [0, 0, 0]


def test_first_whole_batch_is_due_to_the_first_partition_that_has_any(world: World) -> None:
    produce(world, 1)
    answers = partitions(world.call(request(0, 1, partition_max_bytes=1), 18))
    assert [offsets(answer) for answer in answers] == [[], [0]]


def test_partition_limit_gives_whole_batches_only(world: World) -> None:
    produce(world, count=5)
    answer = only(world.call(request(0, partition_max_bytes=2 * BATCH_BYTES + 10), 18))
    assert offsets(answer) == [0, 1]


def test_one_byte_limit_for_the_whole_request(world: World) -> None:
    for index in range(3):
        produce(world, index, 10)
    answers = partitions(world.call(request(0, 1, 2, max_bytes=12 * BATCH_BYTES), 18))
    assert [len(offsets(answer)) for answer in answers] == [10, 2, 0]


def test_broker_limits_the_response_too() -> None:
    world = World({"fetch.max.bytes": "1024"})
    world.create_topic("t")
    produce(world, count=20)
    answer = only(world.call(request(0, min_bytes=1 << 30), 18))
    assert len(offsets(answer)) == 1024 // BATCH_BYTES


def test_statistics(world: World) -> None:
    produce(world)
    world.call(request(0, 1), 18)
    statistics = world.replicas.topics["t"].statistics
    assert (statistics.bytes_out, statistics.total_fetch_requests) == (BATCH_BYTES, 2)


def test_nothing_above_the_high_watermark() -> None:
    world = World()
    world.create_topic("t", replicas=(1, 2))
    produce(world, count=3)
    world.replicas.partition("t", 0).on_follower_fetch(2, 2)
    answer = only(world.call(request(0), 18))
    assert (offsets(answer), answer.high_watermark) == ([0, 1], 2)
    # Between high watermark and log end: nothing yet, but no error.
    answer = only(world.call(request(0, offset=3), 18))
    assert (answer.error_code, answer.records) == (0, b"")


def transactional(sequence: int) -> bytes:
    return bytes(
        batch(b"tx", producer_id=4, producer_epoch=0, base_sequence=sequence, attributes=TRANSACTIONAL)
    )


def end_transaction(world: World) -> None:
    """As a transaction coordinator elsewhere had written it."""
    marker = build_end_txn_marker(
        commit=False, producer_id=4, producer_epoch=0, coordinator_epoch=0, timestamp_ms=world.clock.now_ms
    )
    world.replicas.append_internal("t", 0, marker, world.clock.now_ms)


def test_read_committed_stops_at_an_open_transaction(world: World) -> None:
    produce(world)
    produce(world, sent=transactional(0))
    produce(world)
    committed = only(world.call(request(0, isolation_level=1), 18))
    assert (offsets(committed), committed.last_stable_offset, committed.high_watermark) == ([0], 1, 3)
    assert committed.aborted_transactions == []
    assert offsets(only(world.call(request(0), 18))) == [0, 1, 2]


def test_read_committed_names_aborted_transactions(world: World) -> None:
    produce(world)
    produce(world, sent=transactional(0))
    end_transaction(world)
    answer = only(world.call(request(0, isolation_level=1), 18))
    assert offsets(answer) == [0, 1, 2]
    assert answer.aborted_transactions is not None
    assert [(one.producer_id, one.first_offset) for one in answer.aborted_transactions] == [(4, 1)]


@pytest.mark.parametrize(("version", "mentioned"), [(4, 1), (12, 1), (13, 0)])
def test_an_isolation_level_that_does_not_exist(world: World, version: int, mentioned: int) -> None:
    answer = now(world.call(request(0, isolation_level=2), version))
    if version >= 7:
        assert answer.error_code == errors.UNKNOWN_SERVER_ERROR
    codes = [partition.error_code for partition in partitions(answer)]
    assert codes == [errors.UNKNOWN_SERVER_ERROR] * mentioned


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-1, 4])
def test_offset_out_of_range(world: World, offset: int) -> None:
    produce(world, count=3)
    answer = only(world.call(request(0, offset=offset), 18))
    assert answer.error_code == errors.OFFSET_OUT_OF_RANGE
    assert (answer.high_watermark, answer.last_stable_offset, answer.log_start_offset) == (-1, -1, -1)
    assert answer.records == b""


def test_offset_below_the_log_start(world: World) -> None:
    produce(world, count=3)
    world.replicas.delete_records(world.replicas.partition("t", 0), 2, 0)
    assert only(world.call(request(0, offset=1), 18)).error_code == errors.OFFSET_OUT_OF_RANGE
    assert only(world.call(request(0, offset=2), 18)).log_start_offset == 2


def test_unknown_partitions_do_not_disturb_others(world: World) -> None:
    produce(world)
    known, unknown = partitions(world.call(request(0, 7), 12))
    assert offsets(known) == [0]
    assert (unknown.error_code, unknown.aborted_transactions) == (errors.UNKNOWN_TOPIC_OR_PARTITION, [])
    assert only(world.call(request(0, topic="no"), 12)).error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert only(world.call(request(0, topic="no"), 13)).error_code == errors.UNKNOWN_TOPIC_ID


@pytest.mark.parametrize(
    ("epoch", "code"),
    [(-1, 0), (-2, 0), (3, 0), (2, errors.FENCED_LEADER_EPOCH), (4, errors.UNKNOWN_LEADER_EPOCH)],
)
def test_leader_epochs(world: World, epoch: int, code: int) -> None:
    assert only(world.call(request(0, epoch=epoch), 18)).error_code == code


@pytest.mark.parametrize(("version", "hinted"), [(15, False), (16, True)])
def test_fenced_client_is_told_the_leader(world: World, version: int, hinted: bool) -> None:
    answer = world.call(request(0, epoch=2), version)
    assert only(answer).error_code == errors.FENCED_LEADER_EPOCH
    assert only(answer).current_leader.leader_id == (1 if hinted else -1)
    # By the address the client came in on.
    assert [(node.host, node.port) for node in answer.node_endpoints] == [("10.0.0.1", 9092)] * hinted


@pytest.mark.parametrize(("version", "code"), [(10, errors.NOT_LEADER_OR_FOLLOWER), (11, 0)])
def test_replica_without_leadership_serves_those_who_know_followers(version: int, code: int) -> None:
    world = World()
    world.create_topic("t", replicas=(1, 2), leader=2)
    assert only(world.call(request(0), version)).error_code == code


@pytest.mark.parametrize(
    ("epoch", "code"), [(3, errors.UNKNOWN_LEADER_EPOCH), (-1, errors.NOT_LEADER_OR_FOLLOWER)]
)
@pytest.mark.parametrize("version", [14, 15])
def test_replicas_that_are_none_of_ours(world: World, version: int, epoch: int, code: int) -> None:
    asked = request(0, epoch=epoch)
    if version < 15:
        asked.replica_id = 2
    else:
        asked.replica_state = ReplicaState(2, 1)
    assert only(world.call(asked, version)).error_code == code


def test_diverging_epoch_is_told_at_once(world: World) -> None:
    produce(world, count=2)
    world.change(PartitionChangeRecord(0, topic_id("t"), leader=1))
    produce(world, count=2)
    answer = world.call(request(0, offset=3, last_epoch=3, max_wait_ms=500), 18)
    diverging = only(answer).diverging_epoch
    assert (diverging.epoch, diverging.end_offset) == (3, 2)
    assert offsets(only(world.call(request(0, offset=2, last_epoch=3), 18))) == [2, 3]
    assert offsets(only(world.call(request(0, offset=2, last_epoch=-2), 18))) == [2, 3]
    unknown = only(world.call(request(0, offset=2, last_epoch=99), 18))
    assert unknown.error_code == errors.OFFSET_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("version", "code"), [(5, errors.NOT_LEADER_OR_FOLLOWER), (6, errors.KAFKA_STORAGE_ERROR)]
)
def test_failed_storage(world: World, version: int, code: int) -> None:
    world.directory.on_failure(OSError(5, "broken"))
    world.replicas.on_storage_failure()
    assert only(world.call(request(0), version)).error_code == code


# --- long polls ---------------------------------------------------------------------------------


def waiting(answer: Any) -> Pending[Any]:
    assert isinstance(answer, Pending)
    assert not answer.done
    return answer


def test_append_wakes_a_long_poll(world: World) -> None:
    answer = waiting(world.call(request(0, 1, max_wait_ms=500), 18))
    assert world.waiting.operations[0][:2] == ({("t", 0), ("t", 1)}, 500)
    produce(world, 2)
    waiting(answer)
    produce(world, 1)
    assert [offsets(one) for one in partitions(answer)] == [[], [0]]


def test_min_bytes_are_waited_for(world: World) -> None:
    answer = waiting(world.call(request(0, 1, max_wait_ms=500, min_bytes=3 * BATCH_BYTES), 18))
    produce(world, 0)
    produce(world, 1)
    waiting(answer)
    produce(world, 0)
    assert [offsets(one) for one in partitions(answer)] == [[0, 1], [0]]
    assert world.replicas.topics["t"].statistics.bytes_out == 3 * BATCH_BYTES


def test_min_bytes_beyond_the_maximum_are_not_waited_for(world: World) -> None:
    produce(world, count=2)
    answer = world.call(request(0, max_wait_ms=500, min_bytes=1 << 30, max_bytes=BATCH_BYTES), 18)
    assert offsets(only(answer)) == [0]


def test_end_of_max_wait_returns_what_there_is(world: World) -> None:
    answer = waiting(world.call(request(0, max_wait_ms=500, min_bytes=3 * BATCH_BYTES), 18))
    produce(world)
    world.waiting.expire_all()
    assert offsets(only(answer)) == [0]
    answer = waiting(world.call(request(1, max_wait_ms=500), 18))
    world.waiting.expire_all()
    assert offsets(only(answer)) == []


@pytest.mark.parametrize("indexes", [(0, 9), ()])
def test_errors_and_empty_requests_are_answered_at_once(world: World, indexes: tuple[int, ...]) -> None:
    answer = world.call(request(*indexes, max_wait_ms=500), 18)
    assert len(partitions(answer)) == len(indexes)


def test_min_bytes_0_is_answered_at_once(world: World) -> None:
    assert only(world.call(request(0, max_wait_ms=500, min_bytes=0), 18)).error_code == 0


def test_change_of_leader_ends_a_long_poll(world: World) -> None:
    answer = waiting(world.call(request(0, max_wait_ms=500, epoch=3), 18))
    world.change(PartitionChangeRecord(0, topic_id("t"), leader=1))
    world.finish_turn()
    assert only(answer).error_code == errors.FENCED_LEADER_EPOCH


def test_deleted_topic_ends_a_long_poll(world: World) -> None:
    answer = waiting(world.call(request(0, max_wait_ms=500), 18))
    world.delete_topic("t")
    world.finish_turn()
    assert only(answer).error_code == errors.UNKNOWN_TOPIC_ID


def test_moved_log_start_ends_a_long_poll_that_fell_behind(world: World) -> None:
    produce(world, count=3)
    answer = waiting(world.call(request(0, max_wait_ms=500, min_bytes=1 << 20), 18))
    world.replicas.delete_records(world.replicas.partition("t", 0), 2, 0)
    world.finish_turn()
    assert only(answer).error_code == errors.OFFSET_OUT_OF_RANGE


# --- sessions -----------------------------------------------------------------------------------


def test_session_tells_only_news(world: World) -> None:
    first = world.call(request(0, 1, session_id=0, session_epoch=0), 18)
    session = first.session_id
    assert session
    assert len(partitions(first)) == 2
    produce(world, 1)
    second = world.call(request(session_id=session, session_epoch=1), 18)
    assert second.session_id == session
    assert [one.partition_index for one in partitions(second)] == [1]
    # The client moves on in partition 1 and only says so.
    third = world.call(request(1, offset=1, session_id=session, session_epoch=2), 18)
    assert partitions(third) == []


def test_session_fetch_waits_over_all_its_partitions(world: World) -> None:
    session = world.call(request(0, 1, session_id=0, session_epoch=0), 18).session_id
    answer = waiting(world.call(request(session_id=session, session_epoch=1, max_wait_ms=500), 18))
    produce(world, 1)
    assert [one.partition_index for one in partitions(answer)] == [1]


@pytest.mark.parametrize(
    ("id_offset", "epoch", "version", "code"),
    [
        (1, 1, 18, errors.FETCH_SESSION_ID_NOT_FOUND),
        (0, 5, 18, errors.INVALID_FETCH_SESSION_EPOCH),
        (0, 1, 12, errors.FETCH_SESSION_TOPIC_ID_ERROR),
    ],
)
def test_session_errors_stand_at_the_top(
    world: World, id_offset: int, epoch: int, version: int, code: int
) -> None:
    session = world.call(request(0, session_id=0, session_epoch=0), 18).session_id
    answer = world.call(request(session_id=session + id_offset, session_epoch=epoch), version)
    assert (answer.error_code, answer.session_id, answer.responses) == (code, 0, [])


def test_session_of_a_topic_made_anew_hears_that_its_id_is_gone(world: World) -> None:
    session = world.call(request(0, session_id=0, session_epoch=0), 18).session_id
    world.delete_topic("t")
    world.create_topic("t", incarnation=1)
    answer = world.call(request(session_id=session, session_epoch=1), 18)
    assert only(answer).error_code == errors.UNKNOWN_TOPIC_ID


def test_topics_are_grouped_in_the_order_asked_for(world: World) -> None:
    world.create_topic("u")
    asked = request(0, 1)
    asked.topics += request(0, topic="u").topics
    answer = world.call(asked, 12)
    assert [(topic.topic, len(topic.partitions)) for topic in answer.responses] == [("t", 2), ("u", 1)]
