"""Where reads begin and end, against all batches looked at one by one."""

from __future__ import annotations

import random
import struct
from contextlib import suppress

import pytest

from kbroker.environment import Environment
from kbroker.log.config import LogConfig
from kbroker.log.partition_log import PartitionLog
from kbroker.log.segment import Segment
from kbroker.protocol.errors import CORRUPT_MESSAGE, KafkaError
from kbroker.protocol.primitives import FileRegion
from kbroker.records.batch import read_batch_header
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment
from tests.log.support import LOG_PATH, NOW_MS, append, batch_of, new_log, pump, reopen

# (first offset, last offset, position, end)
Batch = tuple[int, int, int, int]


def batches_of(segment: Segment) -> list[Batch]:
    data = segment.file.pread(segment.size, 0)
    batches, position = [], 0
    while position < len(data):
        header = read_batch_header(data, position)
        end = position + header.batch_length + 12
        batches.append((header.base_offset, header.last_offset, position, end))
        position = end
    return batches


def expected(
    log: PartitionLog, offset: int, max_bytes: int, upper_offset: int
) -> tuple[str, int, int] | None:
    """Path, position and length of what a read must find."""
    for segment in log.segments.from_floor(offset):
        batches = [batch for batch in batches_of(segment) if batch[1] >= offset]
        if batches:
            start = batches[0][2]
            ends = [end for _, last, _, end in batches if last < upper_offset]
            fitting = [end for end in ends if end - start <= max_bytes]
            end = max(fitting, default=min(ends, default=start))
            return (segment.path, start, end - start) if end > start else None
    return None


def found(log: PartitionLog, offset: int, max_bytes: int, upper_offset: int) -> tuple[str, int, int] | None:
    region = log.read(offset, max_bytes, upper_offset)
    return None if region is None else (path_of(log, region), region.position, region.length)


def path_of(log: PartitionLog, region: FileRegion) -> str:
    return next(segment.path for segment in log.segments if segment.file is region.file)


def stopped(batches: int) -> tuple[Environment, MemoryDisk, int]:
    """A log of so many batches after a clean stop, and the size of each of them."""
    environment = make_environment()
    log, directory, disk = new_log(environment=environment)
    for _ in range(batches):
        append(log, b"x" * 5000)
    size = log.size_bytes // batches
    log.flush(NOW_MS)
    directory.close(clean=True)
    return environment, disk, size


class Story:
    """Something happens to a log; in between it is read."""

    def __init__(self, seed: int) -> None:
        self.numbers = random.Random(seed)
        self.environment: Environment = make_environment()
        self.config = LogConfig(segment_bytes=60_000, file_delete_delay_ms=0)
        self.log, self.directory, self.disk = new_log(self.config, self.environment)

    def go_on(self) -> None:
        chance = self.numbers.random()
        if chance < 0.05:
            self.log.truncate_to(self.numbers.randint(0, self.log.log_end_offset), NOW_MS)
        elif chance < 0.08:
            self.log.roll(NOW_MS)
        elif chance < 0.12:
            self.start_anew(clean=self.numbers.random() < 0.7)
        elif chance < 0.16:
            pump(self.directory)
        else:
            self.append()

    def append(self) -> None:
        size = self.numbers.choice([10, 500, 2000, 5000, 9000])
        values = [b"v" * self.numbers.randint(1, size)] * self.numbers.randint(1, 3)
        gap = self.numbers.choice([0, 0, 0, 0, 0, 1, 5])
        batch = batch_of(values, base_offset=self.log.log_end_offset + gap)
        self.log.append_as_follower(batch, NOW_MS)
        self.log.commit(self.log.high_watermark_limit)

    def start_anew(self, *, clean: bool) -> None:
        self.log.flush(NOW_MS)
        self.directory.close(clean=clean)
        if not clean:
            self.disk.kill()
        self.log, self.directory = reopen(self.environment, self.config)

    def read_somewhere(self) -> None:
        log = self.log
        if log.log_end_offset == log.log_start_offset:
            return
        offset = self.numbers.randint(log.log_start_offset, log.log_end_offset - 1)
        max_bytes = self.numbers.choice([0, 1, 100, 5_000, 10_078, 20_000, 1 << 20])
        upper = log.log_end_offset
        if self.numbers.random() < 0.2:
            upper = self.numbers.randint(offset + 1, upper)
        for _ in range(4):
            region = found(log, offset, max_bytes, upper)
            assert region == expected(log, offset, max_bytes, upper)
            if region is None:
                return
            # A sequential reader comes back where it ended.
            segment = next(one for one in log.segments if one.path == region[0])
            (last,) = [batch[1] for batch in batches_of(segment) if batch[3] == region[1] + region[2]]
            offset = last + 1
            if offset >= upper:
                return


@pytest.mark.parametrize("seed", range(25))
def test_reads_are_those_that_all_batches_looked_at_would_give(seed: int) -> None:
    story = Story(seed)
    for _ in range(120):
        story.go_on()
        story.read_somewhere()
    for _ in range(60):
        story.read_somewhere()


def test_a_batch_larger_than_the_limit_is_found_without_a_look() -> None:
    log, _, disk = new_log()
    for _ in range(5):
        append(log, b"x" * 50_000)
    size = log.size_bytes // 5
    for offset in (1, 2, 3):
        reads = disk.reads
        region = log.read(offset, 1000, 5)
        assert region is not None
        assert (region.position, region.length) == (offset * size, size)
        assert disk.reads == reads


def test_after_a_start_a_place_is_looked_at_once() -> None:
    environment, disk, size = stopped(20)
    log, _ = reopen(environment)
    counts = []
    for _ in range(2):
        reads = disk.reads
        for offset in range(2, 12):
            region = log.read(offset, size + 10, 20)
            assert region is not None
            assert (region.position, region.length) == (offset * size, size)
        counts.append(disk.reads - reads)
    # Only the place where a reader begins has to be found, and where the last one ended.
    assert counts[0] > 10
    assert counts[1] == 2


@pytest.mark.parametrize("entry", [2, 9])
def test_an_index_that_lies_after_a_start_is_not_believed(entry: int) -> None:
    environment, disk, size = stopped(20)
    index = disk.open(f"{LOG_PATH}/{0:020d}.index")
    # An offset that lies within the batch before; a position within the batch.
    index.pwrite(bytes([7]), 8 * entry + 7)
    log, _ = reopen(environment)
    for offset in [*range(20), *range(20)]:
        region = log.read(offset, size + 10, 20)
        assert region is not None
        assert (region.position, region.length) == (offset * size, size)


@pytest.mark.parametrize("last_offset_delta", [-(2**31), -1, 1, 12, 2**31 - 1])
def test_a_damaged_header_at_an_entry_is_not_believed(last_offset_delta: int) -> None:
    """Its offsets are damaged in a way that its last one is what the index says; no CRC covers the first."""
    environment, disk, size = stopped(20)
    file = disk.open(f"{LOG_PATH}/{0:020d}.log")
    file.pwrite(struct.pack(">q", 9 - last_offset_delta), 9 * size)
    file.pwrite(struct.pack(">i", last_offset_delta), 9 * size + 23)
    log, _ = reopen(environment)
    for offset in (7, 8, 7, 8):
        region = log.read(offset, size + 10, 20)
        assert region is not None
        assert (region.position, region.length) == (offset * size, size)
    for offset in (9, 10):
        with suppress(KafkaError):
            region = log.read(offset, size + 10, 20)
            assert region is not None
            assert region.position == offset * size


def test_damage_on_disk_is_found_where_the_place_is_known() -> None:
    environment, disk, size = stopped(10)
    disk.open(f"{LOG_PATH}/{0:020d}.log").pwrite(b"!", 6 * size + 200)
    log, _ = reopen(environment)
    log.segments.active.rebuild_indexes()
    for offset in (5, 7):
        region = log.read(offset, size, 10)
        assert region is not None
        assert (region.position, region.length) == (offset * size, size)
    for _ in range(2):
        with pytest.raises(KafkaError) as caught:
            log.read(6, size, 10)
        assert caught.value.code == CORRUPT_MESSAGE
