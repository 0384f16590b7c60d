"""Node programs: their packages from npm, and our sources beside them, in the cache."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from compat.artifact import built, missing_tool, run

SHARED = Path(__file__).resolve().parent


def missing(major: int = 18) -> str | None:
    """Why programs can not be run here: no npm, or an older Node than this."""
    if reason := missing_tool("node", "npm"):
        return reason
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < major:
        return f"Node {version} is older than {major}"
    return None


def packages(
    folder: Path, finish: Callable[[Path], None] = lambda work: None, recipe: Sequence[Path] = ()
) -> Path:
    """What a folder's lock file names, installed; none of it is run but by `finish`, which `recipe` holds."""
    locked = [folder / "package.json", folder / "package-lock.json"]

    def install(work: Path) -> None:
        for file in locked:
            shutil.copy(file, work)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=work)
        finish(work)

    return built(f"{folder.name}-packages", [*locked, *recipe], install)


def program(folder: Path, installed: Path) -> Path:
    """The folder's `program.js`, where it finds the shared files and its packages.

    Modules look for packages in the folders above them, so the sources go to the cache, with a link there.
    """
    sources = [*sorted(SHARED.glob("*.js")), *sorted(folder.glob("*.js")), folder / "package.json"]

    def place(work: Path) -> None:
        for source in sources:
            target = work / source.parent.name / source.name
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
        shutil.copy(folder / "package.json", work)
        (work / "node_modules").symlink_to(installed / "node_modules")

    name = f"{folder.name}-{installed.name.rpartition('-')[2]}"
    return built(name, sources, place) / folder.name / "program.js"
