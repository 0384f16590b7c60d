"""The controller's transitions, told in `transcripts/*.txt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.controller.cluster import Cluster
from tests.transcripts import run_transcript

_FOLDER = Path(__file__).parent / "transcripts"


@pytest.mark.parametrize("path", sorted(_FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_transcript(path: Path, rewrite: bool) -> None:
    run_transcript(path, Cluster().carry_out, rewrite=rewrite)
