"""How to run Apache Kafka's own tools: by class, from Maven's jars."""

import sys

from compat.client import Client
from compat.kafka import artifacts


def _command() -> list[str]:
    artifacts.class_path()
    return [sys.executable, "-m", "compat.kafka_tools.program"]


CLIENT = Client(title="Apache Kafka's command-line tools", missing=artifacts.missing, command=_command)
