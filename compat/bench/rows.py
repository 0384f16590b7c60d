"""The loads of the table, by measurement and name, and what is wanted of each."""

from collections.abc import Mapping
from typing import Final

from compat.bench.frames import KIB, Batch, batch, small_batch
from compat.bench.loads import Ask, Consume, Latency, Load, Produce
from compat.bench.report import Target

Told = dict[str, Target | None]

BATCHES: Final = Target(1.5, 2)
# Where writing back has been seen to stall everything.
SIX_LARGE: Final = Target(1.5, 2, every_round=1.0)
CONSUMED: Final = Target(1.1, 1.5)
BOTH_PROCESSES: Final = Target(2, 3)
CPU_PRODUCED: Final = Target(0.5, 0.35, smaller_is_better=True)
CPU_CONSUMED: Final = Target(0.7, 0.5, smaller_is_better=True)
CPU_SMALL: Final = Target(0.6, 0.4, smaller_is_better=True)
END_TO_END: Final = Target(0.8, 0.5, smaller_is_better=True)

SMALL: Final = small_batch()
KIB_16: Final = batch(16 * KIB)
KIB_100: Final = batch(100 * KIB)
MIB: Final = batch(KIB * KIB)


def _bytes(target: Target | None, cpu: Target | None = None) -> Told:
    return {"MB/s": target, "CPU/GB": cpu}


def _requests(target: Target | None, cpu: Target | None = None) -> Told:
    return {"req/s": target, "CPU/request": cpu}


def _small(what: str, connections: int, target: Target, *, acks: int = 1, **more: Target | None) -> Produce:
    told: Told = {**_requests(target, CPU_SMALL), "p99": None, **more}
    return Produce(
        what=f"produce 1×100 B, {what}", connections=connections, batch=SMALL, acks=acks, told=told
    )


def _produce(size: str, sent: Batch, partitions: int, cpu: Target | None = None) -> Produce:
    target = SIX_LARGE if (sent, partitions) == (MIB, 6) else BATCHES
    return Produce(
        what=f"produce {size}, {partitions} partition{'s' * (partitions > 1)}",
        connections=6 if partitions == 6 else 4,
        batch=sent,
        partitions=partitions,
        told=_bytes(target, cpu),
    )


def _compressed(codec: str) -> Produce:
    return Produce(
        what=f"produce 100 KiB compressed by {codec}, 1 partition",
        connections=4,
        batch=batch(100 * KIB, codec),
        told=_bytes(BATCHES),
    )


def _consume(size: str, sent: Batch, partitions: int, told: Told) -> Consume:
    what = f"consume {size}, {partitions} partition{'s' * (partitions > 1)}"
    connections = 6 if partitions == 6 else 4
    return Consume(what=what, connections=connections, batch=sent, partitions=partitions, told=told)


def _metadata(partitions: int, connections: int, target: Target | None) -> Ask:
    what = "Metadata of 1 topic" if partitions == 1 else f"Metadata of {partitions:,} partitions"
    return Ask(what=what, connections=connections, partitions=partitions, told=_requests(target))


PRODUCE: Final[Mapping[str, Load]] = {
    "16KiB": _produce("16 KiB", KIB_16, 1),
    "16KiB-6": _produce("16 KiB", KIB_16, 6),
    "100KiB": _produce("100 KiB", KIB_100, 1, CPU_PRODUCED),
    "100KiB-6": _produce("100 KiB", KIB_100, 6),
    "1MiB": _produce("1 MiB", MIB, 1),
    "1MiB-6": _produce("1 MiB", MIB, 6),
    "acks-all": Produce(
        what="produce 100 KiB with acks=all, 1 partition",
        connections=4,
        batch=KIB_100,
        acks=-1,
        told=_bytes(BATCHES),
    ),
    "idempotent": Produce(
        what="produce 100 KiB, idempotent with acks=all, 1 partition",
        connections=4,
        batch=KIB_100,
        acks=-1,
        idempotent=True,
        told=_bytes(BATCHES),
    ),
    **{codec: _compressed(codec) for codec in ("lz4", "zstd", "gzip")},
}

SMALL_PRODUCE: Final[Mapping[str, Load]] = {
    "1": _small("1 connection", 1, Target(2, 3), p50=None),
    "16": _small("16 connections", 16, Target(1.2, 2)),
    "64": _small("64 connections", 64, Target(1.2, 2)),
    "1000": _small("1,000 connections", 1000, Target(1.1, 2)),
    "acks-all": _small("16 connections, acks=all", 16, Target(1.2, 2), acks=-1),
    "idempotent": Produce(
        what="produce 1×100 B, 16 connections, idempotent with acks=all",
        connections=16,
        batch=SMALL,
        acks=-1,
        idempotent=True,
        told=_requests(Target(1.2, 2), CPU_SMALL),
    ),
    "in-flight": Produce(
        what="produce 1×100 B, 16 connections, 8 in flight",
        connections=16,
        in_flight=8,
        batch=SMALL,
        told=_requests(Target(2, 3)),
    ),
}

CONSUME: Final[Mapping[str, Load]] = {
    "16KiB": _consume("16 KiB", KIB_16, 1, _bytes(None)),
    "100KiB": _consume("100 KiB", KIB_100, 1, _bytes(CONSUMED, CPU_CONSUMED)),
    "100KiB-6": _consume("100 KiB", KIB_100, 6, _bytes(CONSUMED)),
    "1MiB": _consume("1 MiB", MIB, 1, _bytes(CONSUMED)),
    "1MiB-6": _consume("1 MiB", MIB, 6, _bytes(CONSUMED)),
    "small": _consume("1×100 B", SMALL, 1, _requests(None)),
}

REQUESTS: Final[Mapping[str, Load]] = {
    "ApiVersions": Ask(what="ApiVersions", connections=16, told=_requests(Target(3, 5))),
    "Metadata": _metadata(1, 16, Target(2.5, 5)),
    "Metadata-100": _metadata(100, 16, Target(4, 5)),
    "Metadata-10000": _metadata(10_000, 4, None),
}

LATENCY: Final[Mapping[str, Load]] = {
    "record": Latency(
        what="1 KiB from produce into a waiting fetch",
        connections=2,
        batch=batch(2 * KIB),
        told={"p50": END_TO_END, "p99": END_TO_END, "CPU/request": None},
    ),
}

PROCESSES: Final[Mapping[str, Load]] = {
    "small": Produce(
        what="produce 1×100 B, 16 connections, two kbroker processes",
        connections=16,
        batch=SMALL,
        partitions=2,
        told=_requests(BOTH_PROCESSES),
    ),
    "100KiB": Produce(
        what="produce 100 KiB, 2 partitions, two kbroker processes",
        connections=4,
        batch=KIB_100,
        partitions=2,
        told=_bytes(BOTH_PROCESSES),
    ),
}
