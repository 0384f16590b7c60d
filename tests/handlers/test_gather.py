"""Many answers as one: in their order, whenever they come."""

from __future__ import annotations

from kbroker.handlers.context import Pending
from kbroker.handlers.gather import gather


def test_what_is_there_is_given_at_once() -> None:
    assert gather([1, Pending.completed(2), 3]) == [1, 2, 3]
    assert gather([]) == []


def test_the_last_one_completes_it() -> None:
    first: Pending[str] = Pending()
    last: Pending[str] = Pending()
    gathered = gather([first, "there", last])
    assert isinstance(gathered, Pending)
    last.complete("last")
    assert not gathered.done
    first.complete("first")
    assert gathered.value == ["first", "there", "last"]
