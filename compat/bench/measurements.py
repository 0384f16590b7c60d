"""What is measured: CPU per GB here, the rest in modules of their own."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from compat.bench.crowd import CROWD
from compat.bench.groups import GROUP
from compat.bench.librdkafka import LIBRDKAFKA
from compat.bench.lifecycle import LIFECYCLE
from compat.bench.load import Load
from compat.bench.partitions import PARTITIONS
from compat.bench.report import Row
from compat.bench.turns import GB, cpu_s, directory, resident_mb, turns
from compat.brokers import BrokerProcess, broker_of

LOAD_BYTES: Final = GB // 2
# Between rounds, for what the last one has left behind to be deleted and written.
SETTLE_S: Final = 3.0


def cpu(kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    """CPU of the broker process per GB of 100 KiB batches, one partition, acks=1."""
    produced = Row("CPU per GB produced in 100 KiB batches", "s")
    consumed = Row("CPU per GB consumed in 100 KiB batches", "s")
    produced_rate = Row("produced in 100 KiB batches, one client thread", "MB/s")
    consumed_rate = Row("consumed in 100 KiB batches, one client thread", "MB/s")
    resident = Row("resident memory after that", "MB")
    with directory(folder / "cpu") as home:
        brokers = {kind: broker_of(kind, home / kind) for kind in kinds}
        try:
            for broker in brokers.values():
                broker.start()
                _load(broker, "warm-up")
            for number, kind in enumerate(turns(kinds, rounds)):
                produce, consume = _load(brokers[kind], f"round-{number}")
                for cpu_row, rate_row, (cpu_seconds, seconds) in (
                    (produced, produced_rate, produce),
                    (consumed, consumed_rate, consume),
                ):
                    cpu_row.add(kind, cpu_seconds)
                    rate_row.add(kind, 1000 / seconds)
            for kind, broker in brokers.items():
                resident.add(kind, resident_mb(broker.pid))
        finally:
            for broker in brokers.values():
                broker.kill()
    return [produced, consumed, produced_rate, consumed_rate, resident]


MEASUREMENTS: Final[dict[str, Callable[[Sequence[str], int, Path], list[Row]]]] = {
    **LIFECYCLE,
    **CROWD,
    **GROUP,
    **PARTITIONS,
    **LIBRDKAFKA,
    "cpu": cpu,
}


def _load(broker: BrokerProcess, topic: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """(CPU seconds, seconds) per GB produced, and consumed."""
    load = Load(broker, topic)
    try:
        return _measured(broker, load.produce), _measured(broker, load.fetch)
    finally:
        load.close()
        time.sleep(SETTLE_S)


def _measured(broker: BrokerProcess, work: Callable[[int], int]) -> tuple[float, float]:
    started_s, cpu_before_s = time.monotonic(), cpu_s(broker.pid)
    done_bytes = work(LOAD_BYTES)
    return (
        (cpu_s(broker.pid) - cpu_before_s) * GB / done_bytes,
        (time.monotonic() - started_s) * GB / done_bytes,
    )
