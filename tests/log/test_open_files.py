"""Segments' files are opened when needed, and only so many at once."""

import os
from pathlib import Path

from kbroker.broker.system import OsDisk, SystemClock, SystemRandom
from kbroker.environment import Environment
from kbroker.log.config import LogConfig
from kbroker.log.directory import LogDirectory
from kbroker.log.partition_log import PartitionLog
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment
from tests.log.support import LOG_PATH, PATH, TOPIC_ID, append, new_log, open_directory, pump, read_all


class SmallDisk(OsDisk):
    """A process that may have eight files open: four of them are the logs'."""

    def max_files(self) -> int:
        return 8


def logs_on(path: Path, count: int) -> tuple[LogDirectory, list[PartitionLog]]:
    disk = SmallDisk(lambda work, done: work())
    directory = LogDirectory.open(Environment(SystemClock(), SystemRandom(), disk), str(path), node_id=1)
    directory.load(lambda topic: LogConfig())
    return directory, [directory.create("t", index, TOPIC_ID, LogConfig()) for index in range(count)]


def open_logs() -> int:
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{fd}").endswith(".log")
        except FileNotFoundError:
            # The descriptor that listed them.
            continue
    return count


def calls_of(disk: MemoryDisk) -> list[tuple[str, str]]:
    """What changes the disk from now on."""
    calls: list[tuple[str, str]] = []
    disk.on_write = lambda operation, path: calls.append((operation, path))
    return calls


def test_only_so_many_stay_open(tmp_path: Path) -> None:
    before = open_logs()
    directory, logs = logs_on(tmp_path, 10)
    for value in (b"a", b"b"):
        for log in logs:
            append(log, value)
            assert open_logs() - before <= 4
    assert all(len(read_all(log)) == 2 for log in logs)
    assert open_logs() - before <= 4
    directory.close(clean=True)
    assert open_logs() == before


def test_a_read_under_way_keeps_its_file(tmp_path: Path) -> None:
    directory, logs = logs_on(tmp_path, 6)
    append(logs[0], b"the first")
    region = logs[0].read(0, 1 << 20, 1)
    assert region is not None
    number = os.fstat(region.file.fileno()).st_ino
    for log in logs[1:]:
        append(log, b"another")
    assert os.fstat(region.file.fileno()).st_ino == number
    assert b"the first" in region.file.pread(region.length, region.position)
    directory.close(clean=True)


def test_without_all_files_open_a_clean_stop_asks_the_volume_itself() -> None:
    """A write-out may have failed while nobody had the file open: the directory's lock knows."""
    environment = make_environment()
    disk = environment.disk
    assert isinstance(disk, MemoryDisk)
    disk.files_allowed = 2
    directory = open_directory(environment)
    logs = [directory.create("t", index, TOPIC_ID, LogConfig()) for index in range(2)]
    append(logs[0], b"a")
    append(logs[1], b"b")
    calls = calls_of(disk)
    directory.close(clean=True)
    assert ("sync", PATH) in calls
    assert not any(operation == "sync" and path.endswith(".log") for operation, path in calls)


def test_a_log_has_its_directory_from_the_first_record_on() -> None:
    log, directory, disk = new_log()
    assert not disk.exists(LOG_PATH)
    append(log, b"a")
    assert disk.list_directory(LOG_PATH) == [f"{0:020d}.log", "partition.metadata"]
    assert directory.logs


def test_a_log_without_records_leaves_nothing_behind() -> None:
    log, directory, disk = new_log()
    before = disk.list_directory(PATH)
    directory.delete(log)
    assert disk.list_directory(PATH) == before
    again = directory.create("topic", 0, TOPIC_ID, LogConfig())
    assert append(again, b"a").first_offset == 0


def test_checkpoints_forget_a_deleted_log_soon() -> None:
    log, directory, disk = new_log()
    append(log, b"a")
    directory.checkpoint_high_watermarks()
    pump(directory)
    directory.delete(log)
    pump(directory)
    assert disk.read_bytes(f"{PATH}/replication-offset-checkpoint") == b"0\n0\n"
    # So the namesake's first record does not have to wait for it.
    again = directory.create("topic", 0, TOPIC_ID, LogConfig())
    calls = calls_of(disk)
    append(again, b"b")
    assert not any("checkpoint" in path for _, path in calls)
