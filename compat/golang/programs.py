"""A client's program in Go, built once for the same sources."""

import sys
from pathlib import Path
from typing import Final

from compat import artifact
from compat.client import Client

KIT: Final = Path(__file__).resolve().parent


def client(title: str, folder: Path) -> Client:
    """The client whose Go module is a folder; its program is told how to run the client's own test-suite."""
    name = folder.name
    suite = [sys.executable, "-m", f"compat.{name}.suite"] if folder.joinpath("suite.py").exists() else []
    return Client(
        title=title,
        missing=lambda: artifact.missing_tool("go"),
        command=lambda: [str(built(folder) / name), *suite],
    )


def built(folder: Path) -> Path:
    """The directory that a Go module's program is in, under the folder's name."""
    sources = sorted([*folder.glob("*.go"), *folder.glob("go.*"), *KIT.glob("go.mod"), *KIT.glob("kit/*.go")])

    def build(directory: Path) -> None:
        artifact.run(["go", "build", "-trimpath", "-o", directory / folder.name, "."], cwd=folder)

    return artifact.built(folder.name, sources, build)
