"""How to run kafkajs: our program beside npm's packages."""

from pathlib import Path

from compat.client import Client
from compat.node import build

FOLDER = Path(__file__).resolve().parent


def _command() -> list[str]:
    return ["node", str(build.program(FOLDER, build.packages(FOLDER)))]


CLIENT = Client(title="kafkajs", missing=build.missing, command=_command)
