"""Timers: moved often, fired once, never piling up."""

from __future__ import annotations

from kbroker.coordinator.timers import Timer, Timers


def timer() -> Timer:
    return Timer(lambda now: None)


def test_fires_in_order_and_only_when_due() -> None:
    timers, early, late = Timers(), timer(), timer()
    timers.start(late, 20)
    timers.start(early, 10)
    assert timers.next_deadline() == 10
    assert timers.pop_due(9) is None
    assert timers.pop_due(30) is early
    assert timers.pop_due(30) is late
    assert timers.pop_due(30) is None
    assert timers.next_deadline() is None


def test_moved_later_and_earlier() -> None:
    timers, moved = Timers(), timer()
    timers.start(moved, 10)
    timers.start(moved, 30)
    assert timers.pop_due(29) is None
    assert timers.next_deadline() == 30
    timers.start(moved, 5)
    assert timers.pop_due(5) is moved
    assert timers.pop_due(100) is None


def test_stopped_and_started_again() -> None:
    timers, stopped = Timers(), timer()
    timers.start(stopped, 10)
    timers.stop(stopped)
    timers.stop(stopped)
    assert timers.next_deadline() is None
    timers.start(stopped, 10)
    assert timers.pop_due(10) is stopped
    timers.start(stopped, 20)
    assert timers.pop_due(20) is stopped


def test_same_deadline_keeps_the_order_of_starting() -> None:
    timers, started = Timers(), [timer() for _ in range(5)]
    for each in started:
        timers.start(each, 10)
    assert [timers.pop_due(10) for _ in started] == started


def test_what_is_left_behind_is_bounded() -> None:
    timers, kept = Timers(), timer()
    timers.start(kept, 50_000)
    for moment in range(10_000):
        passing = timer()
        timers.start(passing, 100_000 + moment)
        timers.stop(passing)
    assert len(timers._heap) < 200
    restless = timer()
    for deadline_ms in range(20_000, 10_000, -1):
        timers.start(restless, deadline_ms)
    assert len(timers._heap) < 200
    assert timers.pop_due(10_001) is restless
    assert timers.pop_due(50_000) is kept
