"""A seeded life of a whole broker, and what must be left of it at any moment.

    Script   does one operation after the other, in one process after the other
    Model    what was promised: topics, records, log starts, committed offsets

While an operation is under way its effect may be there or not; once it is
answered it must be. Topics flush each record before it is answered; those
made with `flush=False` promise no more than a prefix.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from kbroker.protocol import errors
from kbroker.records.batch import build_batch
from kbroker.records.record import Record
from tests.disk.broker import DiskBroker
from tests.handlers.support import DeferringDisk, FakeClock

SETTINGS = {
    "log.flush.interval.messages": "1",
    # So that snapshots are written and started from.
    "metadata.log.max.record.bytes.between.snapshots": "3000",
}
TOPICS = ("red", "green", "blue", "grey")
UNKNOWN_FLUSH = str(2**63 - 1)


class Batch(NamedTuple):
    """What a producer sent: the bytes, and each record's value and timestamp."""

    data: bytes
    records: list[tuple[bytes, int]]


class PartitionModel:
    """The records of one partition, by offset."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, int]] = []
        # Below it everything was promised to be durable.
        self.durable_end = 0
        # The largest log start that anybody asked for.
        self.highest_start = 0
        # Under way: may stand at the end.
        self.sending: Batch | None = None
        # Idempotent producers: next sequence, and the last answered batch with its offset.
        self.sequences: dict[int, int] = {}
        self.last_batches: dict[int, tuple[Batch, int]] = {}

    @property
    def end(self) -> int:
        return len(self.records)

    def first_at(self, timestamp: int, start: int, end: int) -> int:
        """What ListOffsets must answer."""
        return next((at for at in range(start, end) if self.records[at][1] >= timestamp), -1)


class TopicModel:
    """One incarnation of a topic."""

    def __init__(self, partitions: int, *, flush: bool, retention: bool) -> None:
        self.id = b""
        self.flush = flush
        self.retention = retention
        self.partitions = [PartitionModel() for _ in range(partitions)]


class Model:
    """What was promised, and what is under way."""

    def __init__(self) -> None:
        self.topics: dict[str, TopicModel] = {}
        self.creating: str | None = None
        self.deleting: str | None = None
        # What may be found; one value where a commit was answered.
        self.committed: dict[tuple[str, int], set[int]] = {}

    def forget_offsets(self, topic: str) -> None:
        """With their topic committed offsets go, a little later."""
        for (name, _), values in self.committed.items():
            if name == topic:
                values.add(-1)


class Script:
    """One life. `before_answer` is called when all of an operation is done but its answer."""

    def __init__(self, seed: int, operations: int, before_answer: Callable[[], None]) -> None:
        self.random = Random(seed)
        self.seed = seed
        self.operations = operations
        self.model = Model()
        self.disk = DeferringDisk()
        self.clock = FakeClock()
        self.operation = "start"
        self._before_answer = before_answer
        self._values = 0
        self._producers: list[int] = []
        self._choices: list[tuple[float, Callable[[], None]]] = [
            (30, self._produce),
            (25, self._produce_idempotent),
            (10, self._commit),
            (9, self._create),
            (3, self._delete),
            (8, self._delete_records),
            (10, self._pass_time),
            (3, self._restart),
            (2, self._kill),
        ]

    def run(self) -> None:
        self._start()
        for topic in TOPICS[:2]:
            self._create_topic(topic)
        weights = [weight for weight, _ in self._choices]
        for _ in range(self.operations):
            [(_, operation)] = self.random.choices(self._choices, weights)
            self.operation = operation.__name__.strip("_")
            operation()
        self.operation = "stop"
        self.broker.stop()
        self._before_answer()

    def _start(self) -> None:
        self.broker = DiskBroker(self.disk, self.clock, SETTINGS, self.seed)
        self._before_answer()

    # --- operations

    def _some_partition(self) -> tuple[str, int, TopicModel, PartitionModel] | None:
        if not self.model.topics:
            return None
        name = self.random.choice(sorted(self.model.topics))
        topic = self.model.topics[name]
        index = self.random.randrange(len(topic.partitions))
        return name, index, topic, topic.partitions[index]

    def _batch(self, producer_id: int = -1, sequence: int = -1) -> Batch:
        records = []
        for _ in range(self.random.randint(1, 3)):
            self._values += 1
            value = b"%d:" % self._values + self.random.randbytes(self.random.randint(0, 120))
            records.append((value, self.clock.now_ms + self.random.randint(-3_000, 3_000)))
        base = records[0][1]
        data = build_batch(
            [Record(delta, at - base, None, value) for delta, (value, at) in enumerate(records)],
            base_timestamp=base,
            producer_id=producer_id,
            producer_epoch=-1 if producer_id < 0 else 0,
            base_sequence=sequence,
        )
        return Batch(bytes(data), records)

    def _produce(self) -> None:
        found = self._some_partition()
        if found is not None:
            self._send(*found, self._batch(), self.random.choice((1, -1)))

    def _produce_idempotent(self) -> None:
        found = self._some_partition()
        if found is None:
            return
        if len(self._producers) < 2 or self.random.random() < 0.05:
            producer_id = self.broker.new_producer()
            self._before_answer()
            assert producer_id is not None
            assert producer_id not in self._producers
            self._producers.append(producer_id)
        producer_id = self.random.choice(self._producers)
        partition = found[3]
        sequence = partition.sequences.get(producer_id, 0)
        batch = self._batch(producer_id, sequence)
        offset = partition.end
        self._send(*found, batch, -1)
        partition.sequences[producer_id] = sequence + len(batch.records)
        partition.last_batches[producer_id] = (batch, offset)

    def _send(
        self, name: str, index: int, topic: TopicModel, partition: PartitionModel, batch: Batch, acks: int
    ) -> None:
        partition.sending = batch
        answer = self.broker.produce(name, index, batch.data, acks)
        self._before_answer()
        partition.sending = None
        assert answer == (errors.NONE, partition.end)
        partition.records += batch.records
        if topic.flush:
            partition.durable_end = partition.end

    def _commit(self) -> None:
        found = self._some_partition()
        if found is None:
            return
        name, index, _, partition = found
        offset = self.random.randint(0, partition.end)
        values = self.model.committed.setdefault((name, index), {-1})
        values.add(offset)
        code = self.broker.commit(name, index, offset)
        self._before_answer()
        assert code == errors.NONE
        self.model.committed[name, index] = {offset}

    def _create(self) -> None:
        missing = [name for name in TOPICS if name not in self.model.topics]
        if missing:
            self._create_topic(self.random.choice(missing))

    def _create_topic(self, name: str) -> None:
        flush = name != "grey"
        retention = self.random.random() < 0.4
        topic = TopicModel(self.random.randint(1, 2), flush=flush, retention=retention)
        configs = {
            "internal.segment.bytes": str(self.random.randint(400, 1500)),
            "index.interval.bytes": "100",
            "file.delete.delay.ms": "1000",
            "retention.bytes": "1000" if retention else "-1",
            **({} if flush else {"flush.messages": UNKNOWN_FLUSH}),
        }
        self.model.creating = name
        code = self.broker.create_topic(name, len(topic.partitions), configs)
        self._before_answer()
        self.model.creating = None
        assert code == errors.NONE
        topic.id = self.broker.topics[name]
        self.model.topics[name] = topic

    def _delete(self) -> None:
        if len(self.model.topics) < 2:
            return
        name = self.random.choice(sorted(self.model.topics))
        self.model.deleting = name
        self.model.forget_offsets(name)
        code = self.broker.delete_topic(name)
        self._before_answer()
        self.model.deleting = None
        assert code == errors.NONE
        del self.model.topics[name]

    def _delete_records(self) -> None:
        found = self._some_partition()
        if found is None:
            return
        name, index, _, partition = found
        before = self.random.randint(0, partition.end)
        partition.highest_start = max(partition.highest_start, before)
        answer = self.broker.delete_records(name, index, before)
        self._before_answer()
        assert answer is not None
        assert answer.error == errors.NONE

    def _pass_time(self) -> None:
        for topic in self.model.topics.values():
            for partition in topic.partitions:
                if topic.retention:
                    partition.highest_start = partition.end
        self.broker.pass_time(self.random.choice((1_000, 6_000, 61_000, 301_000)))
        self._before_answer()

    def _restart(self) -> None:
        self.broker.stop()
        self._before_answer()
        for topic in self.model.topics.values():
            for partition in topic.partitions:
                partition.durable_end = partition.end
        self._start()

    def _kill(self) -> None:
        self.disk.kill()
        self._start()
