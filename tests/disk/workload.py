"""Clients of a whole broker in memory, with everything that can go wrong between them.

Idempotent producers, readers that go on where they were, a group that commits.
Answers get lost, requests come late, the disk is full or slow, the process is
killed, power fails. What the clients saw becomes a history for the checker.
All of it follows from a seed.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from random import Random

from kbroker.protocol import errors
from kbroker.records.batch import build_batch
from kbroker.records.record import Record
from tests.disk.broker import EARLIEST, LATEST, HeldBroker
from tests.disk.script import SETTINGS
from tests.end_to_end.checker import Commit, History, Outcome, Poll, Send
from tests.handlers.support import DeferringDisk, FakeClock

TOPIC = "t"
PARTITIONS = 2
CONFIGS = {"internal.segment.bytes": "800", "index.interval.bytes": "100", "retention.bytes": "-1"}
# As many batches as a producer may have under way.
MAX_IN_FLIGHT = 5


class _Batch:
    """One batch under way: its records, and its place in the history."""

    def __init__(self, values: list[bytes], sequence: int, call: int) -> None:
        self.values = values
        self.sequence = sequence
        self.call = call


class Producer:
    """An idempotent producer of one partition; epochs are raised as Java's client does it."""

    def __init__(self, name: str, partition: int, producer_id: int) -> None:
        self.name = name
        self.partition = partition
        self.producer_id = producer_id
        self.epoch = 0
        self.sequence = 0

    def bytes_of(self, batch: _Batch, now_ms: int, epoch: int) -> bytes:
        records = [Record(delta, 0, None, value) for delta, value in enumerate(batch.values)]
        return bytes(
            build_batch(
                records,
                base_timestamp=now_ms,
                producer_id=self.producer_id,
                producer_epoch=epoch,
                base_sequence=batch.sequence,
            )
        )


class Workload:
    """`run` lives it; `history` is what was seen."""

    def __init__(self, seed: int, steps: int = 150) -> None:
        self.random = Random(seed)
        self.history = History()
        self._steps = steps
        self._clock = FakeClock()
        self._disk = DeferringDisk()
        self._calls = 0
        self._values = 0
        self._positions = [0] * PARTITIONS
        self._late: list[tuple[int, bytes]] = []
        self._choices: list[tuple[int, Callable[[], None]]] = [
            (30, self._send),
            (8, self._lose_answers),
            (6, self._raise_epoch),
            (4, self._deliver_late),
            (25, self._poll),
            (12, self._commit),
            (4, self._fill_the_disk),
            (5, self._read_during_an_fsync),
            (3, self._kill),
            (3, self._lose_power),
            (2, self._stop),
            (4, self._come_back_as_a_member),
        ]

    def run(self) -> History:
        self._start()
        assert self._broker.create_topic(TOPIC, PARTITIONS, CONFIGS) == errors.NONE
        self._producers = [self._new_producer(f"p{number}", number % PARTITIONS) for number in range(4)]
        weights = [weight for weight, _ in self._choices]
        for _ in range(self._steps):
            self._clock.now_ms += self.random.randint(1, 50)
            [(_, step)] = self.random.choices(self._choices, weights)
            step()
        self._read_to_the_end()
        assert self._broker.defects == []
        return self.history

    def _start(self) -> None:
        self._broker = HeldBroker(self._disk, self._clock, SETTINGS, self.random.random())

    def _new_producer(self, name: str, partition: int) -> Producer:
        producer_id = self._broker.new_producer()
        assert producer_id is not None
        return Producer(name, partition, producer_id)

    # --- producers

    def _next_batch(self, producer: Producer) -> _Batch:
        values = []
        for _ in range(self.random.randint(1, 3)):
            self._values += 1
            values.append(b"%d of %s " % (self._values, producer.name.encode()) * 3)
        self._calls += 1
        batch = _Batch(values, producer.sequence, self._calls)
        producer.sequence += len(values)
        return batch

    def _give(self, producer: Producer, batch: _Batch) -> tuple[Outcome, int]:
        data = producer.bytes_of(batch, self._clock.now_ms, producer.epoch)
        answer = self._broker.produce(TOPIC, producer.partition, data)
        if answer is None:
            return Outcome.UNKNOWN, -1
        return (Outcome.FAILED if answer.error else Outcome.OK), answer.offset

    def _note(self, producer: Producer, batch: _Batch, outcome: Outcome, offset: int) -> None:
        for delta, value in enumerate(batch.values):
            at = offset + delta if outcome is Outcome.OK and offset >= 0 else None
            self.history.sends.append(
                Send(producer.name, producer.partition, value, outcome, at, batch.call, self._clock.now_ms)
            )

    def _send(self) -> None:
        producer = self.random.choice(self._producers)
        batch = self._next_batch(producer)
        self._note(producer, batch, *self._give(producer, batch))

    def _lose_answers(self) -> None:
        """Batches under way whose answers nobody hears are sent again, in order, maybe to a new process."""
        producer = self.random.choice(self._producers)
        batches = [self._next_batch(producer) for _ in range(self.random.randint(1, MAX_IN_FLIGHT))]
        for batch in batches:
            self._give(producer, batch)
        if self.random.random() < 0.3:
            self._kill()
            # After a start a broker knows one batch of each producer, as Kafka does where it has a snapshot.
            for batch in batches[:-1]:
                self._note(producer, batch, Outcome.UNKNOWN, -1)
            batches = batches[-1:]
        for batch in batches:
            self._note(producer, batch, *self._give(producer, batch))

    def _raise_epoch(self) -> None:
        """A request is on its way so long that the producer gives up, raises its epoch and sends again."""
        producer = self.random.choice(self._producers)
        producer.epoch += 1
        producer.sequence = 0
        batch = self._next_batch(producer)
        self._late.append((producer.partition, producer.bytes_of(batch, self._clock.now_ms, producer.epoch)))
        producer.epoch += 1
        self._note(producer, batch, *self._give(producer, batch))

    def _deliver_late(self) -> None:
        while self._late:
            self._broker.produce(TOPIC, *self._late.pop())

    # --- readers

    def _poll(self) -> None:
        partition = self.random.randrange(PARTITIONS)
        self._calls += 1
        read = self._broker.fetch(
            TOPIC, partition, self._positions[partition], self.random.choice((1, 400, 1 << 20))
        )
        for offset, value, _ in read.records:
            self.history.polls.append(
                Poll(f"reader {partition}", partition, offset, value, self._calls, self._clock.now_ms)
            )
            self._positions[partition] = offset + 1

    def _commit(self) -> None:
        partition = self.random.randrange(PARTITIONS)
        offset = self._positions[partition]
        if self._broker.commit(TOPIC, partition, offset) == errors.NONE:
            self.history.commits.append(Commit(partition, offset))

    def _come_back_as_a_member(self) -> None:
        """Somebody asks for the committed offsets, as a member does that takes over."""
        for partition in range(PARTITIONS):
            answer = self._broker.committed(TOPIC, partition)
            assert answer is not None
            if answer.error == errors.NONE and self._has_committed(partition):
                self.history.commits.append(Commit(partition, answer.offset))

    def _has_committed(self, partition: int) -> bool:
        return any(commit.partition == partition for commit in self.history.commits)

    def _read_to_the_end(self) -> None:
        """One reader of everything, from where ListOffsets says it begins to where it says it ends."""
        self._come_back_as_a_member()
        for partition in range(PARTITIONS):
            at = self._broker.list_offset(TOPIC, partition, EARLIEST).offset
            end = self._broker.list_offset(TOPIC, partition, LATEST).offset
            while at < end:
                read = self._broker.fetch(TOPIC, partition, at)
                if not read.records:
                    break
                for offset, value, _ in read.records:
                    if offset < end:
                        self.history.polls.append(Poll("last reader", partition, offset, value))
                at = read.records[-1][0] + 1

    # --- the world

    def _fill_the_disk(self) -> None:
        """Every second write is refused for a while."""
        writes = 0

        def refuse(operation: str, path: str) -> None:
            nonlocal writes
            writes += operation == "write"
            if operation == "write" and writes % 2 and path.endswith(".log"):
                raise OSError(errno.ENOSPC, "No space left on device", path)

        self._disk.on_write = refuse
        producer = self.random.choice(self._producers)
        for _ in range(3):
            batch = self._next_batch(producer)
            outcome, offset = self._give(producer, batch)
            if outcome is Outcome.FAILED:
                # It may send this sequence again, with the next batch.
                producer.sequence = batch.sequence
            self._note(producer, batch, outcome, offset)
        self._disk.on_write = None

    def _read_during_an_fsync(self) -> None:
        """Nobody is told yet that a record is there; then, every other time, power fails."""
        self._broker.held = True
        producer = self.random.choice(self._producers)
        batch = self._next_batch(producer)
        outcome, offset = self._give(producer, batch)
        for _ in range(2):
            self._poll()
        if self.random.random() < 0.5:
            self._lose_power()
            producer.sequence = 0
            producer.epoch += 1
        else:
            self._broker.held = False
            self._broker.finish_turn()
        self._note(producer, batch, outcome, offset)

    def _kill(self) -> None:
        self._disk.offloaded.clear()
        self._disk.kill()
        self._start()

    def _lose_power(self) -> None:
        self._disk.offloaded.clear()
        self._disk.crash(self.random)
        self._start()

    def _stop(self) -> None:
        self._broker.stop()
        self._start()
