"""One kind of broker while it is under load: its processes, its topics, what it holds."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from compat.bench.client import Client, read_answer
from compat.bench.kinds import broker_of
from compat.bench.several import Supervised
from compat.bench.turns import directory, ended, resident_mb
from compat.brokers import BrokerProcess
from compat.wire import receive
from kbroker.protocol.generated.create_partitions_request import (
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kbroker.protocol.generated.init_producer_id_request import InitProducerIdRequest
from kbroker.protocol.generated.list_offsets_request import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)

PROPERTIES: Final = {
    # One run's data must be gone before the next begins.
    "log.segment.delete.delay.ms": "100",
    "log.initial.task.delay.ms": "100",
    # Who stands still while another is measured is not gone.
    "broker.session.timeout.ms": "600000",
}
PATIENCE_S: Final = 60.0
# After that, for what deleting has left to do.
SETTLE_S: Final = 0.3
# Apache Kafka makes fewer than 10,000 partitions in one step.
_AT_ONCE: Final = 5000
_LATEST: Final = -1


class Side:
    """The brokers of one kind: one, or several that know nothing of each other.

    A topic is on each of them, and has its partitions there: of six, three on each of two brokers.
    """

    def __init__(self, kind: str, brokers: Sequence[BrokerProcess]) -> None:
        self.kind = kind
        self.brokers = brokers

    @property
    def pids(self) -> list[int]:
        return [broker.pid for broker in self.brokers]

    def resident_mb(self) -> float:
        return sum(map(resident_mb, self.pids))

    def signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.kill(pid, number)

    def places(self, partitions: int) -> list[tuple[BrokerProcess, int]]:
        """Where each partition of a topic is."""
        each, rest = divmod(partitions, len(self.brokers))
        assert not rest
        return [(broker, partition) for partition in range(each) for broker in self.brokers]

    @contextmanager
    def topic(self, name: str, partitions: int, *, left: bool = False) -> Iterator[None]:
        """A topic that is served, and gone afterwards with all its files, unless it may be left."""
        for broker in self.brokers:
            with Client(broker) as client:
                _create(client, name, partitions // len(self.brokers))
        try:
            yield
        finally:
            for broker in self.brokers:
                if not left:
                    _delete(broker, name)
        time.sleep(SETTLE_S)

    def end_offsets(self, topic: str, partitions: int) -> list[int]:
        """Of each place."""
        return [_end_offset(broker, topic, partition) for broker, partition in self.places(partitions)]

    def producer_ids(self, count: int) -> list[int]:
        """New ones, as many for each broker; the connections go through the brokers in turn."""
        return [_producer_id(self.brokers[number % len(self.brokers)]) for number in range(count)]


@contextmanager
def running(
    kinds: Sequence[str], folder: Path, processes: Mapping[str, int] | None = None
) -> Iterator[list[Side]]:
    """The brokers of each kind, running; by default one process each."""
    with directory(folder), ExitStack() as stack:
        sides = []
        for kind in kinds:
            count = (processes or {}).get(kind, 1)
            if count == 1:
                broker = broker_of(kind, folder / kind, PROPERTIES)
                stack.enter_context(ended(broker)).start()
                sides.append(Side(kind, [broker]))
            else:
                supervised = Supervised(folder / kind, count, PROPERTIES)
                stack.enter_context(ended(supervised)).start()
                sides.append(Side(kind, supervised.nodes()))
        yield sides


@contextmanager
def alone(side: Side, sides: Iterable[Side]) -> Iterator[None]:
    """The others stand still: a compiler that works on after its turn takes from that of others."""
    others = [other for other in sides if other is not side]
    try:
        for other in others:
            other.signal(signal.SIGSTOP)
        yield
    finally:
        for other in others:
            other.signal(signal.SIGCONT)


def asked(broker: BrokerProcess, request: bytes) -> tuple[bytes, Any]:
    """The answer to a frame, without its length, and the message in it."""
    api_key, version = int.from_bytes(request[4:6]), int.from_bytes(request[6:8])
    with Client(broker) as client:
        client.socket.sendall(request)
        data = receive(client.socket)
    return data, read_answer(data, api_key, version)


def _create(client: Client, topic: str, partitions: int) -> None:
    client.create({topic: min(partitions, _AT_ONCE)})
    if partitions > _AT_ONCE:
        more = CreatePartitionsTopic(topic, partitions, None)
        answer = client.ask(CreatePartitionsRequest([more], 30_000), 3)
        assert answer.results[0].error_code == 0, answer
        client.await_served({topic: partitions})


def _producer_id(broker: BrokerProcess) -> int:
    deadline = time.monotonic() + PATIENCE_S
    with Client(broker) as client:
        # Apache Kafka fetches ids in advance, and has none at first.
        while (answer := client.ask(InitProducerIdRequest(None, 60_000), 4)).error_code:
            if time.monotonic() > deadline:
                raise TimeoutError(f"a producer id is refused with error {answer.error_code}")
            time.sleep(0.05)
    found: int = answer.producer_id
    return found


def _end_offset(broker: BrokerProcess, topic: str, partition: int) -> int:
    wanted = ListOffsetsTopic(topic, [ListOffsetsPartition(partition, -1, _LATEST)])
    with Client(broker) as client:
        found = client.ask(ListOffsetsRequest(-1, 0, [wanted]), 5).topics[0].partitions[0]
    assert found.error_code == 0, found
    offset: int = found.offset
    return offset


def _delete(broker: BrokerProcess, topic: str) -> None:
    with Client(broker) as client:
        client.delete(topic)
    _await_files_gone(broker, topic)


def _await_files_gone(broker: BrokerProcess, topic: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while any(broker.data_directory.glob(f"{topic}-[0-9]*")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{broker.kind} keeps files of {topic}")
        time.sleep(0.05)
