"""Rounds on brokers that keep running, each broker warmed up by one more."""

from collections.abc import Callable, Sequence
from pathlib import Path

from compat.bench.report import Row
from compat.bench.sides import Side, alone, running
from compat.bench.turns import turns


def in_rounds(
    rows: list[Row],
    one_round: Callable[[Side], Sequence[float]],
    kinds: Sequence[str],
    rounds: int,
    folder: Path,
) -> list[Row]:
    """The rows, filled; a round has a figure for each."""
    with running(kinds, folder) as sides:
        by_kind = {side.kind: side for side in sides}
        for side in sides:
            with alone(side, sides):
                one_round(side)
        for kind in turns(kinds, rounds):
            with alone(by_kind[kind], sides):
                figures = one_round(by_kind[kind])
            for row, figure in zip(rows, figures, strict=True):
                row.add(kind, figure)
    return rows
