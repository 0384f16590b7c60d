"""Rust programs, compiled by cargo into the user's cache."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from compat import artifact

_SHARED = Path(__file__).parent


def missing(*tools: str) -> str | None:
    """The tool that is not installed, if any."""
    return artifact.missing_tool("cargo", "cc", *tools)


def program(package: Path) -> Path:
    """The executable of the package in a folder; BuildFailed when cargo refuses."""
    name = f"compat-{package.name}"

    def build(directory: Path) -> None:
        _cargo("build", package)
        shutil.copy2(_target() / "debug" / name, directory)

    return artifact.built(package.name, _sources(package), build) / name


def tests(package: Path, crate: str, names: Sequence[str]) -> Mapping[str, Path]:
    """Name → executable of some of a crate's own integration tests.

    They are compiled as tests of the package that depends on it, whose dev-dependencies are what they need.
    """

    def build(directory: Path) -> None:
        copy = directory / "work" / package.name
        ignored = shutil.ignore_patterns("*.py", "*.md", "*.json", "__pycache__")
        for folder in (package, _SHARED):
            shutil.copytree(folder, directory / "work" / folder.name, ignore=ignored)
        shutil.copytree(_crate(package, crate) / "tests", copy / "tests")
        wanted = [word for name in names for word in ("--test", name)]
        text = _cargo("test", copy, "--no-run", "--message-format", "json-render-diagnostics", *wanted)
        for message in [json.loads(line) for line in text.splitlines() if line.startswith("{")]:
            if message.get("executable") and "test" in message["target"]["kind"]:
                shutil.copy2(message["executable"], directory / message["target"]["name"])
        shutil.rmtree(directory / "work")

    directory = artifact.built(f"{package.name}-tests", _sources(package), build)
    return {name: directory / name for name in names}


def _crate(package: Path, name: str) -> Path:
    """Where cargo keeps the sources of a dependency."""
    options = ("--locked", "--quiet", "--format-version", "1")
    text = artifact.run(["cargo", "metadata", *options, "--manifest-path", package / "Cargo.toml"])
    found = json.loads(text)["packages"]
    return next(Path(each["manifest_path"]).parent for each in found if each["name"] == name)


def _cargo(command: str, package: Path, *options: str) -> str:
    where = ("--manifest-path", str(package / "Cargo.toml"), "--target-dir", str(_target()))
    return artifact.run(["cargo", command, "--locked", "--quiet", *where, *options], timeout_s=1800)


def _target() -> Path:
    """Kept, and common to all, so that a changed program does not compile its libraries again."""
    return artifact.cache_directory() / "cargo"


def _sources(package: Path) -> list[Path]:
    found = (file for folder in (package, _SHARED) for file in folder.rglob("*"))
    return sorted(file for file in found if file.name in ("Cargo.toml", "Cargo.lock") or file.suffix == ".rs")
