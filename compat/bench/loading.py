"""Loads on brokers that run side by side and take turns: what they come to, and where the time goes."""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from compat.bench import report
from compat.bench.generator import Result
from compat.bench.loads import Load, Run
from compat.bench.profiles import Profile
from compat.bench.report import Row
from compat.bench.sides import Side, alone, running
from compat.bench.turns import GB, turns

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

# Takes what a load came to on a side.
Take = Callable[[Load, Side, Result], None]
# Looks on while a load runs on a side.
Watch = Callable[[Load, Side], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Loads:
    """Loads by their names, one after the other on the same brokers."""

    loads: Mapping[str, Load]
    # How many of each kind of broker, where it is not one.
    processes: Mapping[str, int] = field(default_factory=dict)
    warmed_by: Sequence[Load] = ()
    # The row of what is resident afterwards, if it is told.
    resident: str = ""

    def rows(self, kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
        """What is told of each load."""
        found = {load.what: _told(load) for load in self.loads.values()}

        def take(load: Load, side: Side, result: Result) -> None:
            for name, row in found[load.what].items():
                row.add(side.kind, FIGURES[name][3](result))

        resident = Row(self.resident, "MB")
        with self._running(kinds, folder) as sides:
            self._run(sides, rounds, take, lambda load, side: nullcontext())
            for side in sides:
                resident.add(side.kind, side.resident_mb())
        return [row for told in found.values() for row in told.values()] + [resident] * bool(self.resident)

    def profiles(self, kinds: Sequence[str], rounds: int, folder: Path) -> list[Profile]:
        """Where the processor's time goes under each load."""
        found = {load.what: Profile(load.what, _wanted(load)) for load in self.loads.values()}

        def take(load: Load, side: Side, result: Result) -> None:
            found[load.what].of(side.kind).add(result)

        def watched(load: Load, side: Side) -> AbstractContextManager[None]:
            return found[load.what].watched(side.kind, side.pids, folder)

        with self._running(kinds, folder) as sides:
            self._run(sides, rounds, take, watched)
        return [*found.values()]

    @contextmanager
    def _running(self, kinds: Sequence[str], folder: Path) -> Iterator[list[Side]]:
        with running(kinds, folder / "load", self.processes) as sides:
            for side in sides:
                for load in self.warmed_by:
                    with alone(side, sides), load.opened(side, "warm-up") as run:
                        run(FIRST_WARM_UP_S)
            yield sides

    def _run(self, sides: Sequence[Side], rounds: int, take: Take, watched: Watch) -> None:
        for number, load in enumerate(self.loads.values()):
            warm_up_s = 0.0 if number else FIRST_WARM_UP_S
            _in_turns(load, sides, rounds, f"load-{number}", warm_up_s, take, watched)


def _wanted(load: Load) -> float | None:
    """The ratio of rates."""
    target = load.told.get("MB/s") or load.told.get("req/s")
    return target.at_least if target else None


def _told(load: Load) -> dict[str, Row]:
    return {
        name: Row(load.what + FIGURES[name][1], FIGURES[name][2], group=FIGURES[name][0], target=target)
        for name, target in load.told.items()
    }


def _in_turns(
    load: Load,
    sides: Sequence[Side],
    rounds: int,
    topic: str,
    warm_up_s: float,
    take: Take,
    watched: Watch,
) -> None:
    """The load on each side, warmed up, as often as there are rounds."""
    by_kind = {side.kind: side for side in sides}
    with ExitStack() as lasting:
        opened = {
            side.kind: lasting.enter_context(load.opened(side, topic)) for side in sides if load.lasting
        }

        @contextmanager
        def opened_on(side: Side, name: str) -> Iterator[Run]:
            with alone(side, sides):
                if load.lasting:
                    yield opened[side.kind]
                    return
                with load.opened(side, name) as run:
                    yield run

        def unwatched(side: Side, seconds: float) -> Result:
            with opened_on(side, f"{topic}-warm") as run:
                return run(seconds)

        for side in sides:
            warm_up(partial(unwatched, side), warm_up_s)
        for number, kind in enumerate(turns([*by_kind], rounds)):
            side = by_kind[kind]
            with opened_on(side, f"{topic}-{number}") as run, watched(load, side):
                result = run(RUN_S)
            _tell(load, kind, result)
            take(load, side, result)


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
