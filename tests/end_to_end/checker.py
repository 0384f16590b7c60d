"""Does a history of sends, polls and commits keep what was promised?

Offsets make it cheap: everything that is read is laid out by partition and
offset, and each promise is one pass over it.

    lost                 acknowledged, and no reader saw it below what they saw
    unseen               acknowledged, and above all that readers saw
    inconsistent_offset  two values at one offset
    duplicate            one value at two offsets
    invented             a value that nobody sent
    aborted_read         a value whose send had failed for certain
    reordered            the log's order is not the producer's
    nonmonotonic_send    a later send got a smaller offset
    nonmonotonic_poll    a consumer went back without a rebalance
    poll_skip            a consumer jumped over a record without a rebalance
    committed_backwards  a group's committed offset went back

A send whose outcome is unknown may be in the log or not, but keeps its place.
Gaps between offsets are legal.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum


class Outcome(Enum):
    """What a producer was told."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Send:
    """One record given to a producer; values are unique in a history."""

    producer: str
    partition: int
    value: bytes
    outcome: Outcome
    # None when the broker could only say that it had the record already.
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """One record a consumer was given."""

    consumer: str
    partition: int
    offset: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Rebalance:
    """From here on the consumer may stand elsewhere."""

    consumer: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A group's committed offset: acknowledged, or asked for later."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Promise:
    """What the run may expect of the broker."""

    durable: bool = True  # acks=all, and no more brokers lost than replication allows
    idempotent: bool = True


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One broken promise."""

    kind: str
    partition: int
    detail: str


@dataclass
class History:
    """What happened: sends in the order of sending, the rest in the order of seeing."""

    sends: list[Send] = field(default_factory=list)
    polls: list[Poll | Rebalance] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)


class Log:
    """What all readers together saw: partition → offset → value."""

    def __init__(self, polls: Iterable[Poll | Rebalance]) -> None:
        self.values: dict[int, dict[int, bytes]] = defaultdict(dict)
        self.conflicts: list[Anomaly] = []
        for poll in polls:
            if isinstance(poll, Poll):
                self.note(poll.partition, poll.offset, poll.value)

    def note(self, partition: int, offset: int, value: bytes) -> None:
        """One value at one offset; another one there is a conflict."""
        known = self.values[partition].setdefault(offset, value)
        if known != value:
            self.conflicts.append(
                Anomaly("inconsistent_offset", partition, f"{offset}: {known!r} and {value!r}")
            )

    def highest(self, partition: int) -> int:
        return max(self.values[partition], default=-1)

    def places(self) -> dict[bytes, list[tuple[int, int]]]:
        """Value → where it was seen, in the order of offsets."""
        found: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
        for partition, values in self.values.items():
            for offset in sorted(values):
                found[values[offset]].append((partition, offset))
        return found


def anomalies(history: History, promise: Promise | None = None) -> list[Anomaly]:
    """Every broken promise, in no particular order."""
    promise = promise or Promise()
    log = Log(history.polls)
    places = log.places()
    found = [*_sends(history.sends, log, places, promise), *_values(history.sends, places, promise)]
    if promise.idempotent:
        found += _order(history.sends, places)
    found += [*_polls(history.polls, log), *_commits(history.commits)]
    return log.conflicts + found


def _sends(
    sends: Iterable[Send], log: Log, places: dict[bytes, list[tuple[int, int]]], promise: Promise
) -> Iterator[Anomaly]:
    """What was acknowledged is there, where it was said to be."""
    last: dict[tuple[str, int], int] = {}
    highest = {partition: log.highest(partition) for partition in list(log.values)}
    for send in sends:
        if send.outcome is not Outcome.OK:
            continue
        if promise.durable and send.value not in places:
            above = send.offset is not None and send.offset > highest.get(send.partition, -1)
            yield Anomaly("unseen" if above else "lost", send.partition, f"{send.value!r} at {send.offset}")
        if send.offset is None:
            continue
        if promise.durable and send.value in places:
            log.note(send.partition, send.offset, send.value)
        before = last.get((send.producer, send.partition), -1)
        if promise.idempotent and send.offset <= before:
            yield Anomaly(
                "nonmonotonic_send", send.partition, f"{send.value!r} at {send.offset} after {before}"
            )
        last[send.producer, send.partition] = send.offset


def _values(
    sends: Iterable[Send], places: dict[bytes, list[tuple[int, int]]], promise: Promise
) -> Iterator[Anomaly]:
    """What is in the log was sent, did not fail, and is there once."""
    sent = {send.value: send for send in sends}
    for value, where in places.items():
        partition, offset = where[0]
        if value not in sent:
            yield Anomaly("invented", partition, f"{value!r} at {offset}")
        elif sent[value].outcome is Outcome.FAILED:
            yield Anomaly("aborted_read", partition, f"{value!r} at {offset}")
        if promise.idempotent and len(where) > 1:
            yield Anomaly("duplicate", partition, f"{value!r} at {where}")


def _order(sends: Iterable[Send], places: dict[bytes, list[tuple[int, int]]]) -> Iterator[Anomaly]:
    """In each partition a producer's records stand in the order of its sends."""
    last: dict[tuple[str, int], int] = {}
    for send in sends:
        for partition, offset in places.get(send.value, [])[:1]:
            before = last.get((send.producer, partition), -1)
            if offset < before:
                yield Anomaly("reordered", partition, f"{send.value!r} at {offset} after {before}")
            last[send.producer, partition] = max(before, offset)


def _polls(polls: Iterable[Poll | Rebalance], log: Log) -> Iterator[Anomaly]:
    """Between rebalances a consumer neither goes back nor leaves out what exists."""
    following = {partition: _following(values) for partition, values in log.values.items()}
    position: dict[str, dict[int, int]] = defaultdict(dict)
    for poll in polls:
        if isinstance(poll, Rebalance):
            position[poll.consumer].clear()
            continue
        before = position[poll.consumer].get(poll.partition)
        if before is not None and poll.offset <= before:
            yield Anomaly(
                "nonmonotonic_poll", poll.partition, f"{poll.consumer}: {poll.offset} after {before}"
            )
        elif before is not None and following[poll.partition].get(before) != poll.offset:
            yield Anomaly("poll_skip", poll.partition, f"{poll.consumer}: {poll.offset} after {before}")
        position[poll.consumer][poll.partition] = poll.offset


def _following(values: dict[int, bytes]) -> dict[int, int]:
    """Offset → the next one at which there is a record."""
    offsets = sorted(values)
    return dict(itertools.pairwise(offsets))


def _commits(commits: Iterable[Commit]) -> Iterator[Anomaly]:
    committed: dict[int, int] = {}
    for commit in commits:
        before = committed.get(commit.partition, -1)
        if commit.offset < before:
            yield Anomaly("committed_backwards", commit.partition, f"{commit.offset} after {before}")
        committed[commit.partition] = max(before, commit.offset)
