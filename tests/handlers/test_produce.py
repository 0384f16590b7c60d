"""Produce: acks, errors and their order, duplicates, hints, flushes."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from kbroker.handlers.context import CloseConnection, Pending
from kbroker.protocol import errors
from kbroker.protocol.generated.partition_change_record import PartitionChangeRecord
from kbroker.protocol.generated.produce_request import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from kbroker.protocol.generated.produce_response import PartitionProduceResponse
from tests.handlers.support import World, batch, now, topic_id

Records = bytes | bytearray | None
TRANSACTIONAL = 0x10
CONTROL = 0x20
LOG_APPEND_TIME = 0x08


def request(
    *records: Records,
    acks: int = -1,
    topic: str = "t",
    timeout_ms: int = 5_000,
    transactional_id: str | None = None,
    first_index: int = 0,
) -> ProduceRequest:
    """One batch for each of the partitions 0, 1, …"""
    data = [
        PartitionProduceData(index, None if one is None else memoryview(one))
        for index, one in enumerate(records, first_index)
    ]
    return ProduceRequest(
        transactional_id, acks, timeout_ms, [TopicProduceData(topic, topic_id(topic), data)]
    )


def partitions(answer: Any) -> list[PartitionProduceResponse]:
    (topic,) = now(answer).responses
    found: list[PartitionProduceResponse] = topic.partition_responses
    return found


def only(answer: Any) -> PartitionProduceResponse:
    (partition,) = partitions(answer)
    return partition


@pytest.fixture
def world() -> World:
    made = World()
    made.create_topic("t", 2)
    return made


# --- success ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(3, 14))
@pytest.mark.parametrize("acks", [1, -1])
def test_every_version_appends(world: World, version: int, acks: int) -> None:
    world.call(request(batch(b"a", b"b"), acks=acks), version)
    answer = only(world.call(request(batch(b"c"), acks=acks), version))
    assert (answer.error_code, answer.base_offset, answer.log_append_time_ms) == (0, 2, -1)
    assert answer.log_start_offset == (0 if version >= 5 else -1)


def test_topic_is_named_as_it_was_asked_for(world: World) -> None:
    assert world.call(request(batch()), 12).responses[0].name == "t"
    assert world.call(request(batch()), 13).responses[0].topic_id == topic_id("t")


def test_acks_0_is_not_answered(world: World) -> None:
    assert world.call(request(batch(), acks=0), 13) is None
    assert world.replicas.partition("t", 0).log.log_end_offset == 1


def test_records_are_stored_as_they_came_but_for_offset_and_epoch(world: World) -> None:
    sent = batch(b"a")
    world.call(request(bytes(sent)), 13)
    world.call(request(bytes(sent)), 13)
    stored = world.disk.read_bytes("/data/t-0/00000000000000000000.log")[len(sent) :]
    assert stored[:8] == (1).to_bytes(8, "big")
    assert stored[12:16] == (3).to_bytes(4, "big")
    assert stored[16:] == sent[16:]


def test_log_append_time_is_told() -> None:
    world = World()
    world.create_topic("t", configs={"message.timestamp.type": "LogAppendTime"})
    assert only(world.call(request(batch()), 13)).log_append_time_ms == world.clock.now_ms


def test_repeated_batch_is_answered_with_its_first_offset_and_timestamp(world: World) -> None:
    first = batch(b"a", b"b", producer_id=9, producer_epoch=0, base_sequence=0, timestamp=1_600_000_000_000)
    world.call(request(batch()), 13)
    world.call(request(bytes(first)), 13)
    again = only(world.call(request(bytes(first)), 13))
    assert (again.error_code, again.base_offset) == (0, 1)
    assert again.log_append_time_ms == 1_600_000_000_000
    assert world.replicas.partition("t", 0).log.log_end_offset == 3


def test_statistics_count_what_was_appended_once(world: World) -> None:
    sent = batch(b"a", b"b", producer_id=9, producer_epoch=0, base_sequence=0)
    for _ in range(2):
        world.call(request(bytes(sent)), 13)
    statistics = world.replicas.topics["t"].statistics
    assert (statistics.messages_in, statistics.bytes_in) == (2, len(sent))
    assert (statistics.total_produce_requests, statistics.failed_produce_requests) == (2, 0)


# --- errors -------------------------------------------------------------------------------------


def corrupted() -> bytearray:
    sent = batch()
    sent[-1] ^= 1
    return sent


def with_magic(magic: int) -> bytearray:
    sent = batch()
    sent[16] = magic
    return sent


@pytest.mark.parametrize(
    ("records", "code"),
    [
        (None, errors.INVALID_RECORD),
        (b"", errors.INVALID_RECORD),
        (batch()[:70], errors.INVALID_RECORD),
        (batch() + batch(), errors.INVALID_RECORD),
        (with_magic(1), errors.INVALID_RECORD),
        (batch(attributes=CONTROL), errors.INVALID_RECORD),
        (corrupted(), errors.CORRUPT_MESSAGE),
        (batch(bytes(1_100_000)), errors.MESSAGE_TOO_LARGE),
        (batch(timestamp=2_000_000_000_000), errors.INVALID_TIMESTAMP),
        (batch(timestamp=-1, attributes=LOG_APPEND_TIME), errors.INVALID_TIMESTAMP),
        (batch(producer_id=7, producer_epoch=0, base_sequence=-1), errors.INVALID_RECORD),
    ],
)
def test_bad_records(world: World, records: Records, code: int) -> None:
    bad, good = partitions(world.call(request(records, batch()), 13))
    assert (bad.error_code, bad.base_offset, bad.log_append_time_ms) == (code, -1, -1)
    assert bad.error_message
    assert (good.error_code, good.base_offset) == (0, 0)
    assert world.replicas.partition("t", 0).log.log_end_offset == 0


def test_the_log_start_is_told_with_the_errors_of_a_log(world: World) -> None:
    """Not where the request was refused before any log was asked."""
    unfit, refused = partitions(world.call(request(batch() + batch(), batch(attributes=CONTROL)), 13))
    assert (unfit.error_code, unfit.log_start_offset) == (errors.INVALID_RECORD, -1)
    assert (refused.error_code, refused.log_start_offset) == (errors.INVALID_RECORD, 0)


def test_zstd_needs_version_7(world: World) -> None:
    sent = batch(attributes=4)
    assert only(world.call(request(bytes(sent)), 6)).error_code == errors.UNSUPPORTED_COMPRESSION_TYPE
    assert only(world.call(request(bytes(sent)), 7)).error_code == 0


def test_message_too_large_goes_by_the_topic() -> None:
    world = World()
    world.create_topic("t", configs={"max.message.bytes": "100"})
    assert only(world.call(request(batch(bytes(200))), 13)).error_code == errors.MESSAGE_TOO_LARGE


def test_record_errors_name_the_records() -> None:
    world = World()
    world.create_topic("t", configs={"cleanup.policy": "compact"})
    answer = only(world.call(request(batch(b"a", b"b")), 8))
    assert answer.error_code == errors.INVALID_RECORD
    assert [one.batch_index for one in answer.record_errors] == [0, 1]
    assert only(world.call(request(batch(b"a", key=b"k")), 8)).error_code == 0


def produce_sequence(world: World, sequence: int, epoch: int = 0) -> int:
    sent = batch(producer_id=5, producer_epoch=epoch, base_sequence=sequence)
    return only(world.call(request(sent), 13)).error_code


def test_sequences(world: World) -> None:
    assert [produce_sequence(world, sequence) for sequence in range(7)] == [0] * 7
    # The last five are remembered; the one before them is only a wrong number.
    assert produce_sequence(world, 2) == 0
    assert produce_sequence(world, 1) == errors.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert produce_sequence(world, 8) == errors.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert produce_sequence(world, 1, epoch=1) == errors.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert produce_sequence(world, 0, epoch=1) == 0
    assert produce_sequence(world, 7, epoch=0) == errors.INVALID_PRODUCER_EPOCH


def test_unknown_topics_and_partitions(world: World) -> None:
    assert only(world.call(request(batch(), topic="no"), 12)).error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert only(world.call(request(batch(), topic="no"), 13)).error_code == errors.UNKNOWN_TOPIC_ID
    for version in (12, 13):
        answer = only(world.call(request(batch(), first_index=9), version))
        assert answer.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION


def test_a_topic_without_partitions_is_not_mentioned(world: World) -> None:
    assert now(world.call(request(), 13)).responses == []


def test_id_of_a_deleted_topic(world: World) -> None:
    world.delete_topic("t")
    world.create_topic("t", incarnation=1)
    assert only(world.call(request(batch()), 13)).error_code == errors.UNKNOWN_TOPIC_ID
    assert only(world.call(request(batch()), 12)).error_code == 0


@pytest.mark.parametrize("acks", [2, -2])
def test_acks_that_do_not_exist(world: World, acks: int) -> None:
    answer = only(world.call(request(batch(), acks=acks), 13))
    assert (answer.error_code, answer.base_offset) == (errors.INVALID_REQUIRED_ACKS, -1)
    # A partition that is nowhere comes first, as in Kafka.
    answer = only(world.call(request(batch(), acks=acks, topic="no"), 12))
    assert answer.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION


def test_internal_topics_are_for_the_admin_client_only() -> None:
    world = World()
    world.create_topic("__consumer_offsets")
    asked = request(batch(), topic="__consumer_offsets")
    assert only(world.call(asked, 13)).error_code == errors.INVALID_TOPIC_EXCEPTION
    asked = request(batch(), topic="__consumer_offsets")
    assert only(world.call(asked, 13, client_id="__admin_client")).error_code == 0


def test_error_with_acks_0_closes_the_connection(world: World) -> None:
    with pytest.raises(CloseConnection):
        world.call(request(batch(), corrupted(), acks=0), 13)
    assert world.replicas.partition("t", 0).log.log_end_offset == 1


@pytest.mark.parametrize("transactional_id", ["tx", None])
def test_transactional_batch_refuses_the_whole_request(world: World, transactional_id: str | None) -> None:
    sent = batch(attributes=TRANSACTIONAL, producer_id=1, producer_epoch=0, base_sequence=0)
    answers = partitions(world.call(request(batch(), sent, transactional_id=transactional_id), 13))
    refused = errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert [answer.error_code for answer in answers] == [refused, refused]
    assert "transactions" in (answers[0].error_message or "")
    assert world.replicas.partition("t", 0).log.log_end_offset == 0


@pytest.mark.parametrize(("version", "hinted"), [(9, False), (10, True), (13, True)])
def test_not_leader_says_who_is(world: World, version: int, hinted: bool) -> None:
    world.move_leader("t", 0, leader=-1)
    world.create_topic("led elsewhere", replicas=(2,), leader=2)
    answer = world.call(request(batch(), topic="led elsewhere"), version)
    assert only(answer).error_code == errors.NOT_LEADER_OR_FOLLOWER
    assert only(answer).current_leader.leader_id == (2 if hinted else -1)
    assert only(answer).current_leader.leader_epoch == (3 if hinted else -1)
    # Broker 2 is not registered, so nobody knows its address.
    assert answer.node_endpoints == []
    assert only(world.call(request(batch()), version)).error_code == errors.NOT_LEADER_OR_FOLLOWER


def test_hint_carries_the_address_of_a_known_leader(world: World) -> None:
    world.create_topic("mine but full", replicas=(2, 1), leader=1)
    world.change(
        PartitionChangeRecord(0, topic_id("mine but full"), leader=-1),
        PartitionChangeRecord(1, topic_id("t"), leader=-1),
    )
    world.published.image.brokers[2] = world.published.image.brokers[1]._replace(id=2, rack="r2")  # type: ignore[index]
    world.move_leader("t", 0, leader=2)
    answer = world.call(request(batch()), 13)
    (node,) = answer.node_endpoints
    assert (node.node_id, node.host, node.port, node.rack) == (2, "localhost", 9092, "r2")


# --- waiting ------------------------------------------------------------------------------------


def test_too_few_in_sync_replicas() -> None:
    world = World()
    world.create_topic("t", configs={"min.insync.replicas": "2"}, replicas=(1, 2), isr=(1,))
    assert only(world.call(request(batch()), 13)).error_code == errors.NOT_ENOUGH_REPLICAS
    assert only(world.call(request(batch(), acks=1), 13)).error_code == 0


def test_acks_all_waits_for_the_high_watermark() -> None:
    world = World()
    world.create_topic("t", replicas=(1, 2))
    answer = world.call(request(batch()), 13)
    assert isinstance(answer, Pending)
    assert not answer.done
    world.change(PartitionChangeRecord(0, topic_id("t"), isr=[1]))
    world.finish_turn()
    assert (only(answer).error_code, only(answer).base_offset) == (0, 0)


def test_acks_all_times_out_with_the_records_kept() -> None:
    world = World()
    world.create_topic("t", replicas=(1, 2))
    answer = world.call(request(batch(), timeout_ms=77), 13)
    assert world.waiting.operations[0][1] == 77
    world.waiting.expire_all()
    assert (only(answer).error_code, only(answer).base_offset) == (errors.REQUEST_TIMED_OUT, -1)
    assert world.replicas.partition("t", 0).log.log_end_offset == 1


def test_leader_moved_while_waiting() -> None:
    world = World()
    world.create_topic("t", replicas=(1, 2))
    answer = world.call(request(batch()), 13)
    world.move_leader("t", 0, leader=2)
    world.finish_turn()
    assert only(answer).error_code == errors.NOT_LEADER_OR_FOLLOWER
    assert only(answer).current_leader.leader_id == 2


def test_topic_deleted_while_waiting() -> None:
    world = World()
    world.create_topic("t", replicas=(1, 2))
    answer = world.call(request(batch()), 13)
    world.delete_topic("t")
    world.finish_turn()
    assert only(answer).error_code == errors.UNKNOWN_TOPIC_OR_PARTITION


def test_isr_fell_below_the_minimum_while_waiting() -> None:
    world = World()
    world.create_topic("t", configs={"min.insync.replicas": "2"}, replicas=(1, 2, 3))
    answer = world.call(request(batch()), 13)
    partition = world.replicas.partition("t", 0)
    partition.on_follower_fetch(2, 1)
    partition.on_follower_fetch(3, 1)
    world.change(PartitionChangeRecord(0, topic_id("t"), isr=[1]))
    world.finish_turn()
    assert only(answer).error_code == errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND


@pytest.mark.parametrize("acks", [1, -1])
def test_appends_share_a_flush(acks: int) -> None:
    world = World()
    world.create_topic("t", configs={"flush.messages": "1"})
    first = world.call(request(batch(), acks=acks), 13)
    second = world.call(request(batch(), acks=acks), 13)
    third = world.call(request(batch(), acks=acks), 13)
    assert not first.done
    assert world.replicas.partition("t", 0).log.high_watermark == 0
    world.disk.run_offloaded()
    assert only(first).base_offset == 0
    assert not second.done
    syncs = world.disk.syncs
    world.disk.run_offloaded()
    assert (only(second).base_offset, only(third).base_offset) == (1, 2)
    assert world.disk.syncs == syncs + 1


def test_acks_0_does_not_wait_for_the_flush() -> None:
    world = World()
    world.create_topic("t", configs={"flush.messages": "1"})
    assert world.call(request(batch(), acks=0), 13) is None


# --- storage ------------------------------------------------------------------------------------


def test_failed_flush_takes_the_directory_offline() -> None:
    world = World()
    world.create_topic("t", configs={"flush.messages": "1"})
    answer = world.call(request(batch()), 13)
    world.disk.fails_with["sync"] = OSError(errno.EIO, "broken")
    world.disk.run_offloaded()
    assert only(answer).error_code == errors.KAFKA_STORAGE_ERROR
    # Never retried: a second fsync could lie.
    del world.disk.fails_with["sync"]
    assert only(world.call(request(batch()), 13)).error_code == errors.KAFKA_STORAGE_ERROR


def test_full_disk_refuses_appends_until_there_is_room(world: World) -> None:
    world.call(request(batch(b"a")), 13)
    world.disk.fails_with["write"] = OSError(errno.ENOSPC, "full")
    assert only(world.call(request(batch(b"b")), 13)).error_code == errors.KAFKA_STORAGE_ERROR
    assert world.replicas.partition("t", 0).is_leader
    del world.disk.fails_with["write"]
    assert only(world.call(request(batch(b"c")), 13)).base_offset == 1


def test_log_that_could_not_be_made() -> None:
    world = World()
    world.disk.fails_with["create"] = OSError(errno.EIO, "broken")
    world.create_topic("t")
    assert only(world.call(request(batch()), 13)).error_code == errors.KAFKA_STORAGE_ERROR
    world.delete_topic("t")
    assert only(world.call(request(batch()), 13)).error_code == errors.UNKNOWN_TOPIC_ID
