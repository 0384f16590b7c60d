"""How to run kafka-clients: our Java program, compiled against Maven's jar."""

import os
from pathlib import Path

from compat.client import Client
from compat.kafka import artifacts
from compat.kafka.tools import QUIET, SHORT_LIVED

FOLDER = Path(__file__).resolve().parent


def _command() -> list[str]:
    dependencies = artifacts.class_path(FOLDER / "pom.xml")
    classes = artifacts.compiled(FOLDER / "src", dependencies)
    return ["java", *SHORT_LIVED, *QUIET, "-cp", f"{classes}{os.pathsep}{dependencies}", "Main"]


CLIENT = Client(
    title="kafka-clients (Java)",
    missing=lambda: artifacts.missing(compiler=True),
    command=_command,
)
