"""What is measured, by its name on the command line.

Each is a function of the kinds of brokers, the number of rounds and a folder,
and gives rows. `produce` is all its loads, `produce/16KiB` one of them.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from compat.bench import report, rows
from compat.bench.crowd import CROWD
from compat.bench.generator import Result
from compat.bench.groups import GROUP
from compat.bench.librdkafka import LIBRDKAFKA
from compat.bench.lifecycle import LIFECYCLE
from compat.bench.loads import Load
from compat.bench.partitions import PARTITIONS
from compat.bench.report import Row
from compat.bench.sides import Side, alone, running
from compat.bench.turns import GB, turns

Measurement = Callable[[Sequence[str], int, Path], list[Row]]

RUN_S: Final = 2.0
# A JVM compiles what it sees often: each load is run on each broker before its rounds until it gets no
# cheaper, and the first of all for some time.
WARM_UP_S: Final = 1.0
FIRST_WARM_UP_S: Final = 8.0
LONGEST_WARM_UP_S: Final = 20.0
CHEAPER: Final = 0.9

# What is told of a run: group, end of the row's name, unit, figure.
FIGURES: Final[Mapping[str, tuple[str, str, str, Callable[[Result], float]]]] = {
    "MB/s": (report.THROUGHPUT, "", "MB/s", lambda found: found.bytes / 1e6 / found.seconds),
    "req/s": (report.REQUESTS, "", "req/s", lambda found: found.answers / found.seconds),
    "p50": (report.LATENCY, ", p50", "µs", lambda found: found.p50_us),
    "p99": (report.LATENCY, ", p99", "µs", lambda found: found.p99_us),
    "CPU/GB": (report.CPU, "", "s/GB", lambda found: found.cpu_s * GB / found.bytes),
    "CPU/request": (report.CPU, "", "µs each", lambda found: found.cpu_s * 1e6 / found.answers),
}


def measured(
    loads: Mapping[str, Load],
    kinds: Sequence[str],
    rounds: int,
    folder: Path,
    *,
    processes: Mapping[str, int] | None = None,
    warmed_by: Sequence[Load] = (),
    resident: str = "",
) -> list[Row]:
    """Each load, one after the other, on brokers that run side by side; and what is then resident."""
    found: list[Row] = []
    with running(kinds, folder / "load", processes) as sides:
        for side in sides:
            for load in warmed_by:
                with alone(side, sides), load.opened(side, "warm-up") as run:
                    run(FIRST_WARM_UP_S)
        for number, load in enumerate(loads.values()):
            warm_up_s = 0.0 if number else FIRST_WARM_UP_S
            found += _rows(load, sides, rounds, f"load-{number}", warm_up_s)
        if resident:
            found.append(Row(resident, "MB"))
            for side in sides:
                found[-1].add(side.kind, side.resident_mb())
    return found


def _rows(load: Load, sides: Sequence[Side], rounds: int, topic: str, warm_up_s: float) -> list[Row]:
    told = {
        name: Row(load.what + FIGURES[name][1], FIGURES[name][2], group=FIGURES[name][0], target=target)
        for name, target in load.told.items()
    }
    by_kind = {side.kind: side for side in sides}
    with ExitStack() as lasting:
        runs = {}
        for side in sides:
            if load.lasting:
                runs[side.kind] = lasting.enter_context(load.opened(side, topic))

        def once(kind: str, name: str, seconds: float) -> Result:
            with alone(by_kind[kind], sides):
                if load.lasting:
                    return runs[kind](seconds)
                with load.opened(by_kind[kind], name) as run:
                    return run(seconds)

        for kind in by_kind:
            warm_up(partial(once, kind, f"{topic}-warm"), warm_up_s)
        for number, kind in enumerate(turns([*by_kind], rounds)):
            result = once(kind, f"{topic}-{number}", RUN_S)
            _tell(load, kind, result)
            for name, row in told.items():
                row.add(kind, FIGURES[name][3](result))
    return [*told.values()]


def warm_up(run: Callable[[float], Result], at_least_s: float) -> None:
    """Run until it takes no less CPU for an answer than before."""
    cheapest, warmed_s = math.inf, 0.0
    while warmed_s < LONGEST_WARM_UP_S:
        result = run(WARM_UP_S)
        warmed_s += result.seconds
        cost = result.cpu_s / result.answers
        if warmed_s >= at_least_s and cost > CHEAPER * cheapest:
            return
        cheapest = min(cheapest, cost)


def _tell(load: Load, kind: str, result: Result) -> None:
    """Beside the table: what one run was like, and how busy the generator was."""
    figures = ", ".join(f"{FIGURES[name][3](result):,.4g} {name}" for name in load.told)
    cores = (
        f"broker {result.cpu_s / result.seconds:.2f} cores, client {result.client_cpu_s / result.seconds:.2f}"
    )
    print(f"{kind:8} {load.what}: {figures}; {cores}", file=sys.stderr, flush=True)


# `kbroker --brokers 2`: nodes that know nothing of each other.
_PROCESSES: Final = {"kbroker": 2}
_SMALL: Final = rows.SMALL_PRODUCE["16"]

# Modules of measurements plug in here.
MEASUREMENTS: Final[Mapping[str, Measurement]] = {
    "produce": partial(measured, rows.PRODUCE, resident="resident memory after all loads of batches"),
    # One connection, or a record now and then, compiles nothing.
    "small-produce": partial(measured, rows.SMALL_PRODUCE, warmed_by=(_SMALL,)),
    "consume": partial(measured, rows.CONSUME),
    "requests": partial(measured, rows.REQUESTS),
    "latency": partial(measured, rows.LATENCY, warmed_by=(_SMALL, rows.CONSUME["small"])),
    "processes": partial(measured, rows.PROCESSES, processes=_PROCESSES),
    **LIFECYCLE,
    **CROWD,
    **GROUP,
    **PARTITIONS,
    **LIBRDKAFKA,
}

# Single loads of them, under names such as `produce/16KiB`.
SINGLE: Final[Mapping[str, Measurement]] = {
    f"{name}/{part}": partial(measured, {part: load}, **measurement.keywords | {"resident": ""})
    for name, measurement in MEASUREMENTS.items()
    if isinstance(measurement, partial)
    for part, load in measurement.args[0].items()
}
