"""The real disk against the promises of `environment`: files, locks, durability calls."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kbroker.broker.system import OsDisk, SystemClock, SystemRandom
from kbroker.environment import Disk, Environment
from kbroker.log.config import LogConfig
from kbroker.log.directory import LogDirectory, LogDirectoryError
from kbroker.records.batch import batch_crc_ok
from tests.log.support import append, read_all


def inline(work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
    work()
    done(None)


@pytest.fixture
def disk() -> Disk:
    return OsDisk(inline)


def test_append_read_truncate(disk: Disk, tmp_path: Path) -> None:
    path = f"{tmp_path}/file"
    with pytest.raises(FileNotFoundError):
        disk.open(path)
    file = disk.open(path, create=True)
    file.append(b"hello ")
    file.append(memoryview(b"brave "))
    file.appendv([b"new ", bytearray(b"world")])
    assert file.pread(100, 6) == b"brave new world"
    assert file.pread(5, 0) == b"hello"
    file.truncate(6)
    file.append(b"again")
    file.pwrite(b"J", 0)
    file.sync()
    file.start_writeback(0, 5)
    assert disk.read_bytes(path) == b"Jello again"
    assert file.size() == disk.size(path) == 11
    assert disk.modified_ms(path) > 1_600_000_000_000
    # Opened again, it is still written at its end.
    disk.open(path).append(b"!")
    assert disk.read_bytes(path) == b"Jello again!"


def test_a_file_in_use_survives_close_and_removal(disk: Disk, tmp_path: Path) -> None:
    file = disk.open(f"{tmp_path}/file", create=True)
    file.append(b"content")
    descriptor = file.fileno()
    file.close()
    disk.remove(f"{tmp_path}/file")
    assert os.pread(descriptor, 10, 0) == b"content"
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_names(disk: Disk, tmp_path: Path) -> None:
    disk.make_directory(f"{tmp_path}/a/b")
    disk.make_directory(f"{tmp_path}/a/b")
    disk.write_atomically(f"{tmp_path}/a/file", b"one")
    disk.write_atomically(f"{tmp_path}/a/file", b"two")
    assert disk.list_directory(f"{tmp_path}/a") == ["b", "file"]
    assert disk.read_bytes(f"{tmp_path}/a/file") == b"two"
    disk.rename(f"{tmp_path}/a/file", f"{tmp_path}/a/other")
    assert disk.exists(f"{tmp_path}/a/other")
    disk.sync_directory(f"{tmp_path}/a")
    disk.remove(f"{tmp_path}/a/other")
    disk.remove(f"{tmp_path}/a/other")
    disk.remove_tree(f"{tmp_path}/a")
    assert not disk.exists(f"{tmp_path}/a")
    total, usable = disk.space(str(tmp_path))
    assert 0 < usable <= total


def test_the_lock_excludes_other_processes_by_record_lock(disk: Disk, tmp_path: Path) -> None:
    """What the JVM takes: `fcntl.lockf` on the whole file."""
    unlock = disk.lock(f"{tmp_path}/.lock")
    assert unlock is not None
    disk.sync_all(str(tmp_path))
    attempt = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"

    def other_process_gets_it() -> bool:
        command = [sys.executable, "-c", attempt, f"{tmp_path}/.lock"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert not other_process_gets_it()
    unlock()
    assert other_process_gets_it()


def test_a_lock_held_elsewhere(disk: Disk, tmp_path: Path) -> None:
    hold = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, f"{tmp_path}/.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        environment = Environment(SystemClock(), SystemRandom(), disk)
        with pytest.raises(LogDirectoryError, match="in use"):
            LogDirectory.open(environment, str(tmp_path), node_id=1)
        holder.communicate()


def test_clock_and_random() -> None:
    clock, random = SystemClock(), SystemRandom()
    assert clock.wall_ms() > 1_600_000_000_000
    assert clock.monotonic_ms() <= clock.monotonic_ms()
    uuid = random.uuid()
    assert (len(uuid), uuid[6] >> 4, uuid[8] >> 6) == (16, 4, 2)
    assert random.uuid() != uuid
    assert {random.below(3) for _ in range(200)} == {0, 1, 2}


def test_a_log_lives_on_the_real_disk(disk: Disk, tmp_path: Path) -> None:
    environment = Environment(SystemClock(), SystemRandom(), disk)
    config = LogConfig(segment_bytes=2000, index_interval_bytes=100)
    directory = LogDirectory.open(environment, str(tmp_path), node_id=1)
    directory.load(lambda topic: config)
    log = directory.create("t", 0, bytes(16), config)
    for index in range(60):
        append(log, b"value %d" % index * 10, now_ms=environment.clock.wall_ms())
    directory.close(clean=True)
    directory = LogDirectory.open(environment, str(tmp_path), node_id=1)
    assert directory.was_clean
    directory.load(lambda topic: config)
    batches = read_all(directory.logs["t", 0], max_bytes=500)
    assert len(batches) == 60
    assert all(map(batch_crc_ok, batches))
    directory.close(clean=False)
