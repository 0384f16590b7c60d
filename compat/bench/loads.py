"""What is asked of a broker under load.

A load is opened on a side, and can then be run there. It proves before and
after that the broker does what it says: what was acknowledged is in the log,
and what is fetched is what was produced.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from compat.bench import frames
from compat.bench.frames import Batch
from compat.bench.generator import Answer, Fetch, Plan, Producer, Result, Stream, run
from compat.bench.report import Target
from compat.bench.sides import PATIENCE_S, Side, asked
from compat.bench.turns import BYTES_AT_MOST, touch_memory
from compat.brokers import BrokerProcess

# Of what is not measured at the beginning of each run.
_WARM_UP_S: Final = 0.3
# Batches from here on fill memory.
_MUCH_BYTES: Final = 16_000
_FILLED_BYTES: Final = 300_000_000
_FILLED_BATCHES: Final = 20_000
_FILLING_CONNECTIONS: Final = 4
# At most, however little is there then.
_FILLING_S: Final = 30.0
# Of the fetch that waits for one record: it never gives up.
_WAIT_MS: Final = 60_000

Run = Callable[[float], Result]


@dataclass(frozen=True, kw_only=True)
class Load:
    """Connections, each with so many requests in flight, in a closed loop."""

    what: str
    connections: int
    in_flight: int = 1
    # What is told of it, by the names of `measurements.FIGURES`, and what that must reach.
    told: Mapping[str, Target | None] = field(default_factory=dict)
    # Whether it leaves its topic as it was, so that one does for all rounds.
    lasting: ClassVar = True
    # Where a run ends that has not used up its time; 0 is never.
    bytes_at_most: ClassVar = 0

    def opened(self, side: Side, topic: str) -> AbstractContextManager[Run]:
        """What runs it for so many seconds, on a topic that is there until then."""
        raise NotImplementedError

    def plan(self, side: Side, streams: Sequence[Stream], seconds: float) -> Plan:
        return Plan(
            hello=frames.api_versions(),
            streams=streams,
            pids=side.pids,
            connections=self.connections,
            in_flight=self.in_flight,
            warm_up_s=_WARM_UP_S,
            seconds=seconds,
            bytes_at_most=self.bytes_at_most,
        )


@dataclass(frozen=True, kw_only=True)
class Produce(Load):
    """One batch a request, each connection to one partition."""

    batch: Batch
    partitions: int = 1
    acks: int = 1
    idempotent: bool = False
    lasting: ClassVar = False
    # What is written fills memory.
    bytes_at_most: ClassVar = BYTES_AT_MOST

    @contextmanager
    def opened(self, side: Side, topic: str) -> Iterator[Run]:
        with side.topic(topic, self.partitions):
            ids = side.producer_ids(self.connections) if self.idempotent else []
            streams = [
                produce_stream(broker, topic, partition, self.batch, self.acks, ids)
                for broker, partition in side.places(self.partitions)
            ]

            def once(seconds: float) -> Result:
                before = sum(side.end_offsets(topic, self.partitions))
                if len(self.batch.data) >= _MUCH_BYTES:
                    touch_memory(side.brokers[0].data_directory.parent)
                result = run(self.plan(side, streams, seconds))
                stored = sum(side.end_offsets(topic, self.partitions)) - before
                assert stored == result.total * self.batch.records, (
                    f"{result.total} batches, {stored} records"
                )
                return result

            yield once


@dataclass(frozen=True, kw_only=True)
class Consume(Load):
    """One batch a request; each connection goes through a partition of its own pace and beginning."""

    batch: Batch
    partitions: int = 1

    @contextmanager
    def opened(self, side: Side, topic: str) -> Iterator[Run]:
        with side.topic(topic, self.partitions):
            places = side.places(self.partitions)
            fill = [produce_stream(broker, topic, partition, self.batch, 1) for broker, partition in places]
            batches = min(_FILLED_BATCHES, _FILLED_BYTES // len(self.batch.data))
            run(
                Plan(
                    hello=frames.api_versions(),
                    streams=fill,
                    pids=side.pids,
                    connections=_FILLING_CONNECTIONS * len(fill),
                    seconds=_FILLING_S,
                    answers_at_most=batches,
                )
            )
            ends = side.end_offsets(topic, self.partitions)
            streams = [
                fetch_stream(broker, topic, partition, self.batch, end)
                for (broker, partition), end in zip(places, ends, strict=True)
            ]
            yield lambda seconds: run(self.plan(side, streams, seconds))


@dataclass(frozen=True, kw_only=True)
class Ask(Load):
    """Metadata of one topic with so many partitions, or ApiVersions."""

    partitions: int = 0

    @contextmanager
    def opened(self, side: Side, topic: str) -> Iterator[Run]:
        if not self.partitions:
            streams = [_asking_stream(broker, frames.api_versions()) for broker in side.brokers]
            yield lambda seconds: run(self.plan(side, streams, seconds))
            return
        # It is empty, and to delete 10,000 partitions takes longer than all else.
        with side.topic(topic, self.partitions, left=True):
            await_led(side, topic, self.partitions)
            streams = [_asking_stream(broker, frames.metadata(topic)) for broker in side.brokers]
            yield lambda seconds: run(self.plan(side, streams, seconds))


@dataclass(frozen=True, kw_only=True)
class Latency(Load):
    """One record at a time into a fetch that waits at the end of the log."""

    batch: Batch
    lasting: ClassVar = False

    @contextmanager
    def opened(self, side: Side, topic: str) -> Iterator[Run]:
        broker = side.brokers[0]
        with side.topic(topic, 1):
            sent = produce_stream(broker, topic, 0, self.batch, 1)

            def once(seconds: float) -> Result:
                (end,) = side.end_offsets(topic, 1)
                fetched = fetch_stream(broker, topic, 0, self.batch, end, waits=True)
                plan = Plan(
                    hello=frames.api_versions(),
                    streams=[fetched, sent],
                    pids=side.pids,
                    connections=2,
                    warm_up_s=_WARM_UP_S,
                    seconds=seconds,
                    latency=True,
                )
                return run(plan)

            yield once


def produce_stream(
    broker: BrokerProcess, topic: str, partition: int, batch: Batch, acks: int, ids: Sequence[int] = ()
) -> Stream:
    """Produced once already, when the partition was ready for it."""
    request = frames.produce(topic, partition, batch, acks)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        data, answer = asked(broker, request)
        found = answer.responses[0].partition_responses[0]
        if found.error_code == 0:
            break
        # Apache Kafka names leaders before they lead.
        if time.monotonic() > deadline:
            raise TimeoutError(f"produce to {topic} is answered with error {found.error_code}")
        time.sleep(0.05)
    code_at = frames.place(
        lambda: frames.answer_bytes(answer, frames.PRODUCE_VERSION), found, "error_code", 2
    )
    producer = Producer(request.index(batch.data), batch.records, ids) if ids else None
    return Stream(broker.bootstrap, request, len(batch.data), Answer(len(data), [code_at]), producer=producer)


def fetch_stream(
    broker: BrokerProcess, topic: str, partition: int, batch: Batch, end: int, *, waits: bool = False
) -> Stream:
    """Through all of a partition that holds this batch again and again; or one that waits at its end."""
    for offset in (0, end - batch.records):
        request = frames.fetch(topic, partition, offset, len(batch.data))
        data, answer = asked(broker, request)
        found = answer.responses[0].partitions[0]
        assert (answer.error_code, found.error_code) == (0, 0), answer
        records = bytes(found.records)
        # All but what the broker writes: base offset, leader epoch.
        assert records[:8] == offset.to_bytes(8), records[:8]
        assert records[8:12] + records[16:] == batch.data[8:12] + batch.data[16:], "other records"

    def encoded() -> bytes:
        return frames.answer_bytes(answer, frames.FETCH_VERSION)

    codes = [frames.place(encoded, owner, "error_code", 2) for owner in (answer, found)]
    shape = Answer(len(data), codes, data.index(records))
    at = frames.fetch_offset_at(topic)
    if waits:
        request = frames.fetch(topic, partition, end, len(batch.data), _WAIT_MS)
        steps = Fetch(at, batch.records, end, 0)
    else:
        steps = Fetch(at, batch.records, 0, end)
    return Stream(broker.bootstrap, request, len(batch.data), shape, fetch=steps)


def await_led(side: Side, topic: str, partitions: int) -> None:
    """Until Metadata names a leader for each partition."""
    deadline = time.monotonic() + PATIENCE_S
    for broker in side.brokers:
        while not _led(asked(broker, frames.metadata(topic))[1], partitions // len(side.brokers)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all of {topic} has leaders")
            time.sleep(0.1)


def _led(answer: Any, partitions: int) -> bool:
    (found,) = answer.topics
    return (
        found.error_code == 0
        and len(found.partitions) == partitions
        and all(partition.error_code == 0 and partition.leader_id >= 0 for partition in found.partitions)
    )


def _asking_stream(broker: BrokerProcess, request: bytes) -> Stream:
    # An error would have another length.
    data, _ = asked(broker, request)
    return Stream(broker.bootstrap, request, len(data), Answer(len(data)))
