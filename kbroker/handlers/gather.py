"""Many answers, some of which have to wait, as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from kbroker.handlers.context import Pending

T = TypeVar("T")


def gather(answers: Sequence[T | Pending[T]]) -> list[T] | Pending[list[T]]:
    """The values in their order: at once, or when the last one has come."""
    waiting = [answer for answer in answers if isinstance(answer, Pending) and not answer.done]
    if not waiting:
        return [_value(answer) for answer in answers]
    gathered: Pending[list[T]] = Pending()
    missing = len(waiting)

    def one_more(_: T) -> None:
        nonlocal missing
        missing -= 1
        if not missing:
            gathered.complete([_value(answer) for answer in answers])

    for answer in waiting:
        answer.on_done(one_more)
    return gathered


def _value(answer: T | Pending[T]) -> T:
    return cast("T", answer.value) if isinstance(answer, Pending) else answer
