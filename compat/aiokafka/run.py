"""How to run aiokafka: in an environment of its own."""

from pathlib import Path

from compat.client import Client
from compat.virtualenv import environment, missing

REQUIREMENTS = Path(__file__).with_name("requirements.txt")

CLIENT = Client(
    title="aiokafka (Python, asyncio)",
    missing=missing,
    command=lambda: [str(environment(REQUIREMENTS)), "-m", "compat.aiokafka.program"],
)
