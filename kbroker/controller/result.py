"""What a decision of the controller comes to: records and a response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.protocol.errors import POLICY_VIOLATION, KafkaError

T = TypeVar("T")

# Kafka's bound on what one request may append (QuorumController.MAX_RECORDS_PER_USER_OP).
MAX_RECORDS_PER_USER_OPERATION = 10_000


class ControllerResult(Generic[T]):
    """All records are appended as one atomic batch; the response is valid once they are committed."""

    __slots__ = ("records", "response")

    def __init__(self, records: Sequence[ApiMessageAndVersion], response: T) -> None:
        self.records = records
        self.response = response


def too_large() -> KafkaError:
    """The request would append more than one atomic batch may hold."""
    return KafkaError(POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
