"""`python -m compat --diff`: start both, ask, compare, report."""

import contextlib
import importlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from compat.brokers import BrokerProcess
from compat.diff import report
from compat.diff.explained import EXPLAINED
from compat.diff.pair import brokers
from compat.diff.sides import Side
from compat.diff.world import World
from compat.kafka import artifacts

# What leaves traces that others would see comes later.
THEMES: Final = (
    *("wire", "offsets", "topics", "configs", "commits"),
    *("fetch", "groups", "produce", "cluster"),
)


def main(only: Sequence[str] = ()) -> int:
    """The exit code: 0 when every difference is explained."""
    if reason := artifacts.missing():
        print(f"Apache Kafka can not be run here: {reason}")
        return 1
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="compat-diff-") as folder, contextlib.ExitStack() as stack:
        world = World(*(_started(broker, stack) for broker in brokers(Path(folder))))
        world.ready()
        try:
            for theme in only or THEMES:
                _run(theme, world)
        finally:
            code = _report(world, complete=not only, seconds=time.monotonic() - started_at)
    return code


def _run(theme: str, world: World) -> None:
    began_at, before = time.monotonic(), world.ledger.asked.total()
    importlib.import_module(f"compat.diff.cases.{theme}").run(world)
    asked = world.ledger.asked.total() - before
    print(f"{theme}: {asked} requests, {time.monotonic() - began_at:.1f} s", flush=True)


def _started(broker: BrokerProcess, stack: contextlib.ExitStack) -> Side:
    # Its directory goes too: nothing needs to be put in order.
    stack.callback(broker.kill)
    broker.start()
    side = Side(broker)
    stack.callback(side.close)
    return side


def _report(world: World, *, complete: bool, seconds: float) -> int:
    unexplained, counts = report.judge(world.ledger, EXPLAINED)
    for text in report.grouped(unexplained):
        print(text)
    idle = [why for why, count in counts.items() if not count] if complete else []
    for why in idle:
        print(f"explains nothing any more: {why}")
    asked = world.ledger.asked
    print(", ".join(f"{api} {count}" for api, count in sorted(asked.items())))
    print(
        f"{asked.total()} requests compared in {seconds:.0f} s: {counts.total()} differences explained, "
        f"{len(unexplained)} requests with unexplained ones"
    )
    if complete and not unexplained and not idle:
        report.save(world.ledger, counts)
    return 1 if unexplained or idle else 0
