"""KIP-227's table of session ids and epochs, and that incremental views equal full ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.fetch_request import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    ForgottenTopic,
)
from kbroker.protocol.generated.fetch_response import EpochEndOffset, PartitionData
from kbroker.replication import fetch_session
from kbroker.replication.fetch_session import (
    EVICTION_MS,
    Answers,
    FetchContext,
    FetchSessionCache,
)

TOPIC_ID = bytes(range(16))


class Counting:
    """Random numbers 0, 1, 2, …"""

    def __init__(self) -> None:
        self.next = 0

    def below(self, limit: int) -> int:
        self.next += 1
        return (self.next - 1) % limit

    def uuid(self) -> bytes:
        raise NotImplementedError


def cache(slots: int = 10) -> FetchSessionCache:
    return FetchSessionCache(slots, Counting())


def request(
    session_id: int = 0, epoch: int = -1, *indexes: int, forget: tuple[int, ...] = (), offset: int = 0
) -> FetchRequest:
    named = FetchRequest(session_id=session_id, session_epoch=epoch)
    if indexes:
        named.topics = [
            FetchTopic("t", TOPIC_ID, [FetchPartition(index, fetch_offset=offset) for index in indexes])
        ]
    if forget:
        named.forgotten_topics_data = [ForgottenTopic("t", TOPIC_ID, list(forget))]
    return named


def data(index: int, high_watermark: int = 0, records: bytes = b"", error: int = 0) -> PartitionData:
    return PartitionData(index, error, high_watermark, high_watermark, 0, records=records)


def answers(context: FetchContext, **facts: int | bytes) -> Answers:
    return [(wanted, data(wanted.asked.partition, **facts)) for wanted in context.partitions]  # type: ignore[arg-type]


def indexes(told: Answers) -> list[int]:
    return [answer.partition_index for _, answer in told]


def open_session(sessions: FetchSessionCache, *names: int, version: int = 12, now_ms: int = 0) -> int:
    context = sessions.begin(request(0, 0, *names), version, now_ms)
    session_id, told = context.finish(answers(context), now_ms)
    assert indexes(told) == list(names)
    return session_id


def test_sessionless_request_gets_no_session() -> None:
    sessions = cache()
    context = sessions.begin(request(0, -1, 0, 1), 12, 0)
    assert context.finish(answers(context), 0)[0] == 0
    assert sessions.session_count == 0


def test_epoch_0_opens_a_session() -> None:
    sessions = cache()
    assert open_session(sessions, 0, 1) > 0
    assert (sessions.session_count, sessions.partition_count) == (1, 2)


@pytest.mark.parametrize(
    ("id_offset", "epoch", "version", "code"),
    [
        (1, 1, 12, errors.FETCH_SESSION_ID_NOT_FOUND),
        (0, 2, 12, errors.INVALID_FETCH_SESSION_EPOCH),
        (0, -2, 12, errors.INVALID_FETCH_SESSION_EPOCH),
        (0, 1, 13, errors.FETCH_SESSION_TOPIC_ID_ERROR),
    ],
)
def test_session_errors(id_offset: int, epoch: int, version: int, code: int) -> None:
    sessions = cache()
    session_id = open_session(sessions, 0)
    with pytest.raises(KafkaError) as caught:
        sessions.begin(request(session_id + id_offset, epoch), version, 0)
    assert caught.value.code == code


def test_topic_id_session_refuses_names() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0, version=13)
    with pytest.raises(KafkaError) as caught:
        sessions.begin(request(session_id, 1), 12, 0)
    assert caught.value.code == errors.FETCH_SESSION_TOPIC_ID_ERROR


@pytest.mark.parametrize("epoch", [0, -1])
def test_full_request_closes_the_session_it_names(epoch: int) -> None:
    sessions = cache()
    session_id = open_session(sessions, 0, 1)
    sessions.begin(request(session_id, epoch, 0), 12, 0)
    assert (sessions.session_count, sessions.partition_count) == (0, 0)


def test_incremental_request_reads_what_the_session_knows() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0, 1, 2)
    context = sessions.begin(request(session_id, 1, 1, 3, forget=(0,), offset=7), 12, 0)
    assert [(p.asked.partition, p.asked.fetch_offset) for p in context.partitions] == [(1, 7), (2, 0), (3, 7)]
    assert sessions.partition_count == 3


def test_only_news_is_told() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0, 1, 2, 3, 4)
    context = sessions.begin(request(session_id, 1), 12, 0)
    wanted = list(context.partitions)
    diverging = data(4)
    diverging.diverging_epoch = EpochEndOffset(1, 5)
    told_id, told = context.finish(
        [
            (wanted[0], data(0)),
            (wanted[1], data(1, records=b"x")),
            (wanted[2], data(2, high_watermark=9)),
            (wanted[3], data(3, error=errors.NOT_LEADER_OR_FOLLOWER)),
            (wanted[4], diverging),
        ],
        0,
    )
    assert told_id == session_id
    assert indexes(told) == [1, 2, 3, 4]


def test_end_of_an_error_is_news() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0)
    context = sessions.begin(request(session_id, 1), 12, 0)
    assert indexes(context.finish(answers(context, error=errors.NOT_LEADER_OR_FOLLOWER), 0)[1]) == [0]
    context = sessions.begin(request(session_id, 2), 12, 0)
    assert indexes(context.finish(answers(context), 0)[1]) == [0]
    context = sessions.begin(request(session_id, 3), 12, 0)
    assert context.finish(answers(context), 0)[1] == []


def test_partition_with_records_is_read_last_next_time() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0, 1, 2)
    context = sessions.begin(request(session_id, 1), 12, 0)
    context.finish(
        [(w, data(w.asked.partition, records=b"x" * (w.asked.partition < 2))) for w in context.partitions], 0
    )
    context = sessions.begin(request(session_id, 2), 12, 0)
    assert [wanted.asked.partition for wanted in context.partitions] == [2, 0, 1]


def test_session_without_partitions_is_closed() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0)
    context = sessions.begin(request(session_id, 1, forget=(0,)), 12, 0)
    assert context.finish([], 0) == (0, [])
    assert sessions.session_count == 0


def test_session_used_by_another_connection_meanwhile() -> None:
    sessions = cache()
    session_id = open_session(sessions, 0)
    first = sessions.begin(request(session_id, 1), 12, 0)
    sessions.begin(request(session_id, 2), 12, 0)
    with pytest.raises(KafkaError) as caught:
        first.finish(answers(first), 0)
    assert caught.value.code == errors.INVALID_FETCH_SESSION_EPOCH


def test_epoch_wraps_to_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_session, "_MAX_EPOCH", 2)
    sessions = cache()
    session_id = open_session(sessions, 0)
    for epoch in (1, 2, 1):
        sessions.begin(request(session_id, epoch), 12, 0)


def test_full_cache_refuses_a_session() -> None:
    sessions = cache(slots=1)
    assert open_session(sessions, 0) != 0
    assert open_session(sessions, 0, now_ms=EVICTION_MS) == 0


def test_idle_session_makes_room() -> None:
    sessions = cache(slots=2)
    idle = open_session(sessions, 0, 1, 2)
    used = open_session(sessions, 0, 1)
    sessions.begin(request(used, 1), 12, EVICTION_MS)
    assert open_session(sessions, 0, now_ms=EVICTION_MS + 1) != 0
    assert sessions.eviction_count == 1
    with pytest.raises(KafkaError):
        sessions.begin(request(idle, 1), 12, EVICTION_MS + 1)


@pytest.mark.parametrize(("newcomer", "evicts"), [((0,), False), ((0, 1), False), ((0, 1, 2), True)])
def test_larger_session_displaces_a_smaller_old_one(newcomer: tuple[int, ...], evicts: bool) -> None:
    sessions = cache(slots=1)
    old = open_session(sessions, 0, 1)
    sessions.begin(request(old, 1), 12, EVICTION_MS)
    now_ms = EVICTION_MS + 1
    assert (open_session(sessions, *newcomer, now_ms=now_ms) != 0) == evicts


def test_partitions_of_all_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_session, "MAX_CACHED_PARTITIONS", 3)
    sessions = cache()
    session_id = open_session(sessions, 0, 1)
    assert open_session(sessions, 0, 1) == 0
    with pytest.raises(KafkaError) as caught:
        sessions.begin(request(session_id, 1, 2, 3), 12, 0)
    assert caught.value.code == errors.FETCH_SESSION_ID_NOT_FOUND
    assert (sessions.session_count, sessions.partition_count) == (0, 0)


@given(
    st.lists(
        st.tuples(
            st.sets(st.integers(0, 5)),
            st.sets(st.integers(0, 5)),
            st.dictionaries(
                st.integers(0, 5), st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans())
            ),
        ),
        max_size=12,
    )
)
def test_incremental_view_equals_the_full_view(
    steps: list[tuple[set[int], set[int], dict[int, tuple[int, int, bool]]]],
) -> None:
    """What a client knows after any number of incremental responses is what is so."""
    sessions = cache()
    session_id = open_session(sessions, 0, 9)
    wanted_indexes = {0, 9}
    committed = dict.fromkeys(range(10), 0)
    known = {index: (0, 0) for index in wanted_indexes}
    for epoch, (added, forgotten, changes) in enumerate(steps, 1):
        forgotten -= {9}
        context = sessions.begin(
            request(session_id, epoch, *sorted(added), forget=tuple(forgotten)), 12, epoch
        )
        wanted_indexes = (wanted_indexes | added) - forgotten
        assert {p.asked.partition for p in context.partitions} == wanted_indexes
        known = {index: fact for index, fact in known.items() if index in wanted_indexes}
        result: Answers = []
        full_view = {}
        for wanted in context.partitions:
            index = wanted.asked.partition
            committed[index], code, has_records = changes.get(index, (committed[index], 0, False))
            full_view[index] = (-1 if code else committed[index], code)
            result.append((wanted, data(index, full_view[index][0], b"x" * (has_records and not code), code)))
        for _, answer in context.finish(result, epoch)[1]:
            known[answer.partition_index] = (answer.high_watermark, answer.error_code)
        assert known == full_view
