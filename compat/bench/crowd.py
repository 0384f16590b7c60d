"""What many connections cost that do nothing, or only wait.

`connections`: how long it takes until 1,000 connections, opened one after
another, have each had an answer to ApiVersions; and what 2,000 such add to
resident memory, each.

`waiting`: 100 consumers at the end of one partition, who ask again whenever
they are told after 500 ms that there is nothing (max.wait 500 ms, min.bytes 1):
the broker's CPU meanwhile, and how long it takes from the sending of one
record of 1 KiB until all 100 have it.
"""

import resource
import selectors
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from compat import wire
from compat.bench import frames
from compat.bench.client import TIMEOUT_S, Client, frame
from compat.bench.kinds import broker_of
from compat.bench.report import MANY, Row, Target
from compat.bench.rounds import in_rounds
from compat.bench.sides import Side
from compat.bench.turns import cpu_s, directory, ended, resident_mb, turns
from compat.brokers import HOST, BrokerProcess
from kbroker.protocol.generated.fetch_request import FetchPartition, FetchRequest, FetchTopic
from kbroker.protocol.generated.produce_request import PartitionProduceData, ProduceRequest, TopicProduceData
from kbroker.records.batch import build_batch
from kbroker.records.record import Record

OPENED: Final = 1000
HELD: Final = 2000
HELD_KB: Final = Target(4, 1, smaller_is_better=True, absolute=True)
# What a broker makes at its first connections only is not theirs.
FIRST: Final = 50
SETTLE_S: Final = 2.0
CONSUMERS: Final = 100
WATCHED_S: Final = 10.0
RECORDS: Final = 50
MAX_WAIT_MS: Final = 500
# Until what was asked is surely waiting at the broker.
PARKED_S: Final = 0.02
_TOPIC: Final = "waiting"
_PRODUCE, _FETCH = 9, 12


def connections(kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    """The time to open connections, and the memory that they hold."""
    opened = Row("1,000 connections opened and answered", "s", group=MANY)
    held = Row("resident memory of an idle connection", "KB", group=MANY, target=HELD_KB)
    _allow_files(HELD + 500)
    for kind in turns(kinds, rounds):
        with (
            directory(folder / "connections") as home,
            ended(broker_of(kind, home)) as broker,
            ExitStack() as stack,
        ):
            broker.start()
            _open(broker, FIRST, stack)
            time.sleep(SETTLE_S)
            before_mb = resident_mb(broker.pid)
            started_at_s = time.monotonic()
            _open(broker, OPENED, stack)
            opened.add(kind, time.monotonic() - started_at_s)
            _open(broker, HELD - OPENED, stack)
            time.sleep(SETTLE_S)
            held.add(kind, (resident_mb(broker.pid) - before_mb) * 1024 / HELD)
    return [opened, held]


def waiting(kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    """The CPU of long polls that find nothing, and one record for all who wait."""
    idle = Row("CPU a second with 100 idle long-polling consumers", "ms", group=MANY)
    woken = Row("one record to 100 waiting consumers, p50 until the last has it", "ms", group=MANY)
    return in_rounds([idle, woken], _waited, kinds, rounds, folder / "waiting")


CROWD: Final[Mapping[str, Callable[[Sequence[str], int, Path], list[Row]]]] = {
    "connections": connections,
    "waiting": waiting,
}


def _waited(side: Side) -> list[float]:
    (broker,) = side.brokers
    with side.topic(_TOPIC, 1), ExitStack() as stack:
        crowd = _Crowd(broker, stack)
        return [crowd.wait(WATCHED_S), statistics.median(crowd.record() for _ in range(RECORDS))]


class _Crowd:
    """Consumers at the end of one partition, and one producer."""

    def __init__(self, broker: BrokerProcess, stack: ExitStack) -> None:
        self._pid = broker.pid
        self._producer = stack.enter_context(Client(broker))
        self._consumers = [stack.enter_context(Client(broker)) for _ in range(CONSUMERS)]
        self._selector = stack.enter_context(selectors.DefaultSelector())
        for consumer in self._consumers:
            self._selector.register(consumer, selectors.EVENT_READ, consumer)
        batch = build_batch([Record(0, 0, None, bytes(1024))], base_timestamp=int(time.time() * 1000))
        data = [TopicProduceData(_TOPIC, partition_data=[PartitionProduceData(0, memoryview(batch))])]
        self._produce = frame(ProduceRequest(None, 1, 30_000, data), _PRODUCE)
        self._offset = 0

    def wait(self, duration_s: float) -> float:
        """Everybody polls in turn and gets nothing; the broker's CPU in ms for each second."""
        for consumer in self._consumers:
            self._ask(consumer)
            time.sleep(MAX_WAIT_MS / 1000 / CONSUMERS)
        started_at_s, before_s = time.monotonic(), cpu_s(self._pid)
        while time.monotonic() < started_at_s + duration_s:
            for consumer in self._answered():
                self._ask(consumer)
        spent_ms = (cpu_s(self._pid) - before_s) * 1000 / (time.monotonic() - started_at_s)
        self._all_answered()
        return spent_ms

    def record(self) -> float:
        """ms from sending one record until everybody has it."""
        for consumer in self._consumers:
            self._ask(consumer)
        time.sleep(PARKED_S)
        started_at_s = time.monotonic()
        self._producer.socket.sendall(self._produce)
        self._all_answered()
        took_ms = (time.monotonic() - started_at_s) * 1000
        self._producer.receive(wire.PRODUCE, _PRODUCE)
        self._offset += 1
        return took_ms

    def _ask(self, consumer: Client) -> None:
        partition = FetchPartition(0, -1, self._offset, partition_max_bytes=1 << 20)
        topics = [FetchTopic(_TOPIC, partitions=[partition])]
        consumer.send(
            FetchRequest(max_wait_ms=MAX_WAIT_MS, min_bytes=1, max_bytes=1 << 20, topics=topics), _FETCH
        )

    def _answered(self) -> list[Client]:
        """Those who have an answer now; what it says is theirs."""
        ready = [key.data for key, _ in self._selector.select(TIMEOUT_S)]
        assert ready, f"no answer within {TIMEOUT_S:.0f} s"
        for consumer in ready:
            wire.receive(consumer.socket)
        return ready

    def _all_answered(self) -> None:
        missing = set(self._consumers)
        while missing:
            missing -= set(self._answered())


def _open(broker: BrokerProcess, count: int, stack: ExitStack) -> None:
    """Connect one after another; then ask on all, and read all answers."""
    connections = [
        stack.enter_context(closing(wire.connect(HOST, broker.port, TIMEOUT_S))) for _ in range(count)
    ]
    for connection in connections:
        connection.sendall(frames.api_versions())
    for connection in connections:
        wire.receive(connection)


def _allow_files(count: int) -> None:
    """As many open files as that, for us and the brokers we start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
