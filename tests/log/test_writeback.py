"""When appended bytes begin to be written, and which are left alone."""

import errno

import pytest

from kbroker.log.config import LogConfig
from kbroker.log.directory import LogDirectory
from kbroker.log.partition_log import PartitionLog
from kbroker.log.writeback import Writeback
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment
from tests.handlers.support import DeferringDisk
from tests.log.support import TOPIC_ID, append, new_log

RANGE = 16 << 20


def fill(log: PartitionLog, ranges: int) -> None:
    """Batches of a size that 33 make a range, with some bytes more."""
    for _ in range(ranges * 33):
        append(log, bytes(1 << 19))


def log_on(disk: MemoryDisk, allowed: int) -> tuple[PartitionLog, LogDirectory]:
    disk.unwritten_allowed = allowed
    log, directory, _ = new_log(None, make_environment(disk))
    return log, directory


def test_what_is_allowed_is_left_alone() -> None:
    disk = MemoryDisk()
    log, _ = log_on(disk, 3 * RANGE)
    fill(log, 2)
    assert not disk.writebacks
    # The third is a little more than a range: the oldest goes.
    fill(log, 1)
    length = disk.writebacks[0][2]
    assert length >= RANGE
    assert disk.writebacks == [(log.segments.active.path, 0, length)]
    fill(log, 1)
    assert [position for _, position, _ in disk.writebacks] == [0, length]


def test_the_oldest_of_all_logs_go_first() -> None:
    disk = MemoryDisk()
    log, directory = log_on(disk, 5 * RANGE // 2)
    other = directory.create("other", 0, TOPIC_ID, LogConfig())
    fill(log, 1)
    fill(other, 2)
    fill(log, 1)
    assert [path for path, _, _ in disk.writebacks] == [log.segments.active.path, other.segments.active.path]


def test_one_thread_writes_at_a_time() -> None:
    disk = DeferringDisk()
    log, _ = log_on(disk, 0)
    fill(log, 3)
    assert len(disk.offloaded) == 1
    disk.run_offloaded()
    assert len(disk.writebacks) == 1
    disk.run_offloaded()
    length = disk.writebacks[0][2]
    assert [position for _, position, _ in disk.writebacks] == [0, length, 2 * length]
    assert not disk.offloaded


def test_what_was_removed_is_neither_written_nor_kept() -> None:
    disk = MemoryDisk()
    log, directory = log_on(disk, 5 * RANGE // 2)
    fill(log, 2)
    directory.delete(log)
    other = directory.create("other", 0, TOPIC_ID, LogConfig())
    fill(other, 2)
    assert not disk.writebacks
    fill(other, 1)
    assert [path for path, _, _ in disk.writebacks] == [other.segments.active.path]


def test_a_failure_is_told() -> None:
    disk = DeferringDisk()
    told: list[OSError] = []
    writeback = Writeback(disk, told.append)
    file = disk.open("/file", create=True)
    writeback.add(file, 0, 1)
    (_, done) = disk.offloaded.pop()
    done(OSError(errno.EIO, "injected"))
    assert [error.errno for error in told] == [errno.EIO]
    writeback.add(file, 1, 1)
    (_, done) = disk.offloaded.pop()
    with pytest.raises(ValueError, match="ours"):
        done(ValueError("ours"))
