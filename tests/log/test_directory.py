"""The log directory: whose it is, what is refused, what a stop and a start leave."""

import pytest

from kbroker.log.config import LogConfig
from kbroker.log.directory import LogDirectory, LogDirectoryError, parse_directory_name
from kbroker.protocol.primitives import METADATA_TOPIC_ID, uuid_to_text
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment
from tests.log.support import NOW_MS, PATH, TOPIC_ID, append, new_log, open_directory, pump, reopen


def refused(disk: MemoryDisk, node_id: int = 1, cluster_id: str | None = None) -> str:
    before = {path: disk.read_bytes(path) for path in disk.files()}
    with pytest.raises(LogDirectoryError) as caught:
        LogDirectory.open(make_environment(disk), PATH, node_id=node_id, cluster_id=cluster_id)
    assert {path: disk.read_bytes(path) for path in disk.files()} == before
    message = str(caught.value)
    assert PATH in message
    assert message.endswith(".")
    assert "\n" not in message
    return message


def closed_disk() -> MemoryDisk:
    directory = open_directory(make_environment())
    directory.close(clean=True)
    disk = directory._disk
    assert isinstance(disk, MemoryDisk)
    return disk


def test_a_new_directory_gets_an_identity_that_it_keeps() -> None:
    environment = make_environment()
    directory = LogDirectory.open(environment, PATH, node_id=7, cluster_id="my-cluster")
    assert directory.is_new
    assert not environment.disk.exists(f"{PATH}/meta.properties")
    directory.load(lambda topic: LogConfig())
    directory.close(clean=True, broker_epoch=12)
    again = LogDirectory.open(environment, PATH, node_id=7)
    assert (again.is_new, again.was_clean, again.clean_broker_epoch) == (False, True, 12)
    assert (again.cluster_id, again.node_id) == ("my-cluster", 7)
    assert again.directory_id == directory.directory_id
    assert len(directory.directory_id) == 22
    assert environment.disk.read_bytes(f"{PATH}/.kafka_cleanshutdown") == b'{"version":0,"brokerEpoch":12}'


def test_opening_touches_nothing_but_the_lock() -> None:
    disk = closed_disk()
    before = disk.files()
    directory = LogDirectory.open(make_environment(disk), PATH, node_id=1)
    assert disk.files() == before
    # Not even a stop makes it forget that the last one was clean.
    directory.close(clean=False)
    assert disk.files() == before


def test_a_damaged_identity() -> None:
    disk = closed_disk()
    path = f"{PATH}/meta.properties"
    whole = disk.read_bytes(path)
    position = whole.index(b"directory.id=") + len(b"directory.id=")
    disk.corrupt(path, position + 3, 0x80)
    assert "bad directory.id" in refused(disk)


def test_a_foreign_directory() -> None:
    disk = MemoryDisk()
    disk.make_directory(f"{PATH}/holiday")
    assert "holiday" in refused(disk)


def test_an_empty_mounted_volume_is_not_foreign() -> None:
    disk = MemoryDisk()
    disk.make_directory(f"{PATH}/lost+found")
    assert LogDirectory.open(make_environment(disk), PATH, node_id=1).is_new


def test_another_node_or_cluster() -> None:
    disk = closed_disk()
    assert "node 1" in refused(disk, node_id=2)
    assert "another" in refused(disk, cluster_id="another")


def test_a_newer_version() -> None:
    disk = closed_disk()
    path = f"{PATH}/meta.properties"
    disk.write_atomically(path, disk.read_bytes(path).replace(b"version=1", b"version=2"))
    assert "version 2" in refused(disk)


@pytest.mark.parametrize("key", ["cluster.id", "node.id", "directory.id"])
def test_an_identity_with_a_hole(key: str) -> None:
    disk = closed_disk()
    path = f"{PATH}/meta.properties"
    lines = [line for line in disk.read_bytes(path).splitlines() if not line.startswith(key.encode())]
    disk.write_atomically(path, b"\n".join(lines))
    assert key in refused(disk)


def test_a_directory_in_use() -> None:
    environment = make_environment()
    open_directory(environment)
    with pytest.raises(LogDirectoryError, match="in use"):
        LogDirectory.open(environment, PATH, node_id=1)


def test_an_unwritable_directory() -> None:
    disk = MemoryDisk()

    def refuse(operation: str, path: str) -> None:
        raise PermissionError(13, "Permission denied")

    disk.on_write = refuse
    assert "Permission denied" in refused(disk)


def test_partitions_are_created_found_and_deleted() -> None:
    environment = make_environment()
    directory = open_directory(environment)
    config = LogConfig(file_delete_delay_ms=1000)
    log = directory.create("a-b", 3, TOPIC_ID, config)
    append(log, b"a")
    metadata = environment.disk.read_bytes(f"{PATH}/a-b-3/partition.metadata")
    assert metadata == f"version: 0\ntopic_id: {uuid_to_text(TOPIC_ID)}".encode()
    directory.delete(log)
    (aside,) = [name for name in environment.disk.list_directory(PATH) if name.endswith("-delete")]
    assert aside.startswith("a-b-3.")
    assert directory.logs == {}
    # The same topic may come back before its bytes are gone.
    append(directory.create("a-b", 3, bytes(16), config), b"b")
    pump(directory, NOW_MS + 999)
    assert environment.disk.exists(f"{PATH}/{aside}")
    pump(directory, NOW_MS + 1000)
    assert not environment.disk.exists(f"{PATH}/{aside}")
    directory.close(clean=True)
    assert list(open_directory(environment).logs) == [("a-b", 3)]


def test_a_recreated_partition_inherits_no_checkpoint() -> None:
    environment = make_environment()
    directory = open_directory(environment)
    for index in range(3):
        append(directory.logs.get(("t", 0)) or directory.create("t", 0, TOPIC_ID, LogConfig()), b"%d" % index)
    directory.logs["t", 0].set_log_start_offset(2, NOW_MS)
    directory.close(clean=True)
    directory = open_directory(environment)
    directory.delete(directory.logs["t", 0])
    log = directory.create("t", 0, TOPIC_ID, LogConfig())
    assert (log.log_start_offset, log.log_end_offset, log.high_watermark) == (0, 0, 0)


def test_an_interrupted_deletion_is_finished() -> None:
    environment = make_environment()
    directory = open_directory(environment)
    directory.delete(directory.create("t", 0, TOPIC_ID, LogConfig()))
    disk = environment.disk
    assert isinstance(disk, MemoryDisk)
    disk.kill()
    directory = open_directory(environment)
    assert directory.logs == {}
    pump(directory)
    assert not [name for name in disk.list_directory(PATH) if name.endswith("-delete")]


def test_strays_keep_their_bytes() -> None:
    log, directory, disk = new_log()
    append(log, b"a")
    directory.mark_stray(log)
    assert directory.logs == {}
    disk.kill()
    directory = open_directory(make_environment(disk))
    assert directory.logs == {}
    (stray,) = [name for name in disk.list_directory(PATH) if name.endswith("-stray")]
    assert disk.size(f"{PATH}/{stray}/{0:020d}.log") > 0


def test_a_log_without_its_topics_id_is_set_aside() -> None:
    log, directory, disk = new_log()
    append(log, b"a")
    directory.close(clean=True)
    for content in (b"", b"version: 0\ntopic_id: nonsense!", b"\xff\xfe"):
        copy = disk.copy()
        copy.write_atomically(f"{PATH}/topic-0/partition.metadata", content)
        assert open_directory(make_environment(copy)).logs == {}
        assert [name for name in copy.list_directory(PATH) if name.endswith("-stray")]


def test_long_names_fit() -> None:
    directory = open_directory(make_environment())
    log = directory.create("x" * 249, 0, TOPIC_ID, LogConfig())
    append(log, b"a")
    directory.delete(log)
    names = directory._disk.list_directory(PATH)
    assert max(map(len, names)) == 255


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("topic-0", ("topic", 0)),
        ("a-b-12", ("a-b", 12)),
        ("-0", None),
        ("topic", None),
        ("topic-", None),
        ("topic-x", None),
        ("topic-\u0663", None),
    ],
)
def test_directory_names(name: str, expected: tuple[str, int] | None) -> None:
    assert parse_directory_name(name) == expected


def test_checkpoints_come_back() -> None:
    environment = make_environment()
    log, directory, disk = new_log(None, environment)
    for _ in range(5):
        append(log, b"a")
    log.commit(3)
    log.set_log_start_offset(2, NOW_MS)
    directory.checkpoint_high_watermarks()
    directory.checkpoint_log_starts()
    directory.checkpoint_recovery_points()
    pump(directory)
    assert disk.read_bytes(f"{PATH}/replication-offset-checkpoint") == b"0\n1\ntopic 0 3\n"
    assert disk.read_bytes(f"{PATH}/log-start-offset-checkpoint") == b"0\n1\ntopic 0 2\n"
    assert disk.read_bytes(f"{PATH}/recovery-point-offset-checkpoint") == b"0\n0\n"
    disk.kill()
    log, directory = reopen(environment)
    assert (log.log_start_offset, log.high_watermark, log.log_end_offset) == (2, 3, 5)
    # What has not changed is not written again.
    directory.checkpoint_high_watermarks()
    pump(directory)
    before = disk.writes
    directory.checkpoint_high_watermarks()
    pump(directory)
    assert disk.writes == before


def test_recovery_tells_how_far_it_is() -> None:
    environment = make_environment()
    directory = open_directory(environment)
    for index in range(3):
        log = directory.create("t", index, TOPIC_ID, LogConfig(segment_bytes=300))
        for _ in range(6):
            append(log, b"x" * 100)
    disk = environment.disk
    assert isinstance(disk, MemoryDisk)
    disk.kill()
    heard: list[tuple[int, int]] = []
    directory = LogDirectory.open(environment, PATH, node_id=1)
    directory.load(lambda topic: LogConfig(), lambda done, total: heard.append((done, total)))
    total = sum(log.size_bytes for log in directory.logs.values())
    assert heard[-1] == (total, total)
    assert heard == sorted(heard)


def test_the_metadata_log_stands_apart() -> None:
    environment = make_environment()
    directory = LogDirectory.open(environment, PATH, node_id=1)
    metadata = directory.open_metadata_log(LogConfig())
    directory.load(lambda topic: LogConfig())
    assert metadata.topic_id == METADATA_TOPIC_ID
    assert directory.logs == {}
    append(metadata, b"a")
    directory.close(clean=True)
    assert b"__cluster_metadata" not in environment.disk.read_bytes(
        f"{PATH}/recovery-point-offset-checkpoint"
    )
    directory = LogDirectory.open(environment, PATH, node_id=1)
    assert directory.open_metadata_log(LogConfig()).log_end_offset == 1
    directory.load(lambda topic: LogConfig())
    assert directory.logs == {}


def test_strangers_beside_the_logs_are_left_alone() -> None:
    log, directory, disk = new_log()
    append(log, b"a")
    directory.close(clean=True)
    disk.kill()
    for name in ("notes.txt", "cleaner-offset-checkpoint"):
        disk.write_atomically(f"{PATH}/{name}", b"0\n0\n")
    disk.make_directory(f"{PATH}/topic-1.0123456789abcdef0123456789abcdef-future")
    again = open_directory(make_environment(disk))
    again.close(clean=True)
    assert list(again.logs) == [("topic", 0)]
    assert disk.read_bytes(f"{PATH}/cleaner-offset-checkpoint") == b"0\n0\n"
    assert disk.exists(f"{PATH}/topic-1.0123456789abcdef0123456789abcdef-future")
