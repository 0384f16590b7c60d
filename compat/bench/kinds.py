"""What can be measured: the brokers of compat, and kfake for context."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from compat import brokers
from compat.bench.kfake import Kfake
from compat.brokers import BrokerProcess


def broker_of(kind: str, directory: Path, properties: Mapping[str, str] | None = None) -> BrokerProcess:
    """A broker by its name on the command line."""
    if kind == Kfake.kind:
        return Kfake(directory)
    return brokers.broker_of(kind, directory, properties)


def lasting(kinds: Sequence[str]) -> list[str]:
    """Those that keep anything when they end."""
    return [kind for kind in kinds if kind != Kfake.kind]
