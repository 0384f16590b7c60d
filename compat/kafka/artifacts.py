"""Class paths by Maven, resolved once and remembered.

A list of dependencies is a `pom.xml`; Maven's own repository keeps the jars,
and the user's cache directory the resolved class path, under the hash of the
pom. `missing()` says what the machine lacks.
"""

import functools
import os
import shutil
from pathlib import Path
from typing import Final

from compat import artifact
from compat.artifact import BuildFailed

VERSION: Final = "4.3.1"
POM: Final = Path(__file__).with_name("pom.xml")


def missing(*, compiler: bool = False) -> str | None:
    """The tool that is not installed, if any."""
    return artifact.missing_tool("java", "mvn", *(["javac"] if compiler else []))


@functools.cache
def class_path(pom: Path = POM) -> str:
    """The class path of a pom's dependencies; BuildFailed when Maven can not resolve them."""
    remembered = artifact.cache_directory() / f"{artifact.digest(pom)}.classpath"
    if remembered.exists():
        text = remembered.read_text(encoding="utf-8").strip()
        if all(Path(jar).exists() for jar in text.split(os.pathsep)):
            return text
    try:
        # Offline first: it is faster, and works where the jars are already there.
        _resolve(pom, remembered, "--offline")
    except BuildFailed:
        _resolve(pom, remembered)
    return remembered.read_text(encoding="utf-8").strip()


def compiled(pom: Path, *sources: Path) -> str:
    """The class path of a pom and what javac makes of folders of Java; BuildFailed when it refuses."""
    dependencies = class_path(pom)
    files = [file for folder in sources for file in sorted(folder.glob("*.java"))]
    resources = [file for folder in sources for file in sorted(folder.glob("META-INF/services/*"))]

    def build(classes: Path) -> None:
        artifact.run(["javac", "--release", "17", "-Xlint:all", "-cp", dependencies, "-d", classes, *files])
        services = classes / "META-INF" / "services"
        services.mkdir(parents=True)
        for file in resources:
            shutil.copy(file, services)

    classes = artifact.built(pom.parent.name, [pom, *files, *resources], build)
    return f"{classes}{os.pathsep}{dependencies}"


def _resolve(pom: Path, output: Path, *options: str) -> None:
    goal = ("dependency:build-classpath", f"-Dmdep.outputFile={output}")
    artifact.run(["mvn", "-B", "-q", *options, "-f", pom, *goal])
