"""`python -m compat --diff`: start both, ask, compare, report."""

import contextlib
import importlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from compat.brokers import BrokerProcess, broker_of
from compat.diff import report
from compat.diff.explained import EXPLAINED
from compat.diff.sides import Side
from compat.diff.world import World
from compat.kafka import artifacts

# Properties both know, where their defaults differ or make a run slow.
PROPERTIES: Final = {
    "kbroker": {"kbroker.mode": "kafka"},
    "kafka": {},
    "both": {"offsets.topic.num.partitions": "4"},
}

THEMES: Final = ("offsets", "produce")


def main(only: Sequence[str] = ()) -> int:
    """The exit code: 0 when every difference is explained."""
    if reason := artifacts.missing():
        print(f"Apache Kafka can not be run here: {reason}")
        return 1
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="compat-diff-") as folder, contextlib.ExitStack() as stack:
        world = World(*(_side(kind, Path(folder), stack) for kind in ("kbroker", "kafka")))
        for theme in only or THEMES:
            began_at = time.monotonic()
            before = world.ledger.asked.total()
            importlib.import_module(f"compat.diff.cases.{theme}").run(world)
            print(f"{theme}: {world.ledger.asked.total() - before} requests, {time.monotonic() - began_at:.1f} s", flush=True)
    return _report(world, complete=not only, seconds=time.monotonic() - started_at)


def _side(kind: str, folder: Path, stack: contextlib.ExitStack) -> Side:
    broker = broker_of(kind, folder / kind, {**PROPERTIES["both"], **PROPERTIES[kind]})
    stack.callback(_end, broker)
    broker.start()
    side = Side(broker)
    stack.callback(side.close)
    return side


def _end(broker: BrokerProcess) -> None:
    try:
        broker.stop()
    finally:
        broker.kill()


def _report(world: World, *, complete: bool, seconds: float) -> int:
    unexplained, counts = report.judge(world.ledger, EXPLAINED)
    for found in unexplained:
        print(report.text(found))
    idle = [why for why, count in counts.items() if not count] if complete else []
    for why in idle:
        print(f"explains nothing any more: {why}")
    asked = world.ledger.asked
    print(", ".join(f"{api} {count}" for api, count in sorted(asked.items())))
    print(f"{asked.total()} requests compared in {seconds:.0f} s: {counts.total()} differences explained, "
          f"{len(unexplained)} requests with unexplained ones")
    if complete and not unexplained and not idle:
        report.save(world.ledger, counts)
    return 1 if unexplained or idle else 0
