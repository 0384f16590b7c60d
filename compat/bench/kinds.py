"""What can be measured: the brokers of compat, and kfake for context."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from compat import brokers
from compat.bench.kfake import Kfake
from compat.bench.report import Row
from compat.bench.turns import directory, ended, turns
from compat.brokers import BrokerProcess


def broker_of(kind: str, directory: Path, properties: Mapping[str, str] | None = None) -> BrokerProcess:
    """A broker by its name on the command line."""
    if kind == Kfake.kind:
        return Kfake(directory)
    return brokers.broker_of(kind, directory, properties)


def lasting(kinds: Sequence[str]) -> list[str]:
    """Those that keep anything when they end."""
    return [kind for kind in kinds if kind != Kfake.kind]


def side_by_side(
    rows: list[Row],
    one_round: Callable[[BrokerProcess], Sequence[float]],
    kinds: Sequence[str],
    rounds: int,
    folder: Path,
) -> list[Row]:
    """The rows, filled by rounds on brokers that keep running; a round has a figure for each row.

    The first round on each broker is to warm it up.
    """
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
