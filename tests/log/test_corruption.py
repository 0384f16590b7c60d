"""Damage on disk: whatever is hit, the log opens and serves no bad batch.

D3: a flipped byte anywhere. D4: the tail cut at every byte of the last three
batches. Seeds are named when something fails.
"""

from collections.abc import Iterator
from random import Random

import pytest

from kbroker.environment import Environment
from kbroker.log.config import LogConfig
from kbroker.log.partition_log import AppendOrigin, PartitionLog
from kbroker.protocol.errors import CORRUPT_MESSAGE, KafkaError
from kbroker.records.batch import HEADER_SIZE, TRANSACTIONAL_FLAG, batch_crc_ok, read_batch_header
from kbroker.records.control import build_end_txn_marker
from kbroker.records.record import walk_records
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment
from tests.log.support import LOG_PATH, NOW_MS, PATH, append, new_log, pump, read_once, reopen

CONFIG = LogConfig(segment_bytes=2500, index_interval_bytes=200)
FLIPS = 500


def value_at(offset: int) -> bytes:
    return b"value %d " % offset * 4


def filled_disk(*, clean: bool) -> tuple[MemoryDisk, int]:
    """Several segments with epochs, idempotent producers, transactions; and where the log ends."""
    environment = make_environment()
    log, directory, disk = new_log(CONFIG, environment)
    sequence = 0
    for round_number in range(13):
        epoch = round_number // 4
        end = log.log_end_offset
        append(
            log,
            value_at(end),
            value_at(end + 1),
            epoch=epoch,
            producer_id=7,
            producer_epoch=0,
            base_sequence=sequence,
        )
        sequence += 2
        append(log, value_at(end + 2), epoch=epoch)
        append(
            log,
            value_at(end + 3),
            epoch=epoch,
            producer_id=8,
            producer_epoch=0,
            base_sequence=round_number,
            attributes=TRANSACTIONAL_FLAG,
        )
        marker = build_end_txn_marker(
            commit=bool(round_number % 2),
            producer_id=8,
            producer_epoch=0,
            coordinator_epoch=0,
            timestamp_ms=NOW_MS,
        )
        log.append_as_leader(memoryview(marker), epoch, NOW_MS, origin=AppendOrigin.COORDINATOR)
        log.high_watermark = log.high_watermark_limit
        pump(directory)
    directory.checkpoint_recovery_points()
    directory.checkpoint_high_watermarks()
    pump(directory)
    if clean:
        directory.close(clean=True)
    disk.kill()
    return disk, log.log_end_offset


def served(log: PartitionLog) -> Iterator[memoryview]:
    """Every batch that can be read, asked for at every offset."""
    for offset in range(log.log_start_offset, min(log.log_end_offset, log.log_start_offset + 200)):
        try:
            yield from read_once(log, offset, 600)
        except KafkaError as error:
            if error.code != CORRUPT_MESSAGE:
                raise


def check_served(log: PartitionLog) -> int:
    count = 0
    for batch in served(log):
        count += 1
        assert batch_crc_ok(batch)
        header = read_batch_header(batch)
        for record in walk_records(batch[HEADER_SIZE:], header.record_count):
            assert record.value is not None
            assert header.is_control or record.value.startswith(b"value ")
    return count


def environment_with(disk: MemoryDisk) -> Environment:
    return make_environment(disk)


@pytest.mark.parametrize("clean", [True, False])
def test_a_flipped_byte_stops_nothing(clean: bool) -> None:
    original, end_offset = filled_disk(clean=clean)
    targets = [
        (path, position)
        for path in original.files()
        if "meta" not in path and ".lock" not in path
        for position in range(original.size(path))
    ]
    random = Random(4)
    for path, position in random.sample(targets, FLIPS):
        disk = original.copy()
        disk.corrupt(path, position, 1 << random.randrange(8))
        try:
            log, _ = reopen(environment_with(disk), CONFIG)
            check_served(log)
            append(log, b"value after", epoch=9)
            batch = read_once(log, log.log_end_offset - 1, 600)[-1]
            assert batch_crc_ok(batch)
            if not path.endswith(".log") and "checkpoint" not in path:
                assert log.log_end_offset == end_offset + 1
        except BaseException:
            print(f"flipped a bit of byte {position} of {path}, clean={clean}")
            raise


@pytest.mark.parametrize("clean", [True, False])
def test_a_tail_cut_anywhere_loses_the_cut_batch_only(clean: bool) -> None:
    assert cut_tails(clean=clean) > 100


def cut_tails(*, clean: bool) -> int:
    """Cut at every byte of the last three batches; how many cuts that is."""
    original, end_offset = filled_disk(clean=clean)
    path = max(path for path in original.files() if path.endswith(".log") and path.startswith(LOG_PATH))
    log, _ = reopen(environment_with(original.copy()), CONFIG)
    starts = []
    position = 0
    for batch in read_from_segment(log):
        starts.append((position, read_batch_header(batch).base_offset))
        position += len(batch)
    assert position == original.size(path)
    assert len(starts) > 3
    for length in range(starts[-3][0], position):
        disk = original.copy()
        disk.cut(path, length)
        log, directory = reopen(environment_with(disk), CONFIG)
        expected = max(offset for start, offset in [*starts, (position, end_offset)] if start <= length)
        assert log.log_end_offset == expected, length
        check_served(log)
        append(log, b"value after", epoch=9)
        directory.close(clean=True)
        disk.kill()
        log, _ = reopen(environment_with(disk), CONFIG)
        assert log.log_end_offset == expected + 1
    return position - starts[-3][0]


def read_from_segment(log: PartitionLog) -> list[memoryview]:
    batches = []
    offset = log.active_segment_base_offset
    while offset < log.log_end_offset:
        batches += read_once(log, offset, 100)
        offset = read_batch_header(batches[-1]).next_offset
    return batches


def test_an_old_damaged_batch_is_not_served_and_its_neighbours_are() -> None:
    disk, _ = filled_disk(clean=True)
    first = f"{LOG_PATH}/{0:020d}.log"
    second_batch = 12 + int.from_bytes(disk.read_bytes(first)[8:12], "big")
    disk.corrupt(first, second_batch + HEADER_SIZE + 5, 0x40)
    log, _ = reopen(environment_with(disk), CONFIG)
    # What comes before the damage is served alone.
    assert [read_batch_header(batch).base_offset for batch in read_once(log, 0, 10_000)] == [0]
    with pytest.raises(KafkaError) as caught:
        log.read(2, 10_000, log.log_end_offset)
    assert caught.value.code == CORRUPT_MESSAGE
    assert read_batch_header(read_once(log, 3, 10_000)[0]).base_offset == 3


def test_a_damaged_header_hides_no_more_than_its_index_interval() -> None:
    disk, end_offset = filled_disk(clean=True)
    first = f"{LOG_PATH}/{0:020d}.log"
    # Its length: the scan loses its way here and finds it again at the next index entry.
    disk.corrupt(first, 10, 0x7F)
    log, _ = reopen(environment_with(disk), CONFIG)
    readable = set()
    for batch in served(log):
        header = read_batch_header(batch)
        readable |= set(range(header.base_offset, header.next_offset))
    assert end_offset - len(readable) < 10
    assert 0 not in readable


@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
@pytest.mark.parametrize("content", [b"", bytes(4000), b"\xff" * 80, b"\x00\x00\x00\x05" * 20])
def test_foreign_indexes_are_made_anew(suffix: str, content: bytes) -> None:
    disk, _ = filled_disk(clean=True)
    for path in disk.files():
        if path.endswith(suffix):
            disk.cut(path, 0)
            disk.open(path).append(content)
    log, _ = reopen(environment_with(disk), CONFIG)
    assert check_served(log) > 0
    assert log.offset_for_timestamp(NOW_MS) == (0, NOW_MS, 0)
    for offset in range(log.log_end_offset):
        assert read_once(log, offset, 100)


def test_a_recovery_point_that_is_too_high_suppresses_nothing() -> None:
    disk, end_offset = filled_disk(clean=False)
    path = max(path for path in disk.files() if path.endswith(".log"))
    disk.cut(path, disk.size(path) - 3)
    disk.write_atomically(f"{PATH}/recovery-point-offset-checkpoint", b"0\n1\ntopic 0 99999\n")
    log, _ = reopen(environment_with(disk), CONFIG)
    assert log.log_end_offset == end_offset - 1
    check_served(log)


def test_the_clean_marker_is_gone_before_anything_is_written() -> None:
    disk, _ = filled_disk(clean=True)
    marker = f"{PATH}/.kafka_cleanshutdown"
    assert disk.exists(marker)
    changes: list[str] = []

    def see(operation: str, path: str) -> None:
        if path != f"{PATH}/.lock" and (operation, path) != ("remove", marker):
            changes.append(path)
            assert not disk.exists(marker)

    disk.on_write = see
    reopen(environment_with(disk), CONFIG)
    assert not disk.exists(marker)
