"""How to run confluent-kafka-javascript: built from the sources in its package."""

import os
import shutil
from pathlib import Path

from compat.artifact import missing_tool, run
from compat.client import Client
from compat.node import build

FOLDER = Path(__file__).resolve().parent


def _missing() -> str | None:
    if reason := build.missing() or missing_tool("g++", "make", "python3"):
        return reason
    return None if _headers().joinpath("include/node/node.h").exists() else "this Node has no headers"


def _headers() -> Path:
    """Where this Node is installed."""
    return Path(shutil.which("node") or "node").resolve().parents[1]


def _compile(work: Path) -> None:
    """The binding, and the librdkafka it brings; its own way would be to download both, compiled."""
    modules = work / "node_modules"
    package = modules / "@confluentinc" / "kafka-javascript"
    # Else the configuration would download what librdkafka depends on.
    environment = {"CKJS_LINKING": "dynamic"}
    # The binding's own build would do this with as many compilers as there are files.
    run(["node", "util/configure"], cwd=package, environment=environment)
    run(["make", f"-j{os.cpu_count() or 2}", "-C", "deps/librdkafka", "libs"], cwd=package)
    gyp = modules / "node-gyp" / "bin" / "node-gyp.js"
    run(["node", gyp, "rebuild", f"--nodedir={_headers()}"], cwd=package, environment=environment)
    for left in [package / "deps", package / "build/Release/obj.target", *package.glob("build/deps/*.a")]:
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _command() -> list[str]:
    return ["node", str(build.program(FOLDER, build.packages(FOLDER, _compile)))]


CLIENT = Client(
    title="confluent-kafka-javascript (librdkafka)",
    missing=_missing,
    command=_command,
)
