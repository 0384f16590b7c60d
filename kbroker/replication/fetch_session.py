"""Incremental fetch sessions: ask and hear only of what changed.

Pure. KIP-227; Kafka: `FetchManager`, `FetchContext`, `FetchSessionCacheShard`.

    request (id, epoch)      means
    (0, -1)                  sessionless, all partitions named
    (id, -1)                 close session `id`, then sessionless
    (0, 0), (id, 0)          close `id`, all partitions named, open a session
    (id, n > 0)              only changes since request n - 1 of session `id`

    invariant  sessions stand in the order of their last use, oldest first
    invariant  what a session was told is what its client knows, since an
               answer changes the session only as it is given out

A session is bounded twice: their number by
`max.incremental.fetch.session.cache.slots`, their partitions together by
MAX_CACHED_PARTITIONS. Refusing a session is always legal: the client goes on
with full requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError

if TYPE_CHECKING:
    from kbroker.environment import Random
    from kbroker.protocol.generated.fetch_request import FetchPartition, FetchRequest
    from kbroker.protocol.generated.fetch_response import PartitionData

NO_SESSION = 0
INITIAL_EPOCH = 0
FINAL_EPOCH = -1
FIRST_VERSION_WITH_TOPIC_IDS = 13
# A session idle, or alive, for this long may be evicted for another.
EVICTION_MS = 120_000
MAX_CACHED_PARTITIONS = 200_000
_MAX_EPOCH = 2**31 - 1
_MAX_SESSION_ID = 2**31 - 1

# Topic name up to Fetch v12, topic id from v13 on; and the partition's index.
PartitionKey: TypeAlias = tuple[str | bytes, int]


class FetchedPartition:
    """One partition as the client last asked for it, and what the client was last told."""

    __slots__ = ("asked", "told_high_watermark", "told_log_start_offset", "topic", "topic_id")

    def __init__(self, topic: str, topic_id: bytes, asked: FetchPartition) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.asked = asked
        self.told_high_watermark = -1
        self.told_log_start_offset = -1

    def tell(self, answer: PartitionData) -> bool:
        """Whether an incremental response must carry `answer`; remembers it as told."""
        news = len(answer.records or b"") > 0 or answer.preferred_read_replica >= 0
        if answer.high_watermark != self.told_high_watermark:
            self.told_high_watermark = answer.high_watermark
            news = True
        if answer.log_start_offset != self.told_log_start_offset:
            self.told_log_start_offset = answer.log_start_offset
            news = True
        if answer.error_code != errors.NONE:
            # Forgotten, so that the end of the error is news as well.
            self.told_high_watermark = -1
            news = True
        return news or answer.diverging_epoch.epoch >= 0


Answers: TypeAlias = list[tuple[FetchedPartition, "PartitionData"]]


class FetchSession:
    """The partitions one client fetches, in the order in which they are read."""

    __slots__ = ("created_ms", "epoch", "id", "last_used_ms", "partitions", "uses_topic_ids")

    def __init__(
        self, id_: int, partitions: dict[PartitionKey, FetchedPartition], uses_topic_ids: bool, now_ms: int
    ) -> None:
        self.id = id_
        self.partitions = partitions
        self.uses_topic_ids = uses_topic_ids
        self.created_ms = now_ms
        self.last_used_ms = now_ms
        # The epoch of the request that must come next.
        self.epoch = 1


class FetchContext:
    """What one Fetch request reads, and how its answer is told. This one: without a session."""

    __slots__ = ("partitions",)

    def __init__(self, partitions: Sequence[FetchedPartition]) -> None:
        self.partitions = partitions

    def finish(self, answers: Answers, now_ms: int) -> tuple[int, Answers]:
        """Session id and answers of the response; KafkaError when the session has moved on."""
        return NO_SESSION, answers


class _FullContext(FetchContext):
    """All partitions were named, and the client would like a session."""

    __slots__ = ("_by_key", "_cache", "_uses_topic_ids")

    def __init__(
        self, cache: FetchSessionCache, by_key: dict[PartitionKey, FetchedPartition], uses_topic_ids: bool
    ) -> None:
        super().__init__(list(by_key.values()))
        self._cache = cache
        self._by_key = by_key
        self._uses_topic_ids = uses_topic_ids

    def finish(self, answers: Answers, now_ms: int) -> tuple[int, Answers]:
        session_id = self._cache.create(self._by_key, self._uses_topic_ids, now_ms)
        if session_id != NO_SESSION:
            for partition, answer in answers:
                partition.told_high_watermark = answer.high_watermark
                partition.told_log_start_offset = answer.log_start_offset
        return session_id, answers


class _IncrementalContext(FetchContext):
    """The session knows the partitions; only news goes out."""

    __slots__ = ("_epoch", "_session")

    def __init__(self, session: FetchSession) -> None:
        super().__init__(list(session.partitions.values()))
        self._session = session
        self._epoch = session.epoch

    def finish(self, answers: Answers, now_ms: int) -> tuple[int, Answers]:
        session = self._session
        if session.epoch != self._epoch:
            # Another connection used the session while this request waited.
            raise KafkaError(errors.INVALID_FETCH_SESSION_EPOCH)
        news: Answers = []
        for pair in answers:
            partition, answer = pair
            if partition.tell(answer):
                news.append(pair)
                if len(answer.records or b""):
                    # Read last next time, so that one busy partition can't starve the others.
                    key = _key(partition.topic, partition.topic_id, partition.asked, session.uses_topic_ids)
                    session.partitions[key] = session.partitions.pop(key)
        return session.id, news


class FetchSessionCache:
    """All sessions of this broker."""

    def __init__(self, max_sessions: int, random: Random) -> None:
        self.max_sessions = max_sessions
        self._random = random
        self._sessions: dict[int, FetchSession] = {}
        # For metrics.
        self.partition_count = 0
        self.eviction_count = 0

    @property
    def session_count(self) -> int:
        return len(self._sessions)

    def begin(self, request: FetchRequest, version: int, now_ms: int) -> FetchContext:
        """What `request` reads. KafkaError: there is no such session, or not with this epoch."""
        uses_topic_ids = version >= FIRST_VERSION_WITH_TOPIC_IDS
        if request.session_epoch not in (INITIAL_EPOCH, FINAL_EPOCH):
            return self._continue(request, uses_topic_ids, now_ms)
        if request.session_id != NO_SESSION:
            self._remove(request.session_id)
        topics = request.topics
        if request.session_epoch == FINAL_EPOCH and len(topics) == 1 == len(topics[0].partitions):
            # Just one partition, so none is named twice.
            topic = topics[0]
            return FetchContext([FetchedPartition(topic.topic, topic.topic_id, topic.partitions[0])])
        named = _named(request, uses_topic_ids)
        if request.session_epoch == FINAL_EPOCH:
            return FetchContext(list(named.values()))
        return _FullContext(self, named, uses_topic_ids)

    def _continue(self, request: FetchRequest, uses_topic_ids: bool, now_ms: int) -> FetchContext:
        session = self._sessions.get(request.session_id)
        if session is None:
            raise KafkaError(errors.FETCH_SESSION_ID_NOT_FOUND)
        if session.epoch != request.session_epoch:
            raise KafkaError(errors.INVALID_FETCH_SESSION_EPOCH)
        if session.uses_topic_ids != uses_topic_ids:
            raise KafkaError(errors.FETCH_SESSION_TOPIC_ID_ERROR)
        if request.topics or request.forgotten_topics_data:
            self._update(session, request)
            if not session.partitions:
                self._remove(session.id)
                return FetchContext(list(_named(request, uses_topic_ids).values()))
        session.epoch = session.epoch + 1 if session.epoch < _MAX_EPOCH else 1
        session.last_used_ms = now_ms
        self._sessions[session.id] = self._sessions.pop(session.id)
        return _IncrementalContext(session)

    def _update(self, session: FetchSession, request: FetchRequest) -> None:
        partitions = session.partitions
        before = len(partitions)
        for key, named in _named(request, session.uses_topic_ids).items():
            known = partitions.get(key)
            if known is None:
                partitions[key] = named
            else:
                known.asked = named.asked
        for topic in request.forgotten_topics_data:
            of_topic = topic.topic_id if session.uses_topic_ids else topic.topic
            for index in topic.partitions:
                partitions.pop((of_topic, index), None)
        self.partition_count += len(partitions) - before
        if self.partition_count > MAX_CACHED_PARTITIONS:
            # As if evicted: the client comes back with a full request.
            self._remove(session.id)
            self.eviction_count += 1
            raise KafkaError(errors.FETCH_SESSION_ID_NOT_FOUND)

    def create(
        self, partitions: dict[PartitionKey, FetchedPartition], uses_topic_ids: bool, now_ms: int
    ) -> int:
        """Open a session with epoch 1; NO_SESSION when there is no room for it."""
        size = len(partitions)
        if self.partition_count + size > MAX_CACHED_PARTITIONS:
            return NO_SESSION
        if len(self._sessions) >= self.max_sessions and not self._evict_for(size, now_ms):
            return NO_SESSION
        session_id = 1 + self._random.below(_MAX_SESSION_ID)
        while session_id in self._sessions:
            session_id = 1 + self._random.below(_MAX_SESSION_ID)
        self._sessions[session_id] = FetchSession(session_id, partitions, uses_topic_ids, now_ms)
        self.partition_count += size
        return session_id

    def _evict_for(self, size: int, now_ms: int) -> bool:
        """Make room for a session of `size` partitions: an idle one goes, else a smaller old one."""
        if not self._sessions:
            return False
        victim = next(iter(self._sessions.values()))
        if now_ms - victim.last_used_ms <= EVICTION_MS:
            old = [s for s in self._sessions.values() if now_ms - s.created_ms > EVICTION_MS]
            if not old:
                return False
            victim = min(old, key=lambda session: len(session.partitions))
            if len(victim.partitions) >= size:
                return False
        self._remove(victim.id)
        self.eviction_count += 1
        return True

    def _remove(self, session_id: int) -> None:
        session = self._sessions.pop(session_id, None)
        if session is not None:
            self.partition_count -= len(session.partitions)


def _key(topic: str, topic_id: bytes, asked: FetchPartition, uses_topic_ids: bool) -> PartitionKey:
    return (topic_id if uses_topic_ids else topic, asked.partition)


def _named(request: FetchRequest, uses_topic_ids: bool) -> dict[PartitionKey, FetchedPartition]:
    """The partitions in the request; of one named twice the last wish counts."""
    return {
        _key(topic.topic, topic.topic_id, asked, uses_topic_ids): FetchedPartition(
            topic.topic, topic.topic_id, asked
        )
        for topic in request.topics
        for asked in topic.partitions
    }
