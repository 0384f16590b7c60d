"""Transcripts: files that tell a state machine's story, and are its test.

    # What is told, for a person.

    a command and its arguments
    more lines of the same command
    ----
    what the machine answered

A block ends with an empty line. The runner carries out each command and
compares; `pytest --rewrite` writes down what came instead, for the diff to be
read. The idea is etcd's `datadriven`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_SEPARATOR = "----"


class _Block:
    """Comment lines, a command, and the answer expected."""

    def __init__(self, text: str) -> None:
        lines = text.splitlines()
        head = lines[: lines.index(_SEPARATOR)] if _SEPARATOR in lines else lines
        self.comments = [line for line in head if line.startswith("#")]
        self.command = "\n".join(line for line in head if not line.startswith("#"))
        self.expected = "\n".join(lines[len(head) + 1 :])

    def written(self, answer: str) -> str:
        if not self.command:
            return "\n".join(self.comments)
        parts = [*self.comments, self.command, _SEPARATOR]
        return "\n".join([*parts, answer] if answer else parts)


def run_transcript(path: Path, carry_out: Callable[[str], str], *, rewrite: bool) -> None:
    """Give each command of the file to `carry_out`; its answers must be those written there."""
    blocks = [_Block(text) for text in path.read_text().strip().split("\n\n")]
    answers = [carry_out(block.command).rstrip() if block.command else "" for block in blocks]
    if rewrite:
        written = [block.written(answer) for block, answer in zip(blocks, answers, strict=True)]
        path.write_text("\n\n".join(written) + "\n")
        return
    for block, answer in zip(blocks, answers, strict=True):
        assert "\n\n" not in answer, "an answer with an empty line can't be written down"
        assert answer == block.expected, f"{path.name}: {block.command}"
