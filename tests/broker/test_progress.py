"""How far a recovery is: lines where there is no terminal of ours."""

import logging
import os
import sys

import pytest

from kbroker.broker.progress import RecoveryProgress

MIB = 1 << 20


def quarters(caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.set_level(logging.INFO)
    progress = RecoveryProgress()
    for done in range(0, 401, 10):
        progress(done * MIB, 400 * MIB)
    progress.close()
    return caplog.messages


def test_a_line_at_each_quarter_of_a_long_one(caplog: pytest.LogCaptureFixture) -> None:
    assert quarters(caplog) == [f"Recovery: {done} of 400 MiB checked" for done in (100, 200, 300, 400)]


def test_no_bar_on_a_terminal_that_is_not_ours(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = os.openpty()
    with os.fdopen(other, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        assert len(quarters(caplog)) == 4
        monkeypatch.undo()
    os.close(ours)
