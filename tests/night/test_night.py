"""The command of the night: every search has a line, and a failure is seen."""

import json
from pathlib import Path

import pytest

from tests.night.__main__ import keep, run
from tests.night.registry import Figures, load, sized


def test_a_search_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("three", lambda seed, scale: {"found": 0, "tried": sized(30, scale)}, 7, 0.1)
    assert capsys.readouterr().out.startswith("three: found: 0, tried: 3 (seed 7, ")


def test_a_failure_is_told_with_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(seed: int, scale: float) -> Figures:
        raise AssertionError("a bug")

    assert not run("broken", broken, 7, 1.0)
    captured = capsys.readouterr()
    assert captured.out.startswith("broken: FAILED (seed 7, ")
    assert "a bug" in captured.err


def test_what_the_night_is_known_for_is_there() -> None:
    assert {"s5", "d2", "d3", "d4", "k1", "histories", "canaries", "x4", "x5", "x6"} <= load().keys()


def test_figures_are_kept_with_the_command_that_made_them(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    keep("d3", 1.0, {"bit flips": 7}, file)
    keep("d4", 0.1, {"truncations": 8}, file)
    keep("d3", 1.0, {"bit flips": 9}, file)
    assert json.loads(file.read_text()) == {
        "d3": {"command": "python -m tests.night --only d3", "figures": {"bit flips": 9}},
        "d4": {"command": "python -m tests.night --only d4 --scale 0.1", "figures": {"truncations": 8}},
    }
