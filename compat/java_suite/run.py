"""How to run Apache Kafka's integration tests of its Java clients, on a broker that it has not started."""

import sys

from compat.client import Client
from compat.java_suite.program import class_path
from compat.kafka import artifacts


def _command() -> list[str]:
    class_path()
    return [sys.executable, "-m", "compat.java_suite.program"]


CLIENT = Client(
    title="kafka-clients' integration tests",
    missing=lambda: artifacts.missing(compiler=True),
    command=_command,
)
