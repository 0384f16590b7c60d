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
    int_…                the last three within one call: no rebalance excuses that
    committed_backwards  a group's committed offset went back

A send whose outcome is unknown may be in the log or not, but keeps its place.
Gaps between offsets are legal. How far behind the readers were is no anomaly:
`worst_lag_ms` says it.
"""

import itertools
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
    # The records of one batch or transaction share a call.
    call: int | None = None
    # When it was acknowledged, on the clock of the polls.
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """One record a consumer was given."""

    consumer: str
    partition: int
    offset: int
    value: bytes
    # What one poll returned shares a call.
    call: int | None = None
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Power was lost, and with it all from `end` on: these offsets are given anew. Judged by the promise."""

    partition: int
    end: int


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

    # acks=all, and no more brokers lost than replication allows; not so with acks=1, nor over a
    # power loss without a flush before each answer.
    durable: bool = True
    idempotent: bool = True


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One broken promise."""

    kind: str
    partition: int
    detail: str


Seen = Poll | Rebalance | Loss


@dataclass
class History:
    """What happened: sends in the order of sending, the rest in the order of seeing."""

    sends: list[Send] = field(default_factory=list)
    polls: list[Seen] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)


class Log:
    """What all readers together saw: partition → offset → value."""

    def __init__(self, polls: Iterable[Seen]) -> None:
        self.values: dict[int, dict[int, bytes]] = defaultdict(dict)
        self.conflicts: list[Anomaly] = []
        for poll in polls:
            if isinstance(poll, Poll):
                self.note(poll.partition, poll.offset, poll.value)
            elif isinstance(poll, Loss):
                values = self.values[poll.partition]
                for offset in [offset for offset in values if offset >= poll.end]:
                    del values[offset]

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
    found += [*_polls(history.polls), *_commits(history.commits)]
    return log.conflicts + found


def _sends(
    sends: Iterable[Send], log: Log, places: dict[bytes, list[tuple[int, int]]], promise: Promise
) -> Iterator[Anomaly]:
    """What was acknowledged is there, where it was said to be."""
    last: dict[tuple[str, int], Send] = {}
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
        before = last.get((send.producer, send.partition))
        if promise.idempotent and before is not None and send.offset <= (before.offset or 0):
            yield Anomaly(
                _within(before, send) + "nonmonotonic_send",
                send.partition,
                f"{send.value!r} at {send.offset} after {before.offset}",
            )
        last[send.producer, send.partition] = send


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


def _polls(polls: Sequence[Seen]) -> Iterator[Anomaly]:
    """Between rebalances a consumer neither goes back nor leaves out what exists."""
    following = _Following(polls)
    position: dict[str, dict[int, Poll]] = defaultdict(dict)
    for number, poll in enumerate(polls):
        if isinstance(poll, Rebalance):
            position[poll.consumer].clear()
        elif isinstance(poll, Loss):
            for positions in position.values():
                if poll.partition in positions and positions[poll.partition].offset >= poll.end:
                    del positions[poll.partition]
        else:
            before = position[poll.consumer].get(poll.partition)
            position[poll.consumer][poll.partition] = poll
            if before is None:
                continue
            detail = f"{poll.consumer}: {poll.offset} after {before.offset}"
            if poll.offset <= before.offset:
                yield Anomaly(_within(before, poll) + "nonmonotonic_poll", poll.partition, detail)
            elif following.of(poll.partition, before.offset, number) != poll.offset:
                yield Anomaly(_within(before, poll) + "poll_skip", poll.partition, detail)


def _within(before: Send | Poll, after: Send | Poll) -> str:
    """The prefix of what happened inside one call."""
    return "int_" if before.call is not None and before.call == after.call else ""


class _Following:
    """The next offset at which there is a record, in the log as it was between two losses."""

    def __init__(self, polls: Sequence[Seen]) -> None:
        self._eras: list[tuple[int, dict[int, dict[int, int]]]] = []
        losses = [number for number, poll in enumerate(polls) if isinstance(poll, Loss)]
        for end in (*losses, len(polls)):
            values = Log(polls[:end]).values
            pairs = {partition: itertools.pairwise(sorted(found)) for partition, found in values.items()}
            self._eras.append((end, {partition: dict(pair) for partition, pair in pairs.items()}))

    def of(self, partition: int, offset: int, number: int) -> int | None:
        era = next(following for end, following in self._eras if number < end)
        return era.get(partition, {}).get(offset)


def worst_lag_ms(history: History) -> int:
    """The longest time that an acknowledged record waited while its partition's reader saw older ones."""
    acknowledged: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for send in history.sends:
        if send.outcome is Outcome.OK and send.offset is not None and send.at_ms is not None:
            acknowledged[send.partition].append((send.offset, send.at_ms))
    worst = 0
    for records in acknowledged.values():
        records.sort()
    for poll in history.polls:
        if isinstance(poll, Poll) and poll.at_ms is not None:
            records = acknowledged[poll.partition]
            behind = records[bisect_right(records, (poll.offset, 1 << 62)) :][:1]
            worst = max([worst, *(poll.at_ms - at_ms for _, at_ms in behind)])
    return worst


def _commits(commits: Iterable[Commit]) -> Iterator[Anomaly]:
    committed: dict[int, int] = {}
    for commit in commits:
        before = committed.get(commit.partition, -1)
        if commit.offset < before:
            yield Anomaly("committed_backwards", commit.partition, f"{commit.offset} after {before}")
        committed[commit.partition] = max(before, commit.offset)
