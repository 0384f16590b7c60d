"""How to run confluent-kafka: in this Python, if it is installed."""

import importlib.util
import sys

from compat.client import Client


def _missing() -> str | None:
    installed = importlib.util.find_spec("confluent_kafka") is not None
    return None if installed else "confluent-kafka is not installed"


CLIENT = Client(
    title="confluent-kafka (Python, librdkafka)",
    missing=_missing,
    command=lambda: [sys.executable, "-m", "compat.confluent_kafka.program"],
)
