"""What comes out the same each time is judged; and the measures see what they are there for."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from kbroker.broker import connection
from kbroker.environment import File
from kbroker.log.segment import Segment
from kbroker.protocol.primitives import FileRegion
from tests.guard import budget, copies
from tests.guard.__main__ import print_paths
from tests.guard.broker import RunningClock, running
from tests.guard.counts import count_apart
from tests.guard.measures import HotPath, counting, cpu_us, kept_blocks
from tests.guard.paths import SIZES, HotPaths

LIMITS = budget.load()


@pytest.fixture(scope="module")
def counts() -> dict[str, tuple[int, int]]:
    return count_apart()


def test_every_path_has_a_budget(counts: dict[str, tuple[int, int]]) -> None:
    assert list(counts) == list(LIMITS)


@pytest.mark.skipif(not budget.is_for_this_python(), reason="the budget is of another version of Python")
@pytest.mark.parametrize("name", LIMITS)
def test_a_request_allocates_no_more_than_its_budget(name: str, counts: dict[str, tuple[int, int]]) -> None:
    made, _ = counts[name]
    assert made <= LIMITS[name].blocks


@pytest.mark.parametrize("name", LIMITS)
def test_a_request_leaves_nothing_behind(name: str, counts: dict[str, tuple[int, int]]) -> None:
    _, kept = counts[name]
    assert kept == 0


@pytest.mark.parametrize("arrival", copies.ARRIVALS, ids=lambda arrival: arrival.name)
def test_produced_records_are_where_they_were_received(arrival: copies.Arrival) -> None:
    found = copies.produced(arrival)
    assert found.batches == 3 * arrival.clients * len(arrival.sizes)
    assert found.is_fine, found


@pytest.mark.parametrize("name", SIZES)
def test_fetched_records_leave_from_the_file(name: str) -> None:
    for found in copies.fetched(name):
        assert found.is_fine, found


def test_the_clock_says_something() -> None:
    with running(RunningClock()) as broker:
        assert cpu_us(next(iter(HotPaths(broker))), batches=1) > 0


@pytest.mark.skipif(not budget.is_for_this_python(), reason="the budget is of another version of Python")
def test_the_command_judges_blocks_and_not_the_clock() -> None:
    name, limits = next(iter(LIMITS.items()))
    slow = {name: (limits.us * 100, 0.0)}
    assert print_paths({name: (limits.blocks, 0)}, slow) == 0
    assert print_paths({name: (limits.blocks + 1, 0)}, slow) == 1
    assert print_paths({name: (limits.blocks, 1)}, slow) == 1


# --- the measures themselves

ONE_GO = copies.ARRIVALS[1]


def test_a_batch_that_is_moved_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Segment.append
    monkeypatch.setattr(
        Segment, "append", lambda self, batch, header: append(self, memoryview(bytearray(batch)), header)
    )
    found = copies.produced(ONE_GO)
    assert found.copied_batches == found.batches == 3
    assert found.copied_bytes > 3 * 99 << 10
    assert not found.is_fine


def test_a_copy_made_besides_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Segment.append

    def spy(self: Segment, batch: memoryview, header: Any) -> None:
        bytes(batch)
        append(self, batch, header)

    monkeypatch.setattr(Segment, "append", spy)
    found = copies.produced(ONE_GO)
    assert found.copied_bytes == 0
    assert found.peak_bytes > 99 << 10
    assert not found.is_fine


def _read(file: File, region: FileRegion) -> bytes:
    return file.pread(region.length, region.position)


def test_records_that_leave_as_bytes_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = connection._encode

    def spy(answer: Any, response: Any) -> list[Any]:
        return [
            _read(part.file, part) if isinstance(part, FileRegion) else part
            for part in encode(answer, response)
        ]

    monkeypatch.setattr(connection, "_encode", spy)
    first, *_ = copies.fetched("100 KiB")
    assert first.copied_batches == 1
    assert first.copied_bytes > 99 << 10


class _Thing:
    __slots__ = ("itself",)
    itself: _Thing


def _make(number: int) -> None:
    for _ in range(number):
        _Thing()


def test_blocks_are_counted_one_by_one() -> None:
    found = []
    for number in (100, 0, 100):
        with counting(__file__) as counter:
            _make(number)
        found.append(counter.blocks)
    # The first time Python prepares what it needs to run the code.
    _, nothing, hundred = found
    assert hundred - nothing == 100


@pytest.mark.parametrize("kind", ["leak", "circle"])
def test_what_stays_is_seen(kind: str) -> None:
    kept: list[_Thing] = []

    def leak() -> None:
        kept.append(_Thing())

    def close_a_circle() -> None:
        thing = _Thing()
        thing.itself = thing

    step = {"leak": leak, "circle": close_a_circle}[kind]
    path = HotPath(kind, lambda number: [partial(step)] * number, lambda: None)
    assert kept_blocks(path) == 1
