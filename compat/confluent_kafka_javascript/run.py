"""How to run confluent-kafka-javascript: built from the sources in its package."""

import sys

from compat.client import Client
from compat.confluent_kafka_javascript import native
from compat.node import build


def _command() -> list[str]:
    program = build.program(native.FOLDER, native.installed())
    suite = [sys.executable, "-m", "compat.confluent_kafka_javascript.suite"]
    return ["node", str(program), "suite", *suite]


CLIENT = Client(
    title="confluent-kafka-javascript (librdkafka)",
    missing=native.missing,
    command=_command,
)
