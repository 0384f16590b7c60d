"""A load generator in Go, which replays prepared requests, and what it is told and tells.

One thread over all connections; nothing is decoded. It patches what must change
from request to request, and holds every answer against what the first one was:
its length, its error codes, the offset its records begin at. What is fetched
beyond the head of an answer is thrown away without being copied.
"""

import base64
import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from compat import artifact
from compat.golang import programs

_FOLDER: Final = Path(__file__).resolve().parent
# Beyond what was asked for: for connections to be made and for the last answers.
_PATIENCE_S: Final = 60.0


class WrongAnswer(Exception):
    """A request failed, or was answered otherwise than the first one."""


@dataclass(frozen=True)
class Answer:
    """What all answers of a stream must be like; positions are behind the length."""

    length: int
    no_error_at: Sequence[int] = ()
    # Of the base offset of the records, which must be the one asked for; 0 if there is none.
    offset_at: int = 0


@dataclass(frozen=True)
class Fetch:
    """Where the offset stands in the request; from `first` by `step` up to `end`, and again; 0 for no end."""

    at: int
    step: int
    first: int
    end: int


@dataclass(frozen=True)
class Producer:
    """Where the batch stands in the request, and the producer id of each connection."""

    batch_at: int
    records: int
    ids: Sequence[int]


@dataclass(frozen=True)
class Stream:
    """What a connection sends again and again, and what it must get."""

    address: str
    request: bytes
    # Those that count, of one request or its answer.
    bytes: int
    answer: Answer
    fetch: Fetch | None = None
    producer: Producer | None = None


@dataclass(frozen=True)
class Plan:
    """One run; a connection has the stream of its number, modulo how many there are."""

    hello: bytes
    streams: Sequence[Stream]
    pids: Sequence[int]
    connections: int
    in_flight: int = 1
    warm_up_s: float = 0.0
    # What is measured ends with the first of these; 0 for no bound of bytes or answers. Of the bytes
    # the warm-up takes a quarter at most.
    seconds: float = 0.0
    bytes_at_most: int = 0
    answers_at_most: int = 0
    # The first stream waits at the end of the log, and the second appends.
    latency: bool = False


@dataclass(frozen=True)
class Result:
    """What was measured; `total` counts all answers, those before and after too."""

    answers: int
    bytes: int
    seconds: float
    cpu_s: float
    client_cpu_s: float
    p50_us: float
    p99_us: float
    max_us: float
    total: int


def missing() -> str | None:
    """Why it can not be built here."""
    return artifact.missing_tool("go")


def run(plan: Plan) -> Result:
    """Replay; WrongAnswer if anything was not as it should be."""
    timeout_s = plan.warm_up_s + plan.seconds + _PATIENCE_S
    try:
        done = subprocess.run(
            [programs.built(_FOLDER) / _FOLDER.name],
            input=json.dumps(asdict(plan), default=_text),
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise WrongAnswer(f"not all was answered within {timeout_s:.0f} s") from None
    if done.returncode != 0:
        raise WrongAnswer(done.stderr.strip())
    return Result(**json.loads(done.stdout))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
