"""The log against a plain list: whatever is done, both hold the same records."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kbroker.log.config import LogConfig
from kbroker.records.batch import HEADER_SIZE, read_batch_header
from kbroker.records.record import walk_records
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment
from tests.log.support import NOW_MS, append, new_log, pump, read_all, read_once, reopen

VALUES = st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=4)


class LogMachine(RuleBasedStateMachine):
    """`records` maps each offset to (value, batch's first offset, timestamp, epoch)."""

    def __init__(self) -> None:
        super().__init__()
        self.environment = make_environment()
        self.config = LogConfig(
            segment_bytes=700, index_interval_bytes=100, file_delete_delay_ms=0, segment_index_bytes=64
        )
        self.log, self.directory, disk = new_log(self.config, self.environment)
        self.disk: MemoryDisk = disk
        self.records: dict[int, tuple[bytes, int, int, int]] = {}
        self.end = 0
        self.start = 0
        self.epoch = 0
        self.synced = 0

    @initialize(segment_bytes=st.integers(500, 2000), interval=st.integers(0, 500))
    def choose(self, segment_bytes: int, interval: int) -> None:
        self.config.segment_bytes = segment_bytes
        self.config.index_interval_bytes = interval

    @rule(values=VALUES, shift_ms=st.integers(-1000, 1000))
    def append(self, values: list[bytes], shift_ms: int) -> None:
        timestamp = NOW_MS + shift_ms
        info = append(self.log, *values, epoch=self.epoch, timestamp=timestamp)
        assert info.first_offset == self.end
        for index, value in enumerate(values):
            self.records[self.end + index] = (value, self.end, timestamp, self.epoch)
        self.end += len(values)
        assert info.last_offset == self.end - 1

    @rule()
    def new_epoch(self) -> None:
        self.epoch += 1
        self.log.assign_epoch(self.epoch)

    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(self.start, self.end))
        self.log.truncate_to(offset, NOW_MS)
        if offset < self.end:
            # The batch that holds the offset goes as a whole.
            self.end = max(self.records[offset][1] if offset in self.records else offset, self.start)
            self.records = {at: record for at, record in self.records.items() if at < self.end}
        assert self.log.log_end_offset == self.end

    @rule(data=st.data())
    def delete_records(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(self.start, self.end))
        self.log.set_log_start_offset(offset, NOW_MS)
        self.start = offset
        self.log.delete_old_segments(NOW_MS)

    @rule()
    def roll(self) -> None:
        self.log.roll(NOW_MS)

    @rule()
    def flush(self) -> None:
        self.log.flush(NOW_MS)

    @rule()
    def do_chores(self) -> None:
        pump(self.directory, NOW_MS)

    @rule()
    def stop_and_start(self) -> None:
        self.directory.close(clean=True)
        self.disk.kill()
        self.log, self.directory = reopen(self.environment, self.config)

    @rule()
    def kill_and_start(self) -> None:
        self.directory.checkpoint_log_starts()
        self.directory.checkpoint_recovery_points()
        pump(self.directory, NOW_MS)
        self.disk.kill()
        self.log, self.directory = reopen(self.environment, self.config)
        self.log.commit(self.log.high_watermark_limit)

    @rule(data=st.data(), max_bytes=st.integers(0, 3000))
    def read(self, data: st.DataObject, max_bytes: int) -> None:
        offset = data.draw(st.integers(self.start, self.end))
        upper = data.draw(st.integers(offset, self.end))
        if upper < self.end:
            upper = self.records[upper][1] if upper in self.records else upper
        batches = read_once(self.log, offset, max_bytes, upper)
        if upper <= offset:
            assert not batches
            return
        assert read_batch_header(batches[0]).base_offset == self.records[offset][1]
        assert sum(map(len, batches)) <= max(max_bytes, len(batches[0]))
        assert read_batch_header(batches[-1]).next_offset <= upper
        self.check(batches)

    @rule(data=st.data())
    def look_up_time(self, data: st.DataObject) -> None:
        timestamp = data.draw(st.integers(NOW_MS - 1001, NOW_MS + 1001))
        expected = next(
            (
                (offset, record[2], record[3])
                for offset, record in sorted(self.records.items())
                if offset >= self.start and record[2] >= timestamp
            ),
            None,
        )
        assert self.log.offset_for_timestamp(timestamp) == expected

    @rule(data=st.data())
    def look_up_epoch(self, data: st.DataObject) -> None:
        live = {at: record for at, record in self.records.items() if at >= self.start}
        if not live:
            return
        epoch = data.draw(st.sampled_from(sorted({record[3] for record in live.values()})))
        found_epoch, end_offset = self.log.end_offset_for_epoch(epoch)
        assert found_epoch == epoch
        later = [at for at, record in live.items() if record[3] > epoch]
        assert end_offset <= min(later, default=self.end)
        assert end_offset > max(at for at, record in live.items() if record[3] == epoch)

    def check(self, batches: list[memoryview]) -> None:
        for batch in batches:
            header = read_batch_header(batch)
            for record in walk_records(batch[HEADER_SIZE:], header.record_count):
                value, first, timestamp, epoch = self.records[header.base_offset + record.offset_delta]
                assert (record.value, header.base_offset, header.max_timestamp) == (value, first, timestamp)
                assert header.partition_leader_epoch == epoch

    @invariant()
    def agree(self) -> None:
        assert (self.log.log_start_offset, self.log.log_end_offset) == (self.start, self.end)
        assert self.start <= self.log.last_stable_offset <= self.log.high_watermark <= self.end
        batches = read_all(self.log, max_bytes=400)
        self.check(batches)
        offsets = {
            header.base_offset + delta
            for header in map(read_batch_header, batches)
            for delta in range(header.record_count)
        }
        assert offsets >= set(range(self.start, self.end))


LogMachine.TestCase.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLog = LogMachine.TestCase
