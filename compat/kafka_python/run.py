"""How to run kafka-python: in an environment of its own."""

from pathlib import Path

from compat.client import Client
from compat.virtualenv import environment

REQUIREMENTS = Path(__file__).with_name("requirements.txt")

CLIENT = Client(
    title="kafka-python",
    missing=lambda: None,
    command=lambda: [str(environment(REQUIREMENTS)), "-m", "compat.kafka_python.program"],
)
