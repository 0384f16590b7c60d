"""How to run Kafka Connect: workers from Maven's jars, told by a program in Python."""

import sys

from compat.client import Client
from compat.kafka import artifacts
from compat.kafka_connect.worker import POM


def _command() -> list[str]:
    artifacts.class_path(POM)
    return [sys.executable, "-m", "compat.kafka_connect.program"]


CLIENT = Client(title="Kafka Connect", missing=artifacts.missing, command=_command)
