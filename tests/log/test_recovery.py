"""Starting on what an interrupted cleaning, deletion or roll left behind."""

from zlib import crc32

import pytest

from kbroker.environment import Environment
from kbroker.log.config import LogConfig
from kbroker.log.directory import LogDirectoryError
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment
from tests.log.support import LOG_PATH, NOW_MS, append, batch_of, headers, new_log, pump, read_all, reopen

CONFIG = LogConfig(segment_bytes=200)
SUFFIXES = (".log", ".index", ".timeindex")


def three_segments() -> tuple[Environment, MemoryDisk]:
    environment = make_environment()
    log, directory, disk = new_log(CONFIG, environment)
    for index in range(3):
        append(log, b"value %d " % index * 10)
    assert log.segment_count == 3
    directory.close(clean=True)
    disk.kill()
    return environment, disk


def put(disk: MemoryDisk, name: str, content: bytes) -> None:
    path = f"{LOG_PATH}/{name}"
    if disk.exists(path):
        disk.remove(path)
    disk.open(path, create=True).append(content)


def merged_segment() -> bytes:
    """What cleaning could make of the first two segments: their first record is gone."""
    return bytes(batch_of([b"kept"], base_offset=1))


def test_what_was_being_cleaned_or_deleted_goes() -> None:
    environment, disk = three_segments()
    for suffix in SUFFIXES:
        put(disk, f"{0:020d}{suffix}.cleaned", merged_segment())
        put(disk, f"{9:020d}{suffix}.deleted", b"old")
    log, _ = reopen(environment, CONFIG)
    assert len(read_all(log)) == 3
    assert not [path for path in disk.files() if path.endswith((".cleaned", ".deleted"))]


def test_a_decided_swap_is_finished() -> None:
    environment, disk = three_segments()
    for suffix in SUFFIXES:
        put(disk, f"{0:020d}{suffix}.swap", merged_segment() if suffix == ".log" else b"")
    log, _ = reopen(environment, CONFIG)
    assert [header.base_offset for header in headers(read_all(log))] == [1, 2]
    assert log.segment_count == 2
    assert not [path for path in disk.files() if path.endswith(".swap")]


def test_a_swap_beside_unfinished_cleaning_is_not() -> None:
    environment, disk = three_segments()
    put(disk, f"{0:020d}.log.swap", merged_segment())
    put(disk, f"{0:020d}.log.cleaned", merged_segment())
    log, _ = reopen(environment, CONFIG)
    assert [header.base_offset for header in headers(read_all(log))] == [0, 1, 2]


def test_indexes_without_a_log_go() -> None:
    environment, disk = three_segments()
    put(disk, f"{7:020d}.index", b"")
    put(disk, f"{7:020d}.txnindex", b"")
    reopen(environment, CONFIG)
    assert not [path for path in disk.files() if f"{7:020d}" in path]


def test_missing_indexes_are_made_anew_at_once() -> None:
    environment, disk = three_segments()
    disk.remove(f"{LOG_PATH}/{0:020d}.index")
    reopen(environment, CONFIG)
    assert disk.exists(f"{LOG_PATH}/{0:020d}.index")


def test_an_end_before_the_start_empties_the_log() -> None:
    environment, disk = three_segments()
    disk.write_atomically("/data/log-start-offset-checkpoint", b"0\n1\ntopic 0 50\n")
    log, _ = reopen(environment, CONFIG)
    assert (log.log_start_offset, log.log_end_offset, log.segment_count) == (50, 50, 1)
    append(log, b"next")
    assert log.log_end_offset == 51


def test_a_log_that_never_got_a_record_has_no_files() -> None:
    environment = make_environment()
    log, directory, disk = new_log(None, environment)
    directory.close(clean=True)
    assert not disk.exists(LOG_PATH)
    log, _ = reopen(environment)
    assert append(log, b"a").first_offset == 0


def test_a_segment_lost_in_the_middle_ends_the_log_there() -> None:
    """Power loss can take the tail of one segment and leave the next one whole."""
    environment, disk = three_segments()
    disk.remove("/data/.kafka_cleanshutdown")
    disk.remove("/data/recovery-point-offset-checkpoint")
    disk.cut(f"{LOG_PATH}/{1:020d}.log", 0)
    log, _ = reopen(environment, CONFIG)
    assert log.log_end_offset == 1
    assert len(read_all(log)) == 1


def test_gaps_of_compaction_are_honest() -> None:
    compacted = LogConfig(segment_bytes=200, compact=True)
    environment, disk = three_segments()
    disk.remove("/data/.kafka_cleanshutdown")
    disk.remove("/data/recovery-point-offset-checkpoint")
    disk.cut(f"{LOG_PATH}/{1:020d}.log", 0)
    log, _ = reopen(environment, compacted)
    assert [header.base_offset for header in headers(read_all(log))] == [0, 2]


def test_messages_of_old_formats_are_not_taken_for_damage() -> None:
    """A directory that has seen every version since 2012 may hold them."""
    environment, disk = three_segments()
    body = b"\x01\x00" + bytes(8) + b"\xff\xff\xff\xff" + b"\x00\x00\x00\x03old"
    message = bytes(8) + (len(body) + 4).to_bytes(4, "big") + crc32(body).to_bytes(4, "big") + body
    path = f"{LOG_PATH}/{2:020d}.log"
    disk.remove("/data/.kafka_cleanshutdown")
    disk.remove("/data/recovery-point-offset-checkpoint")
    put(disk, f"{2:020d}.log", message)
    with pytest.raises(LogDirectoryError, match="before Kafka"):
        reopen(environment, CONFIG)
    assert disk.read_bytes(path) == message
    # A flipped magic byte is damage.
    disk.kill()
    disk.corrupt(path, len(message) - 1, 1)
    log, _ = reopen(environment, CONFIG)
    assert log.log_end_offset == 2


def test_idle_logs_hold_no_files_open() -> None:
    environment, _ = three_segments()
    log, _ = reopen(environment, CONFIG)
    assert all(segment._file is None for segment in log.segments)


def test_after_a_kill_a_log_is_read_once() -> None:
    environment = make_environment()
    log, _, disk = new_log(None, environment)
    for epoch in range(4):
        append(log, b"a", b"b", epoch=epoch)
    disk.kill()
    reads: list[str] = []
    disk.on_read = reads.append
    log, _ = reopen(environment)
    # All of it, and what lies behind the last index entry.
    assert sum(path.endswith(".log") for path in reads) == 2
    assert log.leader_epochs.entries == [(0, 0), (1, 2), (2, 4), (3, 6)]


def test_after_a_kill_the_first_epoch_may_begin_within_a_batch() -> None:
    environment = make_environment()
    log, directory, disk = new_log(None, environment)
    append(log, b"a", b"b", b"c", epoch=4)
    append(log, b"d", epoch=5)
    log.set_log_start_offset(1, NOW_MS)
    directory.checkpoint_log_starts()
    pump(directory)
    disk.kill()
    log, _ = reopen(environment)
    assert log.leader_epochs.entries == [(4, 1), (5, 3)]


def test_after_a_kill_producers_before_the_recovery_point_are_known() -> None:
    environment = make_environment()
    log, directory, disk = new_log(None, environment)
    append(log, b"a", producer_id=7, producer_epoch=0, base_sequence=0)
    log.flush(NOW_MS)
    directory.checkpoint_recovery_points()
    pump(directory)
    append(log, b"nobody's")
    disk.kill()
    log, _ = reopen(environment)
    assert log.log_end_offset == 2
    assert [state.producer_id for state in log.producers.active()] == [7]
