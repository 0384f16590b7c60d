"""Logs follow the metadata image: opened, led, reconfigured, deleted, set aside."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.config_record import ConfigRecord
from kbroker.protocol.generated.partition_change_record import PartitionChangeRecord
from kbroker.protocol.generated.partition_record import PartitionRecord
from kbroker.replication.partition import ACKS_ALL
from kbroker.replication.statistics import TopicStatistics
from tests.handlers.support import DeferringDisk, World, batch, topic_id


@pytest.fixture
def world() -> World:
    made = World()
    made.create_topic("t", 2)
    made.replicas.take_woken()
    return made


def append(world: World, topic: str = "t", index: int = 0) -> int:
    hosted = world.replicas.topics[topic]
    records = memoryview(batch())
    return world.replicas.append(hosted, hosted.partitions[index], records, 1, world.clock.now_ms).last_offset


def code_of(world: World, topic: str, index: int) -> int:
    with pytest.raises(KafkaError) as caught:
        world.replicas.partition(topic, index)
    return caught.value.code


def log_directories(disk: DeferringDisk) -> list[str]:
    files = disk.files()
    return [name for name in disk.list_directory("/data") if f"/data/{name}" not in files]


def test_assigned_partitions_are_opened(world: World) -> None:
    # Their directories come with the first record.
    assert log_directories(world.disk) == []
    append(world)
    append(world, index=1)
    assert log_directories(world.disk) == ["t-0", "t-1"]
    assert [partition.key for partition in world.replicas.partitions()] == [("t", 0), ("t", 1)]
    assert world.replicas.topics_by_id[topic_id("t")] is world.replicas.topics["t"]


def test_partitions_of_others_are_not(world: World) -> None:
    world.create_topic("elsewhere", replicas=(2,), leader=2)
    assert "elsewhere" not in world.replicas.topics
    assert code_of(world, "elsewhere", 0) == errors.NOT_LEADER_OR_FOLLOWER
    assert code_of(world, "elsewhere", 1) == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert code_of(world, "nowhere", 0) == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert world.replicas.not_hosted(bytes(16), 0).code == errors.UNKNOWN_TOPIC_ID


def test_added_partitions_are_opened(world: World) -> None:
    added = PartitionRecord(2, topic_id("t"), replicas=[1], isr=[1], leader=1, leader_epoch=0)
    world.change(added)
    assert world.replicas.partition("t", 2).is_leader
    assert world.replicas.take_woken() == {("t", 2)}


def test_partition_assigned_away_is_deleted(world: World) -> None:
    world.change(PartitionChangeRecord(0, topic_id("t"), replicas=[2], isr=[2], leader=2))
    assert code_of(world, "t", 0) == errors.NOT_LEADER_OR_FOLLOWER
    assert world.replicas.partition("t", 1).is_leader
    assert [name for name in log_directories(world.disk) if name.startswith("t-0")] == [
        name for name in log_directories(world.disk) if name.endswith("-delete")
    ]


def test_deleted_topic_is_gone_at_once_and_from_disk_later(world: World) -> None:
    partition = world.replicas.partition("t", 0)
    world.delete_topic("t")
    assert world.replicas.take_woken() == {("t", 0), ("t", 1)}
    assert (world.replicas.topics, world.replicas.topics_by_id) == ({}, {})
    assert partition.outcome(0, ACKS_ALL) == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert all(name.endswith("-delete") for name in log_directories(world.disk))


def test_topic_made_anew_has_an_empty_log(world: World) -> None:
    append(world)
    world.delete_topic("t")
    world.create_topic("t", incarnation=1)
    assert world.replicas.partition("t", 0).log.log_end_offset == 0
    assert append(world) == 0


def test_append_wakes_and_is_counted(world: World) -> None:
    append(world, index=1)
    assert world.replicas.take_woken() == {("t", 1)}
    assert world.replicas.take_woken() == set()
    total = TopicStatistics()
    total.add(world.replicas.topics["t"].statistics)
    total.add(world.replicas.topics["t"].statistics)
    assert (total.messages_in, total.bytes_in) == (2, 2 * len(batch()))


@pytest.mark.parametrize(
    ("bad", "code", "failed"),
    [
        (batch(producer_id=1, producer_epoch=0, base_sequence=9), errors.OUT_OF_ORDER_SEQUENCE_NUMBER, 1),
        (batch(bytes(2_000_000)), errors.MESSAGE_TOO_LARGE, 0),
    ],
)
def test_only_unexpected_failures_are_counted(world: World, bad: bytearray, code: int, failed: int) -> None:
    hosted = world.replicas.topics["t"]
    now_ms = world.clock.now_ms
    first = batch(producer_id=1, producer_epoch=0, base_sequence=0)
    world.replicas.append(hosted, hosted.partitions[0], memoryview(first), 1, now_ms)
    with pytest.raises(KafkaError) as caught:
        world.replicas.append(hosted, hosted.partitions[0], memoryview(bad), 1, now_ms)
    assert caught.value.code == code
    assert hosted.statistics.total_produce_requests == 2
    assert hosted.statistics.failed_produce_requests == failed


def test_coordinators_append_to_internal_topics(world: World) -> None:
    world.create_topic("__consumer_offsets", 2)
    info = world.replicas.append_internal("__consumer_offsets", 1, batch(), 0)
    partition = world.replicas.partition("__consumer_offsets", 1)
    assert partition.outcome(info.last_offset, ACKS_ALL) == errors.NONE
    with pytest.raises(KafkaError) as caught:
        world.replicas.append_internal("__consumer_offsets", 2, batch(), 0)
    assert caught.value.code == errors.UNKNOWN_TOPIC_OR_PARTITION


def test_changed_configs_reach_the_logs(world: World) -> None:
    world.change(
        ConfigRecord(2, "t", "max.message.bytes", "100"), ConfigRecord(2, "t", "min.insync.replicas", "2")
    )
    partition = world.replicas.partition("t", 1)
    assert partition.log.config.rules.max_message_bytes == 100
    assert partition.min_insync_replicas == 2


def test_changed_broker_defaults_reach_the_logs(world: World) -> None:
    config = world.services.config.with_dynamic({"message.max.bytes": "200"}, {})
    world.replicas.update_broker_config(config)
    assert world.replicas.partition("t", 0).log.config.rules.max_message_bytes == 200


def test_lowered_min_isr_commits_what_waited() -> None:
    world = World()
    world.create_topic("t", configs={"min.insync.replicas": "2"}, replicas=(1, 2), isr=(1,))
    append(world)
    world.replicas.take_woken()
    assert world.replicas.partition("t", 0).log.high_watermark == 0
    world.change(ConfigRecord(2, "t", "min.insync.replicas", "1"))
    assert world.replicas.partition("t", 0).log.high_watermark == 1
    assert world.replicas.take_woken() == {("t", 0)}


def restarted(world: World, image_of: World) -> World:
    """The world after a restart, under the image of another one."""
    world.directory.close(clean=True)
    return World(disk=world.disk, image=image_of.published.image)


def test_start_opens_what_the_image_assigns(world: World) -> None:
    append(world)
    again = restarted(world, world)
    partition = again.replicas.partition("t", 0)
    assert partition.is_leader
    assert (partition.log.log_end_offset, partition.log.high_watermark) == (1, 1)
    assert append(again) == 1


def test_start_sets_aside_what_nobody_knows(world: World) -> None:
    other = World()
    other.create_topic("t", incarnation=1)
    append(world)
    append(world, index=1)
    again = restarted(world, other)
    append(again)
    assert again.replicas.partition("t", 0).log.log_end_offset == 1
    assert [name for name in log_directories(world.disk) if "." not in name] == ["t-0"]
    assert sum(name.endswith("-stray") for name in log_directories(world.disk)) == 2
