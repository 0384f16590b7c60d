"""What a broker costs that is only started, stopped and killed.

`startup`: from spawning the process to the first answered Metadata that names
a broker: the first time (which formats the directory: kbroker does so by
itself, Apache Kafka by a tool), after a clean stop, after kill -9; and how long
a clean stop takes. Nobody has written anything.

`memory`: resident memory 5 s after the start.

`recovery`: 1 GB in six partitions, in batches of 1 MiB with acks=1, none of it
flushed by us. What is resident then; the start after kill -9, the clean stop
after that, and the start after it.

After kill -9 Apache Kafka waits for the end of its former self's session, 9 s.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from compat.bench.client import Client, frame
from compat.bench.kinds import broker_of, lasting
from compat.bench.report import Row, Target
from compat.bench.turns import GB, directory, ended, resident_mb, seconds, turns
from compat.brokers import BrokerProcess
from kbroker.protocol.generated.produce_request import PartitionProduceData, ProduceRequest, TopicProduceData
from kbroker.records.batch import build_batch
from kbroker.records.record import Record

IDLE_S: Final = 5.0
FILLED_BYTES: Final = GB
PARTITIONS: Final = 6
START_TIMEOUT_S: Final = 120.0
START: Final = Target(0.08, 0.05, smaller_is_better=True)
RESIDENT: Final = Target(0.15, 0.1, smaller_is_better=True)
RECOVERED: Final = Target(0.5, 0.2, smaller_is_better=True)
_RECORD_BYTES: Final = 1024
RECORDS: Final = 1008


def startup(kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    """Starts and a stop with nothing in the log."""
    first = Row("first start to first answered Metadata, formatting included", "s", target=START)
    stop = Row("clean stop", "s")
    stopped = Row("start after a clean stop", "s", target=START)
    killed = Row("start after kill -9", "s")
    for kind in turns(lasting(kinds), rounds):
        with directory(folder / "startup") as home, ended(_broker(kind, home)) as broker:
            first.add(kind, seconds(broker.start))
            stop.add(kind, seconds(broker.stop))
            stopped.add(kind, broker.measured_start())
            broker.kill()
            killed.add(kind, broker.measured_start())
    return [first, stop, stopped, killed]


def memory(kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    """Resident memory when nobody has asked for anything."""
    row = Row("resident memory, idle", "MB", target=RESIDENT)
    for kind in turns(kinds, rounds):
        with directory(folder / "memory") as home, ended(_broker(kind, home)) as broker:
            broker.start()
            time.sleep(IDLE_S)
            row.add(kind, resident_mb(broker.pid))
    return [row]


def recovery(kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    """Starts and a stop with 1 GB in the log."""
    resident = Row("resident memory after 1 GB produced", "MB")
    killed = Row("start after kill -9 with 1 GB not flushed", "s", target=RECOVERED)
    stop = Row("clean stop after that", "s")
    stopped = Row("start after a clean stop with 1 GB", "s")
    for kind in turns(lasting(kinds), rounds):
        with directory(folder / "recovery") as home, ended(_broker(kind, home)) as broker:
            broker.start()
            fill(broker, FILLED_BYTES)
            resident.add(kind, resident_mb(broker.pid))
            broker.kill()
            killed.add(kind, broker.measured_start())
            stop.add(kind, seconds(broker.stop))
            stopped.add(kind, broker.measured_start())
    return [resident, killed, stop, stopped]


LIFECYCLE: Final[Mapping[str, Callable[[Sequence[str], int, Path], list[Row]]]] = {
    "startup": startup,
    "memory": memory,
    "recovery": recovery,
}


def fill(broker: BrokerProcess, total_bytes: int) -> None:
    """Produce so many bytes, one batch in flight for each partition."""
    batch = mib_batch()
    frames = [frame(_produce("filled", partition, batch), 9) for partition in range(PARTITIONS)]
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(broker)) for _ in frames]
        clients[0].create({"filled": PARTITIONS})
        for _ in range(total_bytes // (len(batch) * PARTITIONS)):
            for client, data in zip(clients, frames, strict=True):
                client.socket.sendall(data)
            for client in clients:
                answer = client.receive(ProduceRequest.API_KEY, 9)
                code = answer.responses[0].partition_responses[0].error_code
                assert code == 0, f"produce answered {code}"


def _broker(kind: str, home: Path) -> BrokerProcess:
    broker = broker_of(kind, home)
    broker.start_timeout_s = START_TIMEOUT_S
    return broker


def mib_batch() -> bytearray:
    """A batch of 1 MiB, as large as a topic takes by default."""
    value = bytes(_RECORD_BYTES)
    records = [Record(number, 0, None, value) for number in range(RECORDS)]
    return build_batch(records, base_timestamp=int(time.time() * 1000))


def _produce(topic: str, partition: int, batch: bytearray) -> ProduceRequest:
    data = PartitionProduceData(partition, memoryview(batch))
    return ProduceRequest(None, 1, 30_000, [TopicProduceData(topic, partition_data=[data])])
