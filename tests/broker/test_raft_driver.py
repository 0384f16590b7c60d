"""The metadata log: formatted, loaded, committed, published, snapshotted, and what a crash leaves of it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbroker.broker.producer_ids import BlockProducerIds
from kbroker.controller.result import ControllerResult
from kbroker.handlers.context import Pending
from kbroker.log.directory import LogDirectoryError
from kbroker.metadata.delta import MetadataDelta
from kbroker.metadata.image import MetadataImage
from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.metadata.snapshot import SnapshotId, read_checkpoint
from kbroker.protocol.errors import INVALID_TOPIC_EXCEPTION, NONE, TOPIC_ALREADY_EXISTS, KafkaError
from kbroker.protocol.generated.create_topics_response import CreateTopicsResponse
from kbroker.protocol.generated.describe_quorum_request import DescribeQuorumRequest, PartitionData, TopicData
from kbroker.protocol.generated.feature_level_record import FeatureLevelRecord
from kbroker.protocol.generated.register_broker_record import RegisterBrokerRecord
from kbroker.raft.election_state import ElectionState
from tests.broker.metadata_node import LOG, LOG_PATH, PATH, Node, SlowDisk, kafka_directory
from tests.fakes.disk import MemoryDisk, PowerFailureError


def codes(pending: Pending[CreateTopicsResponse]) -> list[int]:
    assert pending.value is not None
    return [topic.error_code for topic in pending.value.topics]


# Start and stop


def test_a_first_start_formats_the_directory() -> None:
    node = Node().start()
    disk = node.disk
    assert disk.exists(f"{PATH}/meta.properties")
    assert len(read_checkpoint(disk.read_bytes(f"{PATH}/bootstrap.checkpoint")).records) == 1
    assert ElectionState.decode(disk.read_bytes(f"{LOG_PATH}/quorum-state")) == ElectionState(1, 1)
    image = node.metadata.image
    assert image.features == {"metadata.version": 30}
    assert image.brokers[1].is_active
    assert image.brokers[1].epoch == node.metadata.broker_epoch == 4
    assert image.brokers[1].endpoints["PLAINTEXT"].port == 9092


def test_the_first_image_comes_once_and_whole() -> None:
    first = Node().start()
    first.create("a", partitions=3)
    node = Node(first.stop()).start()
    [(image, delta)] = node.images
    assert image is node.metadata.image
    topic = image.topics["a"]
    assert delta.changed_topics == {topic.id: {0, 1, 2}}


def test_a_clean_restart_moves_no_leader() -> None:
    first = Node().start()
    first.create("a")
    before = first.metadata.image.topics["a"]
    node = Node(first.stop()).start()
    assert node.metadata.image.topics["a"] == before
    assert node.metadata.image.epoch == 2


def test_a_restart_after_a_kill_opens_new_leader_epochs() -> None:
    first = Node().start()
    first.create("a")
    node = Node(first.kill()).start()
    partition = node.metadata.image.topics["a"].partitions[0]
    assert (partition.leader, partition.isr, partition.leader_epoch) == (1, (1,), 2)


def test_a_clean_stop_leaves_the_broker_fenced() -> None:
    node = Node().start()
    node.create("a")
    node.metadata.stop()
    assert node.metadata.image.brokers[1].fenced
    assert node.metadata.image.topics["a"].partitions[0].leader == 1


@pytest.mark.parametrize("clean", [True, False])
def test_a_directory_of_kafka_is_taken_over(clean: bool) -> None:
    log_bytes = None if clean else 2142
    node = Node(kafka_directory("static", log_bytes=log_bytes, clean=clean)).start()
    image = node.metadata.image
    assert node.topics == {"plain", "compacted"}
    for topic in image.topics.values():
        for partition in topic.partitions.values():
            assert (partition.leader, partition.isr, partition.elr) == (1, (1,), ())
            assert partition.last_known_elr == ()
    assert image.features["transaction.version"] == 2
    assert image.brokers[1].is_active
    assert codes(node.create("ours")) == [NONE]


def test_a_directory_that_the_formatting_tool_made_is_begun() -> None:
    node = Node(kafka_directory("static", log_bytes=0, clean=False)).start()
    image = node.metadata.image
    assert image.features["eligible.leader.replicas.version"] == 1
    assert image.default_broker_configs == {"min.insync.replicas": "1"}


@pytest.mark.parametrize("log_bytes", [0, None])
def test_a_dynamic_quorum_stays_one(log_bytes: int | None) -> None:
    disk = kafka_directory("standalone", log_bytes=log_bytes)
    if log_bytes == 0:
        disk.remove(f"{LOG_PATH}/quorum-state")
    node = Node(disk, metadata_log_max_record_bytes_between_snapshots="100").start()
    state = ElectionState.decode(disk.read_bytes(f"{LOG_PATH}/quorum-state"))
    assert state.leader_id == 1
    assert b'"data_version":1' in disk.read_bytes(f"{LOG_PATH}/quorum-state")
    node.create("a")
    node.timers.run()
    # Whoever begins with the snapshot must know the voters.
    [name] = [
        name
        for name in disk.list_directory(LOG_PATH)
        if name.endswith(".checkpoint") and name > "0" * 20 + "-1"
    ]
    assert len(read_checkpoint(disk.read_bytes(f"{LOG_PATH}/{name}")).quorum) == 2
    again = Node(node.kill()).start()
    assert again.metadata._quorum.voters.kraft_version == 1


def test_a_quorum_of_several_is_refused() -> None:
    disk = kafka_directory("standalone")
    properties = disk.read_bytes(f"{PATH}/meta.properties")
    other = properties.replace(b"directory.id=j", b"directory.id=k")
    disk.write_atomically(f"{PATH}/meta.properties", other)
    with pytest.raises(LogDirectoryError, match="single voter"):
        Node(disk).start()


def test_a_directory_of_a_newer_release_is_refused() -> None:
    node = Node().start()
    newer = ApiMessageAndVersion(FeatureLevelRecord("metadata.version", 99))
    node.metadata.submit(lambda controller, now_ms: ControllerResult([newer], None))
    with pytest.raises(LogDirectoryError, match="level 99"):
        Node(node.kill()).start()


# Operations


def test_an_answer_comes_after_its_image() -> None:
    node = Node(SlowDisk()).start()
    disk = node.disk
    assert isinstance(disk, SlowDisk)
    seen: list[set[str]] = []
    pending = node.create("a")
    pending.on_done(lambda _: seen.append(node.topics))
    assert not pending.done
    assert node.topics == set()
    disk.finish_one()
    assert codes(pending) == [NONE]
    assert seen == [{"a"}]


def test_what_comes_during_an_fsync_shares_the_next() -> None:
    node = Node(SlowDisk()).start()
    disk = node.disk
    assert isinstance(disk, SlowDisk)
    first = node.create("a")
    others = [node.create(name) for name in ("b", "c", "d")]
    disk.finish_one()
    assert first.done
    assert not any(pending.done for pending in others)
    disk.finish_one()
    assert [codes(pending) for pending in others] == [[NONE]] * 3
    assert not disk.offloaded
    assert [set(image.topics) for image, _ in node.images[1:]] == [
        {"a"},
        {"a", "b"},
        {"a", "b", "c"},
        set("abcd"),
    ]


def test_decisions_are_made_on_what_is_not_yet_committed() -> None:
    node = Node(SlowDisk()).start()
    disk = node.disk
    assert isinstance(disk, SlowDisk)
    first, second, third = node.create("a"), node.create("a"), node.create("b@d")
    # Refused because of a topic that may yet be lost: not said before it is safe.
    assert not second.done
    assert not third.done
    disk.finish_one()
    assert [codes(pending) for pending in (first, second, third)] == [
        [NONE],
        [TOPIC_ALREADY_EXISTS],
        [INVALID_TOPIC_EXCEPTION],
    ]
    assert codes(node.create("b@d")) == [INVALID_TOPIC_EXCEPTION]


def test_a_listener_may_submit() -> None:
    node = Node().start()
    follow_up: list[Pending[CreateTopicsResponse]] = []

    def on_image(image: MetadataImage, delta: MetadataDelta) -> None:
        if "b" not in image.topics:
            follow_up.append(node.create("b"))

    node.metadata._listeners.insert(0, on_image)
    node.create("a")
    assert codes(follow_up[0]) == [NONE]
    assert [set(image.topics) for image, _ in node.images[1:]] == [{"a"}, {"a", "b"}]


def test_a_failed_fsync_is_never_reported_as_done() -> None:
    node = Node().start()
    disk = node.disk

    def fail(operation: str, path: str) -> None:
        if operation == "sync":
            raise OSError(5, "Input/output error")

    disk.on_write = fail
    pending = node.create("a")
    assert not pending.done
    assert node.topics == set()
    assert node.directory.offline_because is not None
    with pytest.raises(KafkaError):
        node.create("b")


def test_a_full_disk_refuses_one_change_and_no_more() -> None:
    node = Node().start()

    def full(operation: str, path: str) -> None:
        node.disk.on_write = None
        raise OSError(28, "No space left on device")

    node.disk.on_write = full
    with pytest.raises(KafkaError):
        node.create("a")
    assert codes(node.create("a")) == [NONE]
    assert Node(node.kill()).start().topics == {"a"}


def test_the_quorum_is_described() -> None:
    node = Node().start()
    request = DescribeQuorumRequest([TopicData("__cluster_metadata", [PartitionData(0)])])
    [partition] = node.metadata.describe_quorum(request).topics[0].partitions
    assert partition.high_watermark == node.metadata.image.offset + 1
    assert partition.leader_id == 1


def test_brokers_that_cannot_be_heard_of_are_fenced() -> None:
    node = Node().start()
    other = RegisterBrokerRecord(2, broker_epoch=1, fenced=False)
    node.metadata.submit(lambda controller, now_ms: ControllerResult([ApiMessageAndVersion(other, 4)], None))
    again = Node(node.kill()).start()
    assert again.metadata.image.brokers[2].is_active
    for _ in range(20):
        again.clock.advance(1_000)
        if again.timers.calls:
            again.timers.calls.popleft()[1]()
    assert again.metadata.image.brokers[2].fenced
    assert not again.timers.calls


# Crashes


@pytest.mark.parametrize("seed", range(3))
def test_power_may_fail_at_any_write(seed: int) -> None:
    """After each possible crash: it starts again, and what was acknowledged is there."""
    writes = _writes_of_a_life(None)
    for power_off_at in range(1, writes + 1):
        disk = MemoryDisk()
        acknowledged = _live(disk, power_off_at)
        disk.crash(Random(seed * 1_000 + power_off_at))
        node = Node(disk, seed=1).start()
        assert acknowledged <= node.topics, power_off_at
        assert codes(node.create("after")) == [NONE]
        for topic in node.metadata.image.topics.values():
            assert topic.partitions[0].leader == 1


@pytest.mark.parametrize("seed", range(10))
def test_a_formatted_directory_keeps_what_its_first_start_committed(seed: int) -> None:
    formatted = kafka_directory("static")
    disk = MemoryDisk()
    disk.make_directory(PATH)
    disk.sync_directory("/")
    for name in ("meta.properties", "bootstrap.checkpoint"):
        disk.write_atomically(f"{PATH}/{name}", formatted.read_bytes(f"{PATH}/{name}"))
    assert codes(Node(disk).start().create("a")) == [NONE]
    disk.crash(Random(seed))
    assert Node(disk).start().topics == {"a"}


@given(st.integers(0, 3783), st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_a_damaged_log_is_cut_and_gone_on_with(position: int, flip: int) -> None:
    disk = kafka_directory("static")
    disk.remove(f"{PATH}/.kafka_cleanshutdown")
    disk.corrupt(LOG, position, flip)
    node = Node(disk).start()
    assert codes(node.create("after")) == [NONE]


def _writes_of_a_life(power_off_at: int | None) -> int:
    disk = MemoryDisk()
    _live(disk, power_off_at)
    return disk.writes


def _live(disk: MemoryDisk, power_off_at: int | None) -> set[str]:
    """Two starts with some topics each; the names that were acknowledged."""
    disk.power_off_at = power_off_at
    acknowledged: set[str] = set()
    try:
        for life in range(2):
            node = Node(disk, seed=life, metadata_log_max_record_bytes_between_snapshots="300").start()
            for number in range(3):
                name = f"t{life}-{number}"
                node.create(name).on_done(lambda _, name=name: acknowledged.add(name))  # type: ignore[misc]
                node.timers.run()
            if life == 0:
                node.stop()
    except (PowerFailureError, KafkaError):
        pass
    return acknowledged


# Snapshots


def test_snapshots_are_written_and_started_from() -> None:
    node = Node(metadata_log_max_record_bytes_between_snapshots="2000").start()
    for number in range(40):
        node.create(f"t{number}")
        node.timers.run()
    names = [name for name in node.disk.list_directory(LOG_PATH) if SnapshotId.of_file(name)]
    assert 1 < len(names) < 10
    topics = node.metadata.image.topics
    again = Node(node.stop()).start()
    assert again.metadata.image.topics == topics


def test_a_snapshot_is_written_in_slices() -> None:
    node = Node(SlowDisk(), metadata_log_max_record_bytes_between_snapshots="100000").start()
    disk = node.disk
    assert isinstance(disk, SlowDisk)
    pending = node.create("wide", partitions=3000)
    disk.finish_one()
    assert pending.done
    # Header, three batches of data, footer; the loop runs in between.
    assert len(node.timers.calls) == 1
    node.create("meanwhile")
    node.timers.run()
    while disk.offloaded:
        disk.finish_one()
    [name] = [name for name in disk.list_directory(LOG_PATH) if SnapshotId.of_file(name)]
    snapshot_id = SnapshotId.of_file(name)
    assert snapshot_id is not None
    assert set(read_checkpoint(disk.read_bytes(f"{LOG_PATH}/{name}")).image(snapshot_id).topics) == {"wide"}


def test_old_snapshots_and_the_log_before_them_go() -> None:
    node = Node(
        metadata_log_max_record_bytes_between_snapshots="2000", metadata_max_retention_bytes="9000"
    ).start()
    for number in range(40):
        node.create(f"t{number}")
        node.timers.run()
    snapshots = sorted(filter(None, map(SnapshotId.of_file, node.disk.list_directory(LOG_PATH))))
    assert node.metadata._log.log_start_offset == snapshots[0].end_offset > 0
    assert Node(node.stop()).start().topics == {f"t{number}" for number in range(40)}


def test_a_bad_snapshot_costs_time_and_nothing_else() -> None:
    node = Node(metadata_log_max_record_bytes_between_snapshots="2000").start()
    for number in range(40):
        node.create(f"t{number}")
        node.timers.run()
    names = [name for name in node.disk.list_directory(LOG_PATH) if SnapshotId.of_file(name)]
    disk = node.stop()
    for name in names[1:]:
        disk.corrupt(f"{LOG_PATH}/{name}", 100, 1)
    assert len(Node(disk.copy()).start().topics) == 40
    disk.corrupt(f"{LOG_PATH}/{names[0]}", 100, 1)
    assert len(Node(disk).start().topics) == 40


def test_snapshots_come_by_time_as_well() -> None:
    node = Node().start()
    node.clock.advance(3_600_000)
    node.create("a")
    node.timers.run()
    assert any(SnapshotId.of_file(name) for name in node.disk.list_directory(LOG_PATH))


# Producer ids


def test_producer_ids_come_in_blocks() -> None:
    node = Node(SlowDisk()).start()
    disk = node.disk
    assert isinstance(disk, SlowDisk)
    ids = BlockProducerIds(node.metadata, 1)
    waiting = [ids.next() for _ in range(3)]
    assert all(isinstance(pending, Pending) and not pending.done for pending in waiting)
    disk.finish_one()
    assert [pending.value for pending in waiting if isinstance(pending, Pending)] == [0, 1, 2]
    assert [ids.next() for _ in range(3, 900)] == list(range(3, 900))
    # The next block is already on its way.
    assert not disk.offloaded
    assert ids.next() == 900
    assert len(disk.offloaded) == 1
    disk.finish_one()
    assert [ids.next() for _ in range(901, 1100)] == list(range(901, 1100))


def test_producer_ids_are_never_handed_out_twice() -> None:
    node = Node().start()
    ids = BlockProducerIds(node.metadata, 1)
    pending = ids.next()
    assert isinstance(pending, Pending)
    assert pending.value == 0
    again = BlockProducerIds(Node(node.kill()).start().metadata, 1).next()
    assert isinstance(again, Pending)
    assert again.value == 1000
