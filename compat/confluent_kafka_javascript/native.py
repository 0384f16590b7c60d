"""The client's package, with all that has to be compiled in it: binding, librdkafka, librdkafka's tests."""

import os
import shutil
from pathlib import Path
from typing import Final

from compat.artifact import missing_tool, run
from compat.node import build

FOLDER: Final = Path(__file__).resolve().parent
PACKAGE: Final = Path("node_modules", "@confluentinc", "kafka-javascript")


def missing() -> str | None:
    """Why it can not be compiled here."""
    if reason := build.missing() or missing_tool("g++", "make", "python3"):
        return reason
    return None if _node().joinpath("include", "node", "node.h").exists() else "this Node has no headers"


def installed() -> Path:
    """The folder of `node_modules`."""
    return build.packages(FOLDER, _compile, [Path(__file__)])


def package() -> Path:
    """The client's package in it."""
    return installed() / PACKAGE


def _node() -> Path:
    """Where this Node is installed."""
    return Path(shutil.which("node") or "node").resolve().parents[1]


def _compile(work: Path) -> None:
    package = work / PACKAGE
    # Else the configuration would download what librdkafka depends on.
    environment = {"CKJS_LINKING": "dynamic"}
    run(["node", "util/configure"], cwd=package, environment=environment)
    # The binding's own build would do this with as many compilers as there are files.
    make = ["make", f"-j{os.cpu_count() or 2}", "-C"]
    run([*make, "deps/librdkafka", "libs"], cwd=package)
    gyp = work / "node_modules" / "node-gyp" / "bin" / "node-gyp.js"
    run(["node", gyp, "rebuild", f"--nodedir={_node()}"], cwd=package, environment=environment)
    # Nobody measures the tests.
    flags = ["CFLAGS=-O0 -w -I../src", "CXXFLAGS=-O0 -w -I../src -I../src-cpp"]
    run([*make, "deps/librdkafka/tests", "test-runner", *flags], cwd=package)
    shutil.move(package / "deps" / "librdkafka" / "tests" / "test-runner", package / "build")
    for left in [package / "deps", package / "build/Release/obj.target", *package.glob("build/deps/*.a")]:
        shutil.rmtree(left) if left.is_dir() else left.unlink()
