"""How to run kafka-clients: our Java program, compiled against Maven's jar."""

from pathlib import Path

from compat.client import Client
from compat.kafka import artifacts
from compat.kafka.tools import QUIET, SHORT_LIVED

FOLDER = Path(__file__).resolve().parent


def command(pom: Path, *eras: str) -> list[str]:
    """The program against the kafka-clients of `pom`, with what its era can be asked."""
    folders = (FOLDER / name for name in ("kit", "src", *eras))
    class_path = artifacts.compiled(pom, *folders)
    return ["java", *SHORT_LIVED, *QUIET, "-cp", class_path, "Main"]


CLIENT = Client(
    title="kafka-clients (Java)",
    missing=lambda: artifacts.missing(compiler=True),
    command=lambda: command(FOLDER / "pom.xml", "since_3", "since_4"),
)
