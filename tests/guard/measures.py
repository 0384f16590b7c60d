"""The measures: a clock, and three counts that come out the same each time."""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

import kbroker
from kbroker.broker.broker import _GC_THRESHOLD

Step = Callable[[], None]

_PACKAGE = str(Path(kbroker.__file__).parent)
_BATCHES = 7
_BATCH_NS = 40_000_000
_WARM_UP = 8
# What pymalloc serves, and so what is counted.
_LARGEST_BLOCK = 512


@dataclass
class HotPath:
    """Something that is done often, and how to do it."""

    name: str
    # The next so many steps, each to be taken once and in order.
    steps: Callable[[int], list[Step]]
    # What lets go of all that only time ends, between batches of steps.
    settle: Step
    # Of one step.
    requests: int = 1
    # Bytes of record batches in one request.
    payload_bytes: int = 0
    # The most steps a batch may take, where they cost disk space.
    most_steps: int = 1 << 20


@contextmanager
def _collector(*, enabled: bool) -> Iterator[None]:
    """The garbage collector as in production, or off; as it was afterwards."""
    threshold = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD if enabled else 0)
    _fill_free_lists()
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()


def _fill_free_lists() -> None:
    """What Python keeps of freed objects to make new ones of; a collection empties it."""
    lists: list[list[int]] = [[] for _ in range(200)]
    dicts: list[dict[int, int]] = [{} for _ in range(200)]
    floats = [number / 7 for number in range(200)]
    tuples = [tuple(range(size)) for size in range(1, 9) for _ in range(2000)]
    del lists, dicts, floats, tuples


def _take(steps: Iterable[Step]) -> None:
    for step in steps:
        step()


def cpu_us(path: HotPath, batches: int = _BATCHES) -> float:
    """CPU microseconds of one request: the median of some batches."""
    with _collector(enabled=True):
        _take(path.steps(_WARM_UP))
        count = min(path.most_steps, max(1, int(_BATCH_NS / _timed_ns(path, _WARM_UP))))
        return median(_timed_ns(path, count) for _ in range(batches)) / path.requests / 1000


def _timed_ns(path: HotPath, count: int) -> float:
    steps = path.steps(count)
    begun_ns = time.process_time_ns()
    _take(steps)
    took_ns = time.process_time_ns() - begun_ns
    path.settle()
    return max(took_ns, 1) / count


def kept_blocks(path: HotPath, count: int = 64, rounds: int = 3) -> int:
    """Memory blocks that a step leaves behind, in each of some rounds: what happens once is none."""
    with _collector(enabled=False):
        _take(path.steps(_WARM_UP))
        return min(_kept(path, path.steps(count)) for _ in range(rounds))


def _kept(path: HotPath, steps: list[Step]) -> int:
    path.settle()
    before = sys.getallocatedblocks()
    _take(steps)
    path.settle()
    return round((sys.getallocatedblocks() - before) / len(steps))


def peak_bytes(steps: Sequence[Step]) -> int:
    """The most memory that one of the steps needed besides what was there before it, after half of them."""
    half = len(steps) // 2
    with _collector(enabled=False):
        tracemalloc.start()
        try:
            _take(steps[:half])
            return max(map(_peak, steps[half:]))
        finally:
            tracemalloc.stop()


def _peak(step: Step) -> int:
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    step()
    return tracemalloc.get_traced_memory()[1] - before


def made_blocks(path: HotPath, count: int = 2) -> int:
    """Memory blocks that the broker's own code allocates for a request: the least of some steps."""
    with _collector(enabled=False):
        _take(path.steps(_WARM_UP))
        return round(min(map(_made, path.steps(count))) / path.requests)


def _made(step: Step) -> int:
    with counting(_PACKAGE) as counter:
        step()
    return counter.blocks


class _Counter:
    """Adds up what each bytecode of the code below `root` leaves allocated."""

    def __init__(self, root: str) -> None:
        self.blocks = 0
        self._root = root
        self._last = sys.getallocatedblocks()

    def on_event(self, frame: FrameType, event: str, argument: Any) -> Any:
        made = sys.getallocatedblocks() - self._last
        if event == "call":
            if not self._is_ours(frame):
                return None
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
            caller = frame.f_back
            made = 0 if caller is None or not self._is_ours(caller) else made - _weight(frame)
        if made > 0:
            self.blocks += made
        self._last = sys.getallocatedblocks()
        return self.on_event

    def _is_ours(self, frame: FrameType) -> bool:
        return frame.f_code.co_filename.startswith(self._root)


def _weight(frame: FrameType) -> int:
    """Only a traced call makes a frame object."""
    return int(sys.getsizeof(frame) <= _LARGEST_BLOCK)


@contextmanager
def counting(root: str) -> Iterator[_Counter]:
    """Count the blocks that code in files below `root` allocates meanwhile."""
    counter = _Counter(root)
    former = sys.gettrace()
    sys.settrace(counter.on_event)
    try:
        yield counter
    finally:
        sys.settrace(former)
