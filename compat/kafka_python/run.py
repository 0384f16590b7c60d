"""How to run kafka-python: in an environment of its own."""

from compat.client import Client
from compat.kafka_python.own_suite import REQUIREMENTS, unpacked
from compat.virtualenv import environment, missing


def _command() -> list[str]:
    python = environment(REQUIREMENTS)
    return [str(python), "-m", "compat.kafka_python.program", str(unpacked(python))]


CLIENT = Client(title="kafka-python", missing=missing, command=_command)
