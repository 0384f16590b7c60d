"""Operations woken by key, and the timer heap."""

from __future__ import annotations

import trio
import trio.testing

from kbroker.broker.pending import WaitingRoom
from kbroker.handlers.context import CloseConnection, Pending
from tests.broker.support import FakeClock


def test_wakes_by_key_in_order_and_only_once() -> None:
    room = WaitingRoom(FakeClock())
    ready: set[str] = set()
    done: list[str] = []

    def wait(name: str) -> None:
        pending = room.wait(["k1", "k2"], 100, lambda: name if name in ready else None, lambda: "expired")
        pending.on_done(done.append)

    wait("a")
    wait("b")
    room.wake(["k1"])
    assert done == []
    ready.update("ab")
    room.wake(["k2", "k1"])
    assert done == ["a", "b"]
    assert room.waiting_count == 0


def test_expires_at_its_deadline() -> None:
    clock = FakeClock()
    room = WaitingRoom(clock)
    pending = room.wait(["k"], 50, lambda: None, lambda: "expired")
    assert room.next_deadline_ms() == clock.now_ms + 50
    clock.now_ms += 49
    assert not room.run_due()
    clock.now_ms += 1
    assert room.run_due()
    assert pending.value == "expired"
    assert room.next_deadline_ms() is None


def test_an_abandoned_operation_is_forgotten_untried() -> None:
    room = WaitingRoom(FakeClock())
    tried: list[int] = []
    pending = room.wait(["k"], 50, lambda: tried.append(1), lambda: None)
    pending.abandoned = True
    room.wake(["k"])
    assert not tried
    assert room.waiting_count == 0


def test_a_defect_in_one_operation_spares_the_others() -> None:
    room = WaitingRoom(FakeClock())
    broken = room.wait(["k"], 50, lambda: 1 // 0, lambda: 0)
    fine = room.wait(["k"], 50, lambda: 7, lambda: 0)
    room.wake(["k"])
    assert isinstance(broken.value, ZeroDivisionError)
    assert fine.value == 7


def test_then_transforms_values_and_passes_orders_on() -> None:
    first: Pending[int] = Pending()
    doubled = first.then(lambda n: n * 2)
    first.complete(21)
    assert doubled.value == 42
    second: Pending[object] = Pending()
    passed = second.then(lambda _: 1)
    second.complete(CloseConnection("why"))
    assert isinstance(passed.value, CloseConnection)


def test_the_timer_task_runs_what_is_due_and_ends_the_turn() -> None:
    class TrioClock:
        def wall_ms(self) -> int:
            return int(trio.current_time() * 1000)

        monotonic_ms = wall_ms

    async def main() -> list[str]:
        room = WaitingRoom(TrioClock())
        seen: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.run_timers, lambda: seen.append("turn"))
            await trio.sleep(0.01)
            room.call_later(2000, lambda: seen.append("late"))
            room.call_later(1000, lambda: seen.append("early"))
            room.call_later(1500, lambda: seen.append("never")).cancel()
            await trio.sleep(3)
            nursery.cancel_scope.cancel()
        return seen

    seen = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert seen == ["early", "turn", "late", "turn"]
