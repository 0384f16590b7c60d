"""A client's own tests in Go: built once from the module as published, run against a broker.

A module is published with its tests. It is copied into the user's cache, because the module cache is
read-only; what says where the broker is may be replaced there.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from compat import artifact, suite
from compat.harness import Failed

_OUTCOMES = {"pass": "passed", "fail": "failed", "skip": "skipped"}


@dataclass(frozen=True)
class Suite:
    """Which tests of which module, and what they need to find the broker."""

    folder: Path
    module: str
    # Names, or patterns of them, parted by spaces.
    tests: str
    left_out: str = "none"
    package: str = "."
    tags: str = ""
    # Files of the package to patterns and what replaces them.
    replaced: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    # Files to add to the package, by name.
    added: Mapping[str, str] = field(default_factory=dict)

    def run(self, environment: Mapping[str, str], timeout_s: int) -> int:
        """Print the verdict, and what the tests say as the log; the exit code."""
        try:
            directory = self._built() / "module" / self.package
            command = ["go", "tool", "test2json", str(self._built() / "suite.test"), "-test.v=test2json"]
            arguments = [
                f"-test.timeout={timeout_s}s",
                f"-test.run={_pattern(self.tests)}",
                f"-test.skip={_pattern(self.left_out)}",
            ]
            with subprocess.Popen(
                [*command, *arguments],
                cwd=directory,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                errors="replace",
            ) as tests:
                assert tests.stdout is not None
                found = outcomes(tests.stdout)
            print(suite.judged(found, suite.allowances(self.folder / "suite.allow")))
        except (Failed, artifact.BuildFailed) as error:
            print(str(error).replace("\n", " | "))
            return 1
        return 0

    def _built(self) -> Path:
        sources = [self.folder / "go.mod", self.folder / "suite.py", Path(__file__)]
        return artifact.built(f"{self.folder.name}-suite", sources, self._build)

    def _build(self, directory: Path) -> None:
        found = artifact.run(["go", "mod", "download", "-json", self._versioned()], cwd=self.folder)
        module = directory / "module"
        shutil.copytree(json.loads(found)["Dir"], module, copy_function=shutil.copyfile)
        for path in [module, *module.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        package = module / self.package
        for pattern, replacements in self.replaced.items():
            for file in package.glob(pattern):
                text = file.read_text(encoding="utf-8")
                for old, new in replacements:
                    text = re.sub(old, new, text)
                file.write_text(text, encoding="utf-8")
        for name, text in self.added.items():
            (package / name).write_text(text, encoding="utf-8")
        tags = ["-tags", self.tags] if self.tags else []
        compiler = ["go", "test", "-c", "-mod=mod", "-trimpath", *tags]
        artifact.run([*compiler, "-o", directory / "suite.test", "."], cwd=package)

    def _versioned(self) -> str:
        return artifact.run(
            ["go", "list", "-m", "-f", "{{.Path}}@{{.Version}}", self.module], cwd=self.folder
        ).strip()


def _pattern(names: str) -> str:
    """What go test calls any of these names, each whole, also the parts of a name of a test of a test."""
    return "|".join("/".join(f"^{part}$" for part in name.split("/")) for name in names.split())


def outcomes(output: Iterable[str]) -> dict[str, str]:
    """Test → what became of it, from lines of test2json.

    A test of tests is left out, unless it failed and none of its own did. One that never ended has failed.
    """
    ended: dict[str, str] = {}
    for line in output:
        try:
            event = json.loads(line)
        except ValueError:
            print(line, end="", file=sys.stderr)
            continue
        if text := event.get("Output"):
            print(text, end="", file=sys.stderr, flush=True)
        if test := event.get("Test"):
            ended[test] = _OUTCOMES.get(event["Action"], ended.get(test, "failed"))
    return {test: outcome for test, outcome in ended.items() if not _said_by_others(test, ended)}


def _said_by_others(test: str, ended: Mapping[str, str]) -> bool:
    own = [outcome for other, outcome in ended.items() if other.startswith(f"{test}/")]
    return bool(own) and (ended[test] != "failed" or "failed" in own)


def asked() -> tuple[str, str]:
    """The kind of broker and its bootstrap address, as the program hands them on."""
    kind, bootstrap = sys.argv[1:]
    return kind, bootstrap
