"""Virtual environments for clients in Python, made once from pinned requirements."""

import sys
from pathlib import Path

from compat.artifact import built, run


def environment(requirements: Path) -> Path:
    """The interpreter of an environment that holds what `requirements` names, and nothing else."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    name = f"{requirements.parent.name}-{python}"
    return built(name, [requirements], lambda work: _make(work, requirements)) / "bin" / "python"


def _make(directory: Path, requirements: Path) -> None:
    # It is renamed afterwards: only `bin/python -m …` may be used of it, not its scripts.
    run([sys.executable, "-m", "venv", directory])
    run([directory / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", requirements])
