"""Power loss at every write, fsync and rename of a script (S5).

Whatever subset of unsynced bytes and names survives: what was flushed is
there, every record is the one that was written at its offset, and the log
takes appends again. `MemoryDisk.crash` says what may be lost.
"""

from contextlib import suppress
from random import Random

import pytest

from kbroker.environment import Environment
from kbroker.log.config import LogConfig
from kbroker.log.directory import LogDirectory
from kbroker.log.partition_log import PartitionLog
from kbroker.records.batch import HEADER_SIZE, batch_crc_ok, read_batch_header
from kbroker.records.record import walk_records
from tests.fakes.disk import MemoryDisk, PowerFailureError
from tests.fakes.world import make_environment
from tests.log.support import NOW_MS, PATH, TOPIC_ID, append, opened_or_new, pump, read_all

CONFIG = LogConfig(segment_bytes=600, index_interval_bytes=150, flush_messages=1, file_delete_delay_ms=0)
OPERATIONS = 120
POINTS = 250


class Script:
    """Seeded operations on one directory; remembers what must hold after a crash."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.disk = MemoryDisk()
        self.environment: Environment = make_environment(self.disk)
        # Offset → every value that was ever written there.
        self.written: dict[int, set[bytes]] = {}
        self.durable_end = 0
        self.truncating_to: int | None = None
        self.start = 0
        self.epoch = 0
        self.log: PartitionLog
        self.directory: LogDirectory

    def run(self) -> None:
        self.directory = LogDirectory.open(self.environment, PATH, node_id=1)
        self.directory.load(lambda topic: CONFIG)
        self.log = self.directory.create("topic", 0, TOPIC_ID, CONFIG)
        for _ in range(OPERATIONS):
            choice = self.random.random()
            if choice < 0.70:
                self.append()
            elif choice < 0.78:
                self.truncate()
            elif choice < 0.86:
                self.delete_records()
            elif choice < 0.94:
                self.checkpoint()
            else:
                self.restart()

    def append(self) -> None:
        values = [self.random.randbytes(self.random.randint(1, 80)) for _ in range(self.random.randint(1, 3))]
        for index, value in enumerate(values):
            self.written.setdefault(self.log.log_end_offset + index, set()).add(value)
        if self.random.random() < 0.1:
            self.epoch += 1
        append(self.log, *values, epoch=self.epoch)
        if self.random.random() < 0.7:
            pump(self.directory)
        self.durable_end = max(self.durable_end, self.log.high_watermark_limit)

    def truncate(self) -> None:
        offset = self.random.randint(max(self.start, self.log.log_end_offset - 6), self.log.log_end_offset)
        self.durable_end = min(self.durable_end, offset)
        self.log.truncate_to(offset, NOW_MS)
        self.durable_end = min(self.durable_end, self.log.log_end_offset)

    def delete_records(self) -> None:
        offset = self.random.randint(self.start, self.log.high_watermark)
        self.start = offset
        self.log.set_log_start_offset(offset, NOW_MS)
        self.log.delete_old_segments(NOW_MS)
        pump(self.directory)

    def checkpoint(self) -> None:
        self.directory.checkpoint_recovery_points()
        self.directory.checkpoint_log_starts()
        self.directory.checkpoint_high_watermarks()
        pump(self.directory)

    def restart(self) -> None:
        self.directory.close(clean=self.random.random() < 0.7)
        self.disk.kill()
        self.directory = LogDirectory.open(self.environment, PATH, node_id=1)
        self.directory.load(lambda topic: CONFIG)
        self.log = opened_or_new(self.directory, CONFIG)
        self.log.high_watermark = self.log.high_watermark_limit

    def check_after_crash(self) -> None:
        directory = LogDirectory.open(self.environment, PATH, node_id=1)
        directory.load(lambda topic: CONFIG)
        log = directory.logs.get(("topic", 0))
        if log is None:
            assert self.durable_end == 0
            return
        assert log.log_end_offset >= self.durable_end
        assert log.log_start_offset <= max(self.start, self.durable_end)
        offset = log.log_start_offset
        for batch in read_all(log):
            assert batch_crc_ok(batch)
            header = read_batch_header(batch)
            assert header.base_offset <= offset
            offset = header.next_offset
            for record in walk_records(batch[HEADER_SIZE:], header.record_count):
                assert record.value in self.written[header.base_offset + record.offset_delta]
        assert offset == log.log_end_offset
        assert self.epochs_agree(log)
        self.written.setdefault(offset, set()).add(b"after")
        append(log, b"after", epoch=self.epoch + 1)
        assert log.log_end_offset == offset + 1

    def epochs_agree(self, log: PartitionLog) -> bool:
        return all(
            log.leader_epochs.epoch_for_offset(max(header.base_offset, log.log_start_offset))
            == header.partition_leader_epoch
            for header in map(read_batch_header, read_all(log))
        )


def writes_of(seed: int) -> int:
    script = Script(seed)
    script.run()
    return script.disk.writes


@pytest.mark.parametrize("seed", [1, 2])
def test_power_loss_anywhere_loses_nothing_that_was_flushed(seed: int) -> None:
    points = Random(seed).sample(range(1, writes_of(seed) + 1), POINTS)
    for point in points:
        script = Script(seed)
        script.disk.power_off_at = point
        try:
            with suppress(PowerFailureError):
                script.run()
            script.disk.crash(Random(point))
            # The power fails again while the first failure is repaired.
            if point % 3 == 0:
                script.disk.power_off_at = script.disk.writes + 1 + point % 11
                with suppress(PowerFailureError):
                    script.check_after_crash()
                script.disk.crash(Random(point + 1))
            script.check_after_crash()
        except BaseException:
            print(f"seed {seed}, power off at write {point}")
            raise
