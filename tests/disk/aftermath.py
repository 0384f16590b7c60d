"""What must be true of a broker that starts after a power loss."""

from __future__ import annotations

from random import Random

from kbroker.protocol import errors
from kbroker.records.batch import build_batch
from kbroker.records.record import Record
from tests.disk.broker import EARLIEST, LATEST, DiskBroker
from tests.disk.script import SETTINGS, Batch, Model, PartitionModel, TopicModel
from tests.handlers.support import DeferringDisk, FakeClock

STARTED_MS = 10_000


class Aftermath:
    """One start on what a power loss left, held against `model`."""

    def __init__(self, disk: DeferringDisk, now_ms: int, model: Model, random: Random) -> None:
        self._random = random
        self._model = model
        self._disk = disk
        self._clock = FakeClock()
        self._clock.now_ms = now_ms + STARTED_MS
        # What this start added: (topic, partition) → its log end.
        self._ends: dict[tuple[str, int], int] = {}
        self._start()

    def _start(self) -> None:
        self._broker = DiskBroker(self._disk, self._clock, SETTINGS, "after")

    def check(self, *, again: bool) -> None:
        """All promises; `again`: also over a clean stop and another start."""
        self._check_topics()
        for name, topic in self._present():
            for index, partition in enumerate(topic.partitions):
                self._check_partition(name, index, topic, partition)
        self._check_committed()
        for name, topic in self._present():
            for index, partition in enumerate(topic.partitions):
                self._check_goes_on(name, index, partition)
        assert self._broker.defects == []
        if again:
            self._broker.stop()
            self._start()
            for (name, index), end in self._ends.items():
                assert self._broker.list_offset(name, index, LATEST) == (errors.NONE, end)
                assert self._broker.fetch(name, index, end - 1).records[0][1] == b"after"
            assert self._broker.defects == []

    def _present(self) -> list[tuple[str, TopicModel]]:
        topics = self._broker.topics
        return [(name, topic) for name, topic in self._model.topics.items() if name in topics]

    def _check_topics(self) -> None:
        found = dict(self._broker.topics)
        if self._model.creating is not None:
            found.pop(self._model.creating, None)
        for name, topic in self._model.topics.items():
            id_ = found.pop(name, None)
            assert id_ == topic.id or (id_ is None and name == self._model.deleting), name
        assert not found, "topics that nobody made, or that were deleted"

    def _check_partition(self, name: str, index: int, topic: TopicModel, partition: PartitionModel) -> None:
        broker = self._broker
        [start, end] = [broker.list_offset(name, index, which) for which in (EARLIEST, LATEST)]
        assert start.error == end.error == errors.NONE
        possible = partition.records + (partition.sending.records if partition.sending else [])
        assert 0 <= start.offset <= partition.highest_start
        assert partition.durable_end <= end.offset <= len(possible)
        found = []
        offset = start.offset
        while offset < end.offset:
            read = broker.fetch(name, index, offset, max_bytes=self._random.choice((1, 300, 1 << 20)))
            assert read.error == errors.NONE
            assert read.records, f"{name}-{index} stands still at {offset}"
            found += read.records
            offset = read.records[-1][0] + 1
        expected = [(at, *possible[at]) for at in range(start.offset, end.offset)]
        assert found == expected, f"{name}-{index}"
        if expected:
            timestamp = self._random.choice(expected)[2] - self._random.randint(0, 2_000)
            first = next(at for at, _, sent_at in expected if sent_at >= timestamp)
            assert broker.list_offset(name, index, timestamp) == (errors.NONE, first)

    def _check_goes_on(self, name: str, index: int, partition: PartitionModel) -> None:
        """Repeated sends are known, what was under way may be sent again, and new records come behind."""
        broker = self._broker
        start = broker.list_offset(name, index, EARLIEST).offset
        end = broker.list_offset(name, index, LATEST).offset
        for batch, offset in partition.last_batches.values():
            if start <= offset < end:
                assert broker.produce(name, index, batch.data) == (errors.NONE, offset)
        if partition.sending is not None and partition.durable_end == partition.end:
            end = max(end, self._send_again(name, index, partition.sending, partition.end))
        data = build_batch([Record(0, 0, None, b"after")], base_timestamp=self._clock.now_ms)
        assert broker.produce(name, index, bytes(data)) == (errors.NONE, end)
        assert broker.fetch(name, index, end).records[0][:2] == (end, b"after")
        self._ends[name, index] = end + 1

    def _send_again(self, name: str, index: int, batch: Batch, offset: int) -> int:
        """An idempotent producer gets its record in once; where the log ends then."""
        is_idempotent = batch.data[43:51] != b"\xff" * 8
        if is_idempotent:
            assert self._broker.produce(name, index, batch.data) == (errors.NONE, offset)
            return offset + len(batch.records)
        return 0

    def _check_committed(self) -> None:
        for (name, index), values in self._model.committed.items():
            topic = self._model.topics.get(name)
            if topic is None or name not in self._broker.topics:
                continue
            answer = self._broker.committed(name, index)
            assert answer is not None
            assert answer.error == errors.NONE
            assert answer.offset in values, f"{name}-{index}: {answer.offset}, not {values}"
