"""How to run Kafka Streams: our word count, compiled against Maven's jars."""

from pathlib import Path

from compat.client import Client
from compat.java.run import FOLDER as JAVA
from compat.kafka import artifacts
from compat.kafka.tools import QUIET, SHORT_LIVED

FOLDER = Path(__file__).resolve().parent


def _command() -> list[str]:
    class_path = artifacts.compiled(FOLDER / "pom.xml", JAVA / "kit", FOLDER / "src")
    return ["java", *SHORT_LIVED, *QUIET, "-cp", class_path, "Main"]


CLIENT = Client(title="Kafka Streams", missing=lambda: artifacts.missing(compiler=True), command=_command)
