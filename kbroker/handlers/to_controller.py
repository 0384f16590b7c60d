"""Requests that the controller decides: submitted, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from kbroker.handlers.context import Pending
from kbroker.protocol.errors import REQUEST_TIMED_OUT, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kbroker.controller.controller import Controller
    from kbroker.controller.result import ControllerResult
    from kbroker.handlers.context import Services

T = TypeVar("T")


def submit(
    services: Services,
    operation: Callable[[Controller, int], ControllerResult[T]],
    refuse: Callable[[KafkaError], T],
    timeout_ms: int = 1,
) -> Pending[T]:
    """The controller's answer, or `refuse`'s where it takes nothing: too much at once, no disk, no time."""
    if timeout_ms <= 0:
        # As in Kafka: over before it has begun, so that nothing happens.
        return Pending.completed(refuse(KafkaError(REQUEST_TIMED_OUT)))
    try:
        return services.controller.submit(operation)
    except KafkaError as error:
        return Pending.completed(refuse(error))
