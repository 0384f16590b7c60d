"""The command of the night: every search has a line, and a failure is seen."""

import pytest

from tests.night.__main__ import run
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
    assert {"s5", "d2", "d3", "d4", "k1", "histories", "canaries"} <= load().keys()
