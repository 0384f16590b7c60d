"""Class paths by Maven, resolved once and remembered.

A list of dependencies is a `pom.xml`; Maven's own repository keeps the jars,
and the user's cache directory the resolved class path, under the hash of the
pom. `missing()` says what the machine lacks.
"""

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

VERSION: Final = "4.3.1"
POM: Final = Path(__file__).with_name("pom.xml")


class ArtifactsFailed(Exception):
    """Maven could not resolve, or javac could not compile."""


def missing(*, compiler: bool = False) -> str | None:
    """The tool that is not installed, if any."""
    for tool in ("java", "mvn", *(["javac"] if compiler else [])):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return None


def cache_directory() -> Path:
    """Where resolved and compiled things are kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    directory = Path(home) / "kbroker-compat"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@functools.cache
def class_path(pom: Path = POM) -> str:
    """The class path of a pom's dependencies."""
    remembered = cache_directory() / f"{_digest(pom)}.classpath"
    if remembered.exists():
        text = remembered.read_text(encoding="utf-8").strip()
        if all(Path(jar).exists() for jar in text.split(os.pathsep)):
            return text
    # Offline first: it is faster, and works where the jars are already there.
    if not _resolve(pom, remembered, "--offline") and not _resolve(pom, remembered):
        raise ArtifactsFailed(f"Maven could not resolve {pom}")
    return remembered.read_text(encoding="utf-8").strip()


def compiled(sources: Path, dependencies: str) -> Path:
    """A directory of classes made from the Java files of `sources`."""
    files = sorted(sources.glob("*.java"))
    classes = cache_directory() / f"{sources.parent.name}-{_digest(*files)}"
    if classes.exists():
        return classes
    work = classes.with_name(f"{classes.name}.{os.getpid()}")
    command: list[str | Path] = [
        "javac",
        "--release",
        "17",
        "-Xlint:all",
        "-cp",
        dependencies,
        "-d",
        work,
        *files,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        shutil.rmtree(work, ignore_errors=True)
        raise ArtifactsFailed(done.stdout + done.stderr)
    try:
        work.rename(classes)
    except OSError:  # Another run was faster.
        shutil.rmtree(work, ignore_errors=True)
    return classes


def _resolve(pom: Path, output: Path, *options: str) -> bool:
    command = [
        *("mvn", "-B", "-q", *options, "-f", str(pom)),
        *("dependency:build-classpath", f"-Dmdep.outputFile={output}"),
    ]
    return (
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=900).returncode
        == 0
    )


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
