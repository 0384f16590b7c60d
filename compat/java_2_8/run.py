"""How to run kafka-clients 2.8: the Java program of `compat/java` against an older jar."""

from pathlib import Path

from compat.client import Client
from compat.java import run as java
from compat.kafka import artifacts

FOLDER = Path(__file__).resolve().parent

CLIENT = Client(
    title="kafka-clients (Java)",
    missing=lambda: artifacts.missing(compiler=True),
    command=lambda: java.command(FOLDER / "pom.xml", "until_2", "until_3"),
)
