"""How to run kcat: the one on the PATH, driven by a program of ours."""

import shutil
import sys

from compat.client import Client


def _missing() -> str | None:
    return None if shutil.which("kcat") else "kcat is not installed"


CLIENT = Client(
    title="kcat (C, librdkafka)",
    missing=_missing,
    command=lambda: [sys.executable, "-m", "compat.kcat.program"],
)
