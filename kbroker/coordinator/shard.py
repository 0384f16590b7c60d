"""What a replicated state machine is: results, replies, time.

    request ──▶ operation(…, now) ──▶ Result(records, response)
    append records ──▶ replay(record) ──▶ high watermark ──▶ on_commit, response

    invariant  an operation of durable state changes nothing itself
    invariant  one operation at a time; only the waits for commits overlap
    invariant  every token is answered by exactly one Reply

Kafka: `CoordinatorShard`, `CoordinatorResult`, `CoordinatorRuntime`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from kbroker.coordinator.records import CoordinatorRecord

R = TypeVar("R")


class Now(NamedTuple):
    """One moment on both clocks: records carry the wall's time, timers run on the monotonic."""

    wall_ms: int
    monotonic_ms: int


class Result(Generic[R]):
    """What one operation decided.

    `replay` is False when the machine already holds the state that the records
    describe. A non-atomic result may be split over several batches. `on_commit`
    is told 0 once the records are committed, or the error code that they met.
    """

    __slots__ = ("atomic", "on_commit", "records", "replay", "response")

    def __init__(
        self,
        response: R,
        records: Sequence[CoordinatorRecord] = (),
        *,
        replay: bool = True,
        atomic: bool = True,
        on_commit: Callable[[int, Now], Result[None] | None] | None = None,
    ) -> None:
        self.response = response
        self.records = records
        self.replay = replay
        self.atomic = atomic
        self.on_commit = on_commit


class Reply:
    """The answer to a request that was parked, or answered out of an operation's middle."""

    __slots__ = ("response", "token")

    def __init__(self, token: Any, response: Any) -> None:
        self.token = token
        self.response = response


class CoordinatorShard(Protocol):
    """The state of one partition of an internal topic."""

    def replay(self, offset: int, producer_id: int, record: CoordinatorRecord) -> None:
        """Apply one record of the log; -1 stands for no producer id."""

    def replay_end_transaction_marker(self, producer_id: int, *, committed: bool) -> None:
        """Materialize or forget what the producer's transaction wrote."""

    def on_loaded(self, now: Now) -> None:
        """The log has been replayed to its end: start the timers."""

    def on_unloaded(self) -> None:
        """Leadership is lost: answer all that is parked; the shard is dropped afterwards."""

    def next_deadline(self) -> int | None:
        """When `on_deadline` wants to be called, in monotonic milliseconds."""

    def on_deadline(self, now: Now) -> Result[None] | None:
        """Fire the next timer that is due; None when there is none. Call again until None."""

    def take_replies(self) -> Sequence[Reply]:
        """The replies since the last call, in order."""
