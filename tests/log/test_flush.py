"""Durability: what a flush covers, what waits for it, and failures that stay failures."""

import errno

import pytest

from kbroker.log.config import LogConfig
from kbroker.log.partition_log import PartitionLog
from kbroker.protocol.errors import KAFKA_STORAGE_ERROR, KafkaError
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment
from tests.log.support import (
    LOG_PATH,
    NOW_MS,
    PATH,
    TOPIC_ID,
    append,
    new_log,
    open_directory,
    pump,
    read_all,
    reopen,
)


def fail(
    disk: MemoryDisk, operation: str, code: int = errno.EIO, times: int = 1, path_part: str = ""
) -> None:
    remaining = [times]

    def on_write(seen: str, path: str) -> None:
        if seen == operation and path_part in path and remaining[0] > 0:
            remaining[0] -= 1
            raise OSError(code, "injected")

    disk.on_write = on_write


def storage_error(log: PartitionLog) -> None:
    with pytest.raises(KafkaError) as caught:
        append(log, b"value")
    assert caught.value.code == KAFKA_STORAGE_ERROR


def test_nothing_is_flushed_by_default() -> None:
    log, directory, _ = new_log()
    append(log, b"a")
    assert log.high_watermark_limit == log.log_end_offset
    assert directory.take_flush_requests() == []
    assert log.flushed_offset == 0
    assert log.high_watermark == 1


def test_flush_messages_hold_the_high_watermark_back() -> None:
    log, directory, _ = new_log(LogConfig(flush_messages=3))
    append(log, b"a", b"b")
    assert log.high_watermark == 2
    append(log, b"c")
    assert log.high_watermark_limit < log.log_end_offset
    assert log.high_watermark == 2
    # What comes while the flush is due waits for the next one, if that is due then.
    append(log, b"d")
    assert log.high_watermark_limit == 2
    pump(directory)
    assert log.flushed_offset == log.high_watermark_limit == 4


def test_appends_during_a_flush_wait_for_the_next() -> None:
    log, directory, _ = new_log(LogConfig(flush_messages=1))
    append(log, b"a")
    (requested,) = directory.take_flush_requests()
    flush = requested.begin_flush(NOW_MS)
    assert flush is not None
    append(log, b"b")
    assert log.begin_flush(NOW_MS) is None
    flush.work()
    flush.done(None)
    assert (log.flushed_offset, log.high_watermark_limit) == (1, 1)
    pump(directory)
    assert (log.flushed_offset, log.high_watermark_limit) == (2, 2)


def test_a_truncation_during_a_flush_takes_back_what_it_made_durable() -> None:
    log, _, _ = new_log(LogConfig(flush_messages=1))
    append(log, b"a")
    append(log, b"b")
    flush = log.begin_flush(NOW_MS)
    assert flush is not None
    flush.work()
    log.truncate_to(1, NOW_MS)
    append(log, b"c")
    flush.done(None)
    assert log.flushed_offset == 1


def test_flush_ms() -> None:
    log, _, _ = new_log(LogConfig(flush_ms=1000))
    assert not log.flush_due(NOW_MS + 5000)
    append(log, b"a")
    assert not log.flush_due(NOW_MS + 999)
    assert log.flush_due(NOW_MS + 1000)
    log.flush(NOW_MS + 1000)
    append(log, b"b")
    assert not log.flush_due(NOW_MS + 1999)
    assert log.flush_due(NOW_MS + 2000)


def test_rolling_asks_for_a_flush_but_nothing_waits_for_it() -> None:
    log, directory, _ = new_log(LogConfig(segment_bytes=200))
    for _ in range(3):
        append(log, b"x" * 50)
        assert log.high_watermark_limit == log.log_end_offset
    assert log.high_watermark == 3
    pump(directory)
    assert log.flushed_offset == 3


def test_a_failed_fsync_is_never_retried() -> None:
    log, directory, disk = new_log(LogConfig(flush_messages=1))
    other = directory.create("other", 0, TOPIC_ID, LogConfig())
    append(other, b"fine")
    append(log, b"a")
    fail(disk, "sync")
    pump(directory)
    assert log.high_watermark_limit == 0
    assert directory.offline_because is not None
    for each in (log, other):
        assert each.offline
        storage_error(each)
        with pytest.raises(KafkaError):
            each.read(0, 100, 1)
        assert each.begin_flush(NOW_MS) is None
        assert each.delete_old_segments(NOW_MS) == 0
    # It does not end as if all were well.
    directory.close(clean=True)
    assert not disk.exists(f"{PATH}/.kafka_cleanshutdown")


def test_a_failed_write_takes_the_directory_offline() -> None:
    log, directory, disk = new_log()
    append(log, b"a")
    fail(disk, "write")
    storage_error(log)
    assert directory.offline_because is not None
    storage_error(log)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE])
def test_a_full_disk_refuses_and_recovers(code: int) -> None:
    environment = make_environment()
    log, directory, disk = new_log(None, environment)
    append(log, b"a", b"b")
    fail(disk, "write", code, times=3)
    for _ in range(3):
        storage_error(log)
    assert directory.offline_because is None
    assert len(read_all(log)) == 1
    # Space is there again: the half-written batches have left no trace.
    assert append(log, b"c").first_offset == 2
    disk.kill()
    log, _ = reopen(environment)
    assert len(read_all(log)) == 2


def test_a_refusal_is_logged_once_until_the_log_moves_on(caplog: pytest.LogCaptureFixture) -> None:
    log, _, disk = new_log()
    for batches in (1, 2):
        fail(disk, "write", errno.ENOSPC, times=5)
        for _ in range(5):
            storage_error(log)
        assert caplog.text.count("topic-0: write failed") == batches
        append(log, b"there is space again")


def test_a_full_disk_during_a_roll() -> None:
    environment = make_environment()
    config = LogConfig(segment_bytes=200, index_interval_bytes=0)
    for part in (".index", ".timeindex", ".snapshot", "2.log"):
        log, directory, disk = new_log(config, make_environment())
        for index in range(2):
            append(log, b"x" * 50, timestamp=NOW_MS + index)
        for operation in ("create", "write"):
            fail(disk, operation, errno.ENOSPC, path_part=part)
            try:
                append(log, b"y" * 50)
            except KafkaError as error:
                if error.code != KAFKA_STORAGE_ERROR:
                    raise
            pump(directory)
        append(log, b"z" * 50)
        disk.on_write = None
        directory.request_deferred_flushes()
        pump(directory)
        assert directory.offline_because is None
        assert log.flushed_offset >= log.active_segment_base_offset
        batches = len(read_all(log))
        assert batches == log.log_end_offset
        disk.kill()
        again, _ = reopen(make_environment(disk), config)
        assert len(read_all(again)) == batches
    assert isinstance(environment.disk, MemoryDisk)


def test_a_full_disk_at_a_checkpoint_is_only_said() -> None:
    log, directory, disk = new_log()
    append(log, b"a")
    fail(disk, "write", errno.ENOSPC)
    directory.checkpoint_recovery_points()
    pump(directory)
    assert directory.offline_because is None
    directory.checkpoint_recovery_points()
    pump(directory)
    assert disk.read_bytes(f"{PATH}/recovery-point-offset-checkpoint") == b"0\n0\n"


def test_a_full_disk_at_the_clean_stop_leaves_no_marker() -> None:
    log, directory, disk = new_log()
    append(log, b"a")
    fail(disk, "write", errno.ENOSPC)
    directory.close(clean=True)
    assert not disk.exists(f"{PATH}/.kafka_cleanshutdown")
    disk.kill()
    disk.on_write = None
    log = open_directory(make_environment(disk)).logs["topic", 0]
    assert log.log_end_offset == 1


def test_many_unflushed_logs_are_closed_by_one_sync() -> None:
    environment = make_environment()
    directory = open_directory(environment)
    disk = environment.disk
    assert isinstance(disk, MemoryDisk)
    for index in range(40):
        append(directory.create("many", index, TOPIC_ID, LogConfig()), b"a")
    synced: list[str] = []
    disk.on_write = lambda operation, path: synced.append(path) if operation == "sync" else None
    directory.close(clean=True)
    assert len(synced) < 20
    disk.kill()
    directory = open_directory(environment)
    assert directory.was_clean
    assert all(log.flushed_offset == log.log_end_offset == 1 for log in directory.logs.values())


def test_an_idle_directory_closes_without_a_write_per_log() -> None:
    environment = make_environment()
    directory = open_directory(environment)
    disk = environment.disk
    assert isinstance(disk, MemoryDisk)
    for index in range(40):
        append(directory.create("many", index, TOPIC_ID, LogConfig()), b"a")
    directory.close(clean=True)
    disk.kill()
    directory = open_directory(environment)
    for log in directory.logs.values():
        # A new leader epoch without a record need not survive.
        log.assign_epoch(9)
    before = disk.writes
    directory.close(clean=True)
    assert disk.writes - before < 40


def test_a_refused_flush_is_tried_again() -> None:
    log, directory, disk = new_log()
    append(log, b"a")
    log.request_flush()
    fail(disk, "sync", errno.EMFILE)
    pump(directory)
    assert log.flushed_offset == 0
    assert directory.offline_because is None
    pump(directory)
    assert log.flushed_offset == 0
    directory.request_deferred_flushes()
    pump(directory)
    assert log.flushed_offset == 1
    assert directory.take_flush_requests() == []


def test_a_roll_leaves_the_large_files_to_the_flush() -> None:
    log, directory, disk = new_log(LogConfig(segment_bytes=300, index_interval_bytes=0))
    for number in range(3):
        append(
            log, b"x" * 50, timestamp=NOW_MS + number, producer_id=7, producer_epoch=0, base_sequence=number
        )
    index, time_index, snapshot = (
        f"{LOG_PATH}/{0:020d}.index",
        f"{LOG_PATH}/{0:020d}.timeindex",
        f"{LOG_PATH}/{2:020d}.snapshot",
    )
    assert log.segment_count == 2
    assert not {index, time_index, snapshot} & set(disk.files())
    pump(directory)
    assert (disk.size(index), disk.size(time_index), disk.size(snapshot)) == (8, 12, 56)
    # Written once.
    writes = disk.writes
    log.request_flush()
    pump(directory)
    assert disk.writes == writes


def test_a_truncation_overtakes_what_a_roll_had_written() -> None:
    log, directory, disk = new_log(LogConfig(segment_bytes=300, index_interval_bytes=0))
    for index in range(3):
        append(log, b"x" * 50, timestamp=NOW_MS + index, producer_id=7, producer_epoch=0, base_sequence=index)
    (requested,) = directory.take_flush_requests()
    flush = requested.begin_flush(NOW_MS)
    assert flush is not None
    log.truncate_to(1, NOW_MS)
    flush.work()
    flush.done(None)
    assert not disk.exists(f"{LOG_PATH}/{2:020d}.snapshot")
    assert log.flushed_offset == 1
    append(log, b"y", producer_id=7, producer_epoch=0, base_sequence=1)
    log.roll(NOW_MS)
    pump(directory)
    disk.kill()
    log, _ = reopen(make_environment(disk))
    assert len(read_all(log)) == 2
    assert [state.last_sequence for state in log.producers.active()] == [1]
