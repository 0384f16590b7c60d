"""Append, read, roll, look up: one log, step by step."""

import pytest

from kbroker.log.config import LogConfig
from kbroker.log.partition_log import AppendOrigin
from kbroker.protocol.errors import (
    CORRUPT_MESSAGE,
    MESSAGE_TOO_LARGE,
    OFFSET_OUT_OF_RANGE,
    RECORD_LIST_TOO_LARGE,
    KafkaError,
)
from kbroker.protocol.primitives import FileRegion
from kbroker.records.batch import build_batch, read_batch_header
from kbroker.records.compression import GZIP, ZSTD
from kbroker.records.record import Record
from kbroker.records.validation import ValidationRules
from tests.fakes.disk import MemoryDisk
from tests.log.support import (
    LOG_PATH,
    NOW_MS,
    append,
    batch_of,
    headers,
    new_log,
    read_all,
    read_once,
    reopen,
)

WEEK_MS = 604_800_000


def segments_of(disk: MemoryDisk) -> list[str]:
    return [path[len(LOG_PATH) + 1 :] for path in disk.files() if path.endswith(".log")]


def test_offsets_and_epoch_are_patched_into_the_view_itself() -> None:
    log, _, disk = new_log()
    append(log, b"a", b"b")
    view = batch_of([b"c"])
    info = log.append_as_leader(view, 7, NOW_MS)
    assert (info.first_offset, info.last_offset, info.log_append_time_ms, info.duplicate) == (2, 2, -1, False)
    assert read_batch_header(view).base_offset == 2
    assert read_batch_header(view).partition_leader_epoch == 7
    assert disk.read_bytes(f"{LOG_PATH}/{0:020d}.log").endswith(view)
    assert log.log_end_offset == 3
    # Bytes that can't be patched are copied first.
    assert log.append_as_leader(memoryview(bytes(batch_of([b"d"]))), 7, NOW_MS).first_offset == 3


def test_log_append_time_is_told() -> None:
    log, _, _ = new_log(LogConfig(rules=ValidationRules(log_append_time=True)))
    info = log.append_as_leader(batch_of([b"a"], timestamp=5), 0, NOW_MS)
    assert info.log_append_time_ms == NOW_MS
    assert headers(read_all(log))[0].max_timestamp == NOW_MS


def test_a_refused_batch_changes_nothing() -> None:
    log, _, disk = new_log(LogConfig(segment_bytes=500, rules=ValidationRules(max_message_bytes=1000)))
    append(log, b"a")
    size = log.size_bytes
    for data, code in ((bytes(600), RECORD_LIST_TOO_LARGE), (bytes(1200), MESSAGE_TOO_LARGE)):
        with pytest.raises(KafkaError) as caught:
            append(log, data)
        assert caught.value.code == code
    assert (log.log_end_offset, log.size_bytes, len(segments_of(disk))) == (1, size, 1)


def test_a_tail_read_touches_no_file() -> None:
    log, _, disk = new_log()
    for index in range(50):
        append(log, b"x" * 300, b"y" * 300)
        reads = disk.reads
        region = log.read(index * 2, 1 << 20, log.log_end_offset)
        assert disk.reads == reads
        assert isinstance(region, FileRegion)
        assert len(region) > 600


def test_reads_are_bounded_but_give_at_least_one_batch() -> None:
    log, _, _ = new_log()
    for _ in range(30):
        append(log, b"x" * 400)
    size = len(read_once(log, 0, 1)[0])
    assert len(read_once(log, 0, 1)) == 1
    assert len(read_once(log, 0, size)) == 1
    assert len(read_once(log, 0, size * 2 - 1)) == 1
    assert len(read_once(log, 0, size * 2)) == 2
    assert len(read_once(log, 3, size * 20 + 1)) == 20
    assert log.read(0, 1, 30, at_least_one=False) is None
    assert log.read(0, size, 30, at_least_one=False) is not None


def test_reads_stop_at_the_upper_offset_and_at_batch_bounds() -> None:
    log, _, _ = new_log()
    for _ in range(10):
        append(log, b"a", b"b", b"c")
    assert headers(read_once(log, 4, 1 << 20, 9))[0].base_offset == 3
    assert headers(read_once(log, 4, 1 << 20, 9))[-1].last_offset == 8
    # A bound within a batch leaves that batch out.
    assert headers(read_once(log, 4, 1 << 20, 10))[-1].last_offset == 8
    assert log.read(4, 1 << 20, 4) is None
    assert log.read(4, 1 << 20, 5) is None
    assert log.read(30, 1 << 20, 30) is None


def test_readers_that_come_back_where_they_ended_look_nothing_up() -> None:
    """Large batches, each with an index entry: where they begin is kept in memory."""
    log, _, disk = new_log()
    for _ in range(100):
        append(log, b"x" * 5000)
    size = log.size_bytes // 100
    ends = [0, 20, 40]
    for offset in ends:
        read_once(log, offset, size)
    for step in range(1, 15):
        for begin in ends:
            reads = disk.reads
            region = log.read(begin + step, size + 100, log.log_end_offset)
            assert region is not None
            assert (region.position, len(region)) == ((begin + step) * size, size)
            assert disk.reads == reads


@pytest.mark.parametrize("offset", [-1, 0, 4, 31])
def test_reads_outside_the_log(offset: int) -> None:
    log, _, _ = new_log()
    for _ in range(30):
        append(log, b"a")
    log.set_log_start_offset(5, NOW_MS)
    with pytest.raises(KafkaError) as caught:
        log.read(offset, 100, 30)
    assert caught.value.code == OFFSET_OUT_OF_RANGE


def test_roll_by_size() -> None:
    log, _, disk = new_log(LogConfig(segment_bytes=1000))
    for _ in range(10):
        append(log, b"x" * 230)
    size = len(read_once(log, 0, 1)[0])
    per_segment = 1000 // size
    assert segments_of(disk) == [f"{offset:020d}.log" for offset in range(0, 10, per_segment)]
    assert log.segment_count == len(segments_of(disk))
    assert len(read_all(log)) == 10


def test_roll_by_record_time_not_by_the_clock() -> None:
    log, _, _ = new_log(LogConfig(rules=ValidationRules(timestamp_after_max_ms=10 * WEEK_MS)))
    append(log, b"a", timestamp=NOW_MS)
    append(log, b"b", timestamp=NOW_MS + WEEK_MS)
    append(log, b"c", timestamp=NOW_MS, now_ms=NOW_MS + 2 * WEEK_MS)
    assert log.segment_count == 1
    append(log, b"d", timestamp=NOW_MS + WEEK_MS + 1)
    assert log.segment_count == 2
    assert log.active_segment_base_offset == 3


def test_roll_by_the_clock_where_the_first_batch_has_no_time() -> None:
    log, _, _ = new_log()
    append(log, b"a", timestamp=-1)
    append(log, b"b", timestamp=NOW_MS)
    assert log.segment_count == 1
    append(log, b"c", now_ms=NOW_MS + WEEK_MS + 1)
    assert log.segment_count == 2


def test_roll_when_the_index_is_full() -> None:
    log, _, _ = new_log(LogConfig(index_interval_bytes=0, segment_index_bytes=48))
    # Six offset entries fit; the first batch of a segment has none.
    for _ in range(20):
        append(log, b"a")
    assert log.segment_count == 3
    # Four time entries fit, one is kept for the one forced at the end.
    for index in range(8):
        append(log, b"a", timestamp=NOW_MS + index)
    assert log.segment_count == 5
    assert len(read_all(log)) == 28


def test_roll_when_a_relative_offset_would_not_fit() -> None:
    log, _, disk = new_log()
    first = build_batch([Record(0, 0, None, b"a")], base_timestamp=NOW_MS, base_offset=0, leader_epoch=0)
    far = build_batch([Record(0, 0, None, b"b")], base_timestamp=NOW_MS, base_offset=2**31, leader_epoch=0)
    log.append_as_follower(memoryview(first + far), NOW_MS)
    assert segments_of(disk) == [f"{0:020d}.log", f"{1:020d}.log"]
    assert log.log_end_offset == 2**31 + 1
    farther = build_batch(
        [Record(0, 0, None, b"c")], base_timestamp=NOW_MS, base_offset=2**33, leader_epoch=0
    )
    log.append_as_follower(memoryview(farther), NOW_MS)
    assert len(read_all(log)) == 3


def test_followers_take_batches_as_they_are() -> None:
    leader, _, _ = new_log()
    for epoch in range(4):
        append(leader, b"a", b"b", epoch=epoch)
    follower, _, _ = new_log()
    records = memoryview(bytearray(b"".join(read_all(leader))))
    follower.append_as_follower(records, NOW_MS, leader_epoch=2)
    # The batch of epoch 3 has to wait until this follower knows that epoch.
    assert follower.log_end_offset == 6
    follower.append_as_follower(records[-len(records) // 4 :], NOW_MS)
    assert follower.log_end_offset == 8
    assert follower.leader_epochs.entries == leader.leader_epochs.entries
    with pytest.raises(KafkaError) as caught:
        follower.append_as_follower(records, NOW_MS)
    assert caught.value.code == OFFSET_OUT_OF_RANGE
    damaged = bytearray(batch_of([b"c"], base_offset=8))
    damaged[-1] ^= 1
    with pytest.raises(KafkaError) as caught:
        follower.append_as_follower(memoryview(damaged), NOW_MS)
    assert caught.value.code == CORRUPT_MESSAGE


def test_an_empty_follower_may_begin_within_a_batch() -> None:
    log, _, _ = new_log()
    log.truncate_fully_and_start_at(5, NOW_MS)
    log.append_as_follower(batch_of([b"a", b"b", b"c"], base_offset=4), NOW_MS)
    assert (log.log_start_offset, log.log_end_offset) == (4, 7)
    assert len(read_all(log)) == 1


def test_epochs_and_their_ends() -> None:
    log, _, _ = new_log()
    assert log.end_offset_for_epoch(0) == (-1, -1)
    append(log, b"a", epoch=2)
    append(log, b"b", epoch=2)
    append(log, b"c", epoch=5)
    assert log.latest_epoch == 5
    assert log.end_offset_for_epoch(2) == (2, 2)
    assert log.end_offset_for_epoch(4) == (2, 2)
    assert log.end_offset_for_epoch(5) == (5, 3)
    assert log.end_offset_for_epoch(6) == (-1, -1)
    assert log.end_offset_for_epoch(1) == (1, 0)
    log.assign_epoch(9)
    assert log.end_offset_for_epoch(5) == (5, 3)


def test_time_look_up_goes_into_batches() -> None:
    log, _, _ = new_log()
    for codec in (0, GZIP, ZSTD):
        batch = build_batch(
            [Record(index, index * 10, None, b"x" * 50) for index in range(5)],
            base_timestamp=NOW_MS + codec * 1000,
            attributes=codec,
        )
        log.append_as_leader(memoryview(batch), 3, NOW_MS)
    assert log.offset_for_timestamp(0) == (0, NOW_MS, 3)
    assert log.offset_for_timestamp(NOW_MS + 11) == (2, NOW_MS + 20, 3)
    assert log.offset_for_timestamp(NOW_MS + 1015) == (7, NOW_MS + 1020, 3)
    assert log.offset_for_timestamp(NOW_MS + 4040) == (14, NOW_MS + 4040, 3)
    assert log.offset_for_timestamp(NOW_MS + 4041) is None
    assert log.max_timestamp_offset() == (14, NOW_MS + 4040, 3)
    log.commit(15)
    log.set_log_start_offset(8, NOW_MS)
    assert log.offset_for_timestamp(0) == (8, NOW_MS + 1030, 3)


def test_the_largest_timestamp_need_not_be_the_last() -> None:
    log, _, _ = new_log(LogConfig(segment_bytes=300))
    assert log.max_timestamp_offset() is None
    for shift_ms in (5, 9, 9, 2, 7, 1):
        append(log, b"x" * 100, timestamp=NOW_MS + shift_ms)
    assert log.max_timestamp_offset() == (1, NOW_MS + 9, 0)
    assert log.offset_for_timestamp(NOW_MS + 6) == (1, NOW_MS + 9, 0)


def test_a_batch_too_large_to_open_is_answered_by_its_start() -> None:
    log, _, _ = new_log(LogConfig(rules=ValidationRules(max_decompressed_bytes=1000)))
    records = [Record(index, index, None, bytes(900)) for index in range(4)]
    batch = build_batch(records, base_timestamp=NOW_MS, attributes=GZIP)
    log.append_as_leader(memoryview(batch), 0, NOW_MS)
    assert log.offset_for_timestamp(NOW_MS + 2) == (0, NOW_MS + 3, 0)


def test_replay_sees_every_batch_once() -> None:
    log, directory, _ = new_log(LogConfig(segment_bytes=400))
    for index in range(12):
        append(log, b"value %d" % index, b"x" * 50)
    expected = [bytes(batch) for batch in read_all(log)]
    assert [bytes(batch) for _, batch in log.iterate_batches(0)] == expected
    assert [header.base_offset for header, _ in log.iterate_batches(7)] == list(range(6, 24, 2))
    assert [header.base_offset for header, _ in log.iterate_batches(7, 10)] == [6, 8]
    directory.close(clean=True)


def test_coordinators_and_the_quorum_write_what_clients_may_not() -> None:
    log, _, _ = new_log(LogConfig(compact=True))
    for origin in (AppendOrigin.COORDINATOR, AppendOrigin.RAFT):
        append(log, b"no key", origin=origin)
    assert log.log_end_offset == 2


def test_the_high_watermark_stays_within_the_log() -> None:
    log, _, _ = new_log()
    append(log, b"a", b"b")
    log.commit(99)
    assert log.high_watermark == 2
    log.commit(-1)
    assert log.high_watermark == 0


def test_truncation_takes_whole_batches_and_what_followed_from_them() -> None:
    log, directory, disk = new_log(LogConfig(segment_bytes=300))
    for epoch in range(8):
        append(log, b"x" * 50, b"y" * 50, epoch=epoch)
    log.truncate_to(9, NOW_MS)
    assert log.log_end_offset == 8
    assert log.high_watermark == 8
    assert log.leader_epochs.entries == [(epoch, epoch * 2) for epoch in range(4)]
    assert headers(read_all(log))[-1].last_offset == 7
    assert not [path for path in disk.files() if path.endswith(".log") and "012" in path]
    append(log, b"z", epoch=9)
    assert log.log_end_offset == 9
    directory.close(clean=True)
    environment = directory._environment
    disk.kill()
    log, _ = reopen(environment)
    assert log.log_end_offset == 9
    assert log.leader_epochs.entries[-1] == (9, 8)


def test_truncation_to_before_the_log_starts_anew() -> None:
    log, _, disk = new_log(LogConfig(segment_bytes=200))
    for _ in range(6):
        append(log, b"x" * 50)
    log.set_log_start_offset(5, NOW_MS)
    log.delete_old_segments(NOW_MS)
    log.truncate_to(1, NOW_MS)
    assert (log.log_start_offset, log.log_end_offset, log.segment_count) == (1, 1, 1)
    assert log.leader_epochs.entries == []
    append(log, b"again", epoch=3)
    assert segments_of(disk) == [f"{1:020d}.log"]


def test_config_changes_take_effect_at_once() -> None:
    log, _, _ = new_log()
    append(log, b"x" * 100)
    log.update_config(LogConfig(segment_bytes=250))
    append(log, b"x" * 100)
    assert log.segment_count == 2
