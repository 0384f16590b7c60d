"""Rounds on brokers that keep running, each warmed up by one more."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from compat.bench.kinds import broker_of
from compat.bench.report import Row
from compat.bench.turns import directory, ended, turns
from compat.brokers import BrokerProcess


def in_rounds(
    rows: list[Row],
    one_round: Callable[[BrokerProcess], Sequence[float]],
    kinds: Sequence[str],
    rounds: int,
    folder: Path,
) -> list[Row]:
    """The rows, filled; a round has a figure for each."""
    with ExitStack() as stack:
        home = stack.enter_context(directory(folder))
        brokers = {kind: stack.enter_context(ended(broker_of(kind, home / kind))) for kind in kinds}
        for broker in brokers.values():
            broker.start()
            one_round(broker)
        for kind in turns(kinds, rounds):
            for row, figure in zip(rows, one_round(brokers[kind]), strict=True):
                row.add(kind, figure)
    return rows
