"""What retention takes and what it leaves."""

from kbroker.log.config import LogConfig
from kbroker.log.directory import LogDirectory
from kbroker.log.partition_log import PartitionLog
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment
from tests.log.support import LOG_PATH, NOW_MS, append, new_log, open_directory, pump, read_all, reopen

DAY_MS = 86_400_000


def filled(
    config: LogConfig, count: int = 6, step_ms: int = 1000
) -> tuple[PartitionLog, LogDirectory, MemoryDisk]:
    """A log with a segment for each batch."""
    config.segment_bytes = 200
    log, directory, disk = new_log(config)
    for index in range(count):
        append(log, b"x" * 80, timestamp=NOW_MS + index * step_ms)
    assert log.segment_count == count
    return log, directory, disk


def test_time() -> None:
    log, _, _ = filled(LogConfig(retention_ms=DAY_MS))
    assert log.delete_old_segments(NOW_MS + DAY_MS) == 0
    assert log.delete_old_segments(NOW_MS + DAY_MS + 1) == 1
    assert (log.log_start_offset, log.segment_count) == (1, 5)
    assert log.delete_old_segments(NOW_MS + DAY_MS + 2001) == 2
    assert log.log_start_offset == 3


def test_time_can_empty_the_log() -> None:
    log, directory, disk = filled(LogConfig(retention_ms=DAY_MS, file_delete_delay_ms=0))
    assert log.delete_old_segments(NOW_MS + 10 * DAY_MS) == 6
    assert (log.log_start_offset, log.log_end_offset, log.segment_count) == (6, 6, 1)
    # The empty segment stays.
    assert log.delete_old_segments(NOW_MS + 20 * DAY_MS) == 0
    pump(directory, NOW_MS + 20 * DAY_MS)
    assert [path for path in disk.files() if ".log" in path] == [f"{LOG_PATH}/{6:020d}.log"]
    append(log, b"next")
    disk.kill()
    log, _ = reopen(make_environment(disk))
    assert (log.log_start_offset, log.log_end_offset) == (6, 7)


def test_an_older_segment_waits_for_those_before_it() -> None:
    log, _, _ = filled(LogConfig(retention_ms=DAY_MS), step_ms=-1000)
    # The first has the largest timestamp: it holds up the others.
    assert log.delete_old_segments(NOW_MS + DAY_MS) == 0


def test_size() -> None:
    log, _, _ = filled(LogConfig(retention_bytes=500))
    segment_bytes = log.size_bytes // 6
    assert 3 * segment_bytes < 500 < 4 * segment_bytes
    # Only whole segments that are too much.
    assert log.delete_old_segments(NOW_MS) == 2
    assert log.size_bytes == 4 * segment_bytes


def test_no_limits() -> None:
    log, _, _ = filled(LogConfig(retention_ms=-1, retention_bytes=-1))
    assert log.delete_old_segments(NOW_MS + 1000 * DAY_MS) == 0


def test_nothing_beyond_the_high_watermark() -> None:
    log, _, _ = filled(LogConfig(retention_ms=DAY_MS))
    log.high_watermark = 2
    assert log.delete_old_segments(NOW_MS + 10 * DAY_MS) == 2
    assert log.log_start_offset == 2


def test_only_compacted_topics_lose_what_lies_below_their_start() -> None:
    for compact in (True, False):
        config = LogConfig(delete=False, compact=compact, retention_ms=1, retention_bytes=1)
        config.rules.compacted = False
        log, _, _ = filled(config)
        assert log.delete_old_segments(NOW_MS + 1000 * DAY_MS) == 0
        log.set_log_start_offset(3, NOW_MS)
        assert log.delete_old_segments(NOW_MS) == 3
        assert len(read_all(log)) == 3


def test_the_active_segment_outlives_a_start_at_its_end() -> None:
    log, _, _ = filled(LogConfig())
    log.set_log_start_offset(6, NOW_MS)
    assert log.delete_old_segments(NOW_MS) == 5
    assert (log.log_start_offset, log.active_segment_base_offset) == (6, 5)
    assert log.offset_for_timestamp(0) is None


def test_files_go_after_the_delay() -> None:
    log, directory, disk = filled(LogConfig(retention_ms=DAY_MS, file_delete_delay_ms=60_000))
    pump(directory)
    log.delete_old_segments(NOW_MS + DAY_MS + 1)
    renamed = [path for path in disk.files() if path.endswith(".deleted")]
    assert f"{LOG_PATH}/{0:020d}.log.deleted" in renamed
    assert f"{LOG_PATH}/{0:020d}.index.deleted" in renamed
    pump(directory, NOW_MS + DAY_MS)
    assert [path for path in disk.files() if path.endswith(".deleted")] == renamed
    pump(directory, NOW_MS + DAY_MS + 60_001)
    assert not [path for path in disk.files() if path.endswith(".deleted")]


def test_a_start_finishes_the_deletion() -> None:
    log, _, disk = filled(LogConfig(retention_ms=DAY_MS))
    log.delete_old_segments(NOW_MS + DAY_MS + 1)
    disk.kill()
    open_directory(make_environment(disk))
    assert not [path for path in disk.files() if path.endswith(".deleted")]


def test_a_response_under_way_still_reads_a_deleted_segment() -> None:
    log, directory, _ = filled(LogConfig(retention_ms=DAY_MS, file_delete_delay_ms=0))
    region = log.read(0, 100, 6)
    assert region is not None
    log.delete_old_segments(NOW_MS + 10 * DAY_MS)
    pump(directory, NOW_MS + 20 * DAY_MS)
    assert len(region.file.pread(region.length, region.position)) == len(region)
