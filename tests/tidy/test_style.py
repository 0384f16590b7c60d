"""Types and style, each by its own tool in its own process."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param(("mypy", "--no-error-summary"), id="mypy"),
        pytest.param(("ruff", "check", "--quiet", "."), id="ruff"),
        pytest.param(("codegen", "--check"), id="generated code is fresh"),
    ],
)
def test_nothing_to_complain(tool: tuple[str, ...]) -> None:
    code, output = run(*tool)
    assert code == 0, output
