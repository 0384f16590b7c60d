"""How to run the journeys of a data directory: with confluent-kafka's client, in this Python."""

import importlib.util
import sys

from compat.client import Client
from compat.kafka import artifacts


def _missing() -> str | None:
    if importlib.util.find_spec("confluent_kafka") is None:
        return "confluent-kafka is not installed"
    return artifacts.missing()


def _command() -> list[str]:
    artifacts.class_path()
    return [sys.executable, "-m", "compat.directory.program"]


CLIENT = Client(title="the data directory, both ways", missing=_missing, command=_command)
