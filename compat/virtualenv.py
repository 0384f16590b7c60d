"""Virtual environments for clients in Python, made once from pinned requirements."""

import importlib.util
import platform
import sys
from pathlib import Path

from compat.artifact import built, run


def missing() -> str | None:
    """Why no environment can be made here, or None."""
    found = importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")
    return None if found else "this Python can not make virtual environments"


def environment(requirements: Path) -> Path:
    """The interpreter of an environment that holds what `requirements` names, and nothing else."""
    name = f"{requirements.parent.name}-python{platform.python_version()}"
    return built(name, [requirements], lambda work: _make(work, requirements)) / "bin" / "python"


def _make(directory: Path, requirements: Path) -> None:
    # It is renamed afterwards: only `bin/python -m …` may be used of it, not its scripts.
    run([sys.executable, "-m", "venv", directory])
    run([directory / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", requirements])
