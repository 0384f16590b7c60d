"""A Fetch that differs from an earlier one in its fetch offset only.

A consumer without a session reads one partition in requests that are the same
but for correlation id and fetch offset. What such a request means was found
out the first time, and most of its answer is known:

    request    api key, version  correlation id  client id … partition  fetch offset  … rack id
               └──── same ─────┘                 └─────── same ───────┘               └ same ─┘
    answer     size  correlation id  topic, partition  offsets  records' size  records  tags
                                     └──── same ────┘                                   same

So only the log is asked: now, and again whenever it has grown while too little is there.
What is not plain goes the ordinary way, by `fetch.py`: errors, aborted transactions, and what
waits while the metadata changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kbroker.handlers.fetch import (
    API_KEY,
    FIRST_VERSION_WITH_REPLICA_STATE,
    ISOLATION_LEVELS,
    NO_EPOCH,
    READ_COMMITTED,
    go_on_waiting,
)
from kbroker.handlers.repeated import (
    BEHIND_CORRELATION,
    FIRST_WITH_LOG_START,
    MARK,
    MAX_KEY_BYTES,
    OFFSET,
    OFFSETS,
    OLD_OFFSETS,
    SIZE,
    Remembered,
    offsets_of,
    split_at_offsets,
)
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.fetch_request import FetchRequest
from kbroker.protocol.generated.fetch_response import FetchableTopicResponse, FetchResponse, PartitionData
from kbroker.protocol.header import read_request_header
from kbroker.protocol.primitives import uvarint
from kbroker.replication.fetch_session import FINAL_EPOCH, FIRST_VERSION_WITH_TOPIC_IDS, NO_SESSION

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext, Services
    from kbroker.handlers.fetch import Fetch
    from kbroker.metadata.image import MetadataImage
    from kbroker.protocol.generated.fetch_request import FetchPartition
    from kbroker.protocol.primitives import Message, Part
    from kbroker.replication.partition import Partition
    from kbroker.replication.replica_manager import HostedTopic

# The request's bytes but for correlation id and fetch offset, where that stands, the principal.
Key = tuple[bytes, int, str]

_FIRST_FLEXIBLE = 12


class _Repeated:
    """What one kind of request means, and the answer around its offsets and records."""

    __slots__ = (
        "_size",
        "after",
        "before",
        "between",
        "counted",
        "has_log_start",
        "hosted",
        "is_flexible",
        "leader_epoch",
        "length",
        "max_bytes",
        "max_wait_ms",
        "min_bytes",
        "partition",
        "read_committed",
        "size",
    )

    def __init__(
        self, request: FetchRequest, context: RequestContext, hosted: HostedTopic, partition: Partition
    ) -> None:
        version = context.api_version
        asked = request.topics[0].partitions[0]
        max_bytes = max(0, min(request.max_bytes, context.services.config.int("fetch.max.bytes")))
        self.hosted = hosted
        self.partition = partition
        self.leader_epoch = max(asked.current_leader_epoch, NO_EPOCH)
        self.read_committed = request.isolation_level == READ_COMMITTED
        self.max_bytes = min(max_bytes, asked.partition_max_bytes)
        self.max_wait_ms = request.max_wait_ms
        # Without the time to wait whatever is there is enough.
        self.min_bytes = min(request.min_bytes, max_bytes) if request.max_wait_ms > 0 else 0
        self.is_flexible = version >= _FIRST_FLEXIBLE
        self.has_log_start = version >= FIRST_WITH_LOG_START
        self.before, self.between, self.after = _answer_around_records(request, version)
        # With the correlation id, but without the records and their own size.
        around = len(self.before) + len(self.between) + len(self.after)
        self._size = SIZE.size + around + offsets_of(version).size
        self.count(0)

    def count(self, length: int) -> None:
        """The next answer has `length` bytes of records."""
        counted = uvarint(length + 1) if self.is_flexible else SIZE.pack(length)
        self.length = length
        self.counted = self.between + counted
        self.size = SIZE.pack(self._size + len(counted) + length)

    def answer(self, frame: bytes | memoryview, offset: int, min_bytes: int) -> list[Part] | None:
        """The whole answer; empty if `min_bytes` are not there, None if there is more to say than records.

        Of the frame only the correlation id is asked.
        """
        partition = self.partition
        if not partition.is_leader or self.leader_epoch not in (NO_EPOCH, partition.leader_epoch):
            return None
        log = partition.log
        high_watermark = log.high_watermark
        last_stable_offset = log.last_stable_offset
        upper_offset = last_stable_offset if self.read_committed else high_watermark
        if offset > log.log_end_offset:
            return None
        records = None
        length = 0
        if offset < upper_offset:
            try:
                records = log.read(offset, self.max_bytes, upper_offset)
            except KafkaError:
                return None
            if records is None or (self.read_committed and log.aborted_transactions(offset, upper_offset)):
                return None
            length = records.length
        if length < min_bytes:
            return []
        if self.has_log_start:
            offsets = OFFSETS.pack(high_watermark, last_stable_offset, log.log_start_offset)
        else:
            offsets = OLD_OFFSETS.pack(high_watermark, last_stable_offset)
        if length != self.length:
            self.count(length)
        if records is None:
            return [b"".join((self.size, frame[4:8], self.before, offsets, self.counted, self.after))]
        self.hosted.statistics.bytes_out += length
        head = b"".join((self.size, frame[4:8], self.before, offsets, self.counted))
        return [head, records, self.after] if self.after else [head, records]


class WaitingFetch:
    """One that found too little, until there is enough or its time is over."""

    __slots__ = ("_context", "_frame", "_image", "_known", "_offset", "_ordinary")

    def __init__(self, known: _Repeated, frame: memoryview, offset: int, image: MetadataImage | None) -> None:
        self._known = known
        # A copy: the frame's memory is used again.
        self._frame = bytes(frame)
        self._offset = offset
        # What is known holds only as long as the metadata stays.
        self._image = image
        self._ordinary: Fetch | None = None

    def wait(self, context: RequestContext) -> Pending[Any]:
        """The whole answer as parts, or else a FetchResponse."""
        self._context = context
        known = self._known
        keys = (known.partition.key,)
        return context.services.waiting.wait(keys, known.max_wait_ms, self._attempt, self._expire)

    def _attempt(self) -> list[Part] | FetchResponse | None:
        parts = self._answer(self._known.min_bytes)
        return self._go_on().attempt() if parts is None else parts or None

    def _expire(self) -> list[Part] | FetchResponse:
        parts = self._answer(0)
        return self._go_on().expire() if parts is None else parts

    def _answer(self, min_bytes: int) -> list[Part] | None:
        if self._context.services.metadata.image is not self._image:
            return None
        return self._known.answer(self._frame, self._offset, min_bytes)

    def _go_on(self) -> Fetch:
        """The ordinary way."""
        if self._ordinary is None:
            frame = memoryview(self._frame)
            request = FetchRequest.read(frame, read_request_header(frame)[4], self._context.api_version)[0]
            self._ordinary = go_on_waiting(request, self._context)
        return self._ordinary


class RepeatedFetches(Remembered[Key, _Repeated]):
    """Shared by all connections of a broker."""

    __slots__ = ("_behind",)

    def __init__(self) -> None:
        super().__init__()
        # Version and rack id → bytes behind the fetch offset of such a request that was learned: a guess
        # where others have theirs, which `_known` confirms.
        self._behind: dict[tuple[int, str], int] = {}

    def learn(self, frame: memoryview, request: FetchRequest, context: RequestContext) -> int:
        """Remember a request that was handled; where its like have their offset, 0 if they are not known."""
        version = context.api_version
        if len(frame) > MAX_KEY_BYTES or not _is_plain(request, version):
            return 0
        services = context.services
        self._see(services.metadata.image)
        principal = context.connection.principal
        guessed_at = len(frame) - self._behind.get((version, request.rack_id), 0)
        key = _key(frame, guessed_at, principal)
        if key in self._known:
            return guessed_at
        topic = request.topics[0]
        asked = topic.partitions[0]
        by_id = version >= FIRST_VERSION_WITH_TOPIC_IDS
        replicas = services.replicas
        hosted = replicas.topics_by_id.get(topic.topic_id) if by_id else replicas.topics.get(topic.topic)
        partition = None if hosted is None else hosted.partitions.get(asked.partition)
        if hosted is None or partition is None:
            return 0
        at = _offset_at(frame, request, asked, version)
        if at:
            if at != guessed_at:
                key = _key(frame, at, principal)
            self._remember(key, _Repeated(request, context, hosted, partition))
            self._behind[version, request.rack_id] = len(frame) - at
        return at

    def _forget(self) -> None:
        super()._forget()
        self._behind.clear()

    def answer(
        self, frame: memoryview, at: int, principal: str, services: Services
    ) -> list[Part] | WaitingFetch | None:
        """The whole answer, or the request if too little is there and it has time to wait.

        Empty: not this time; None: the like of it is not known. Then nothing was done.
        """
        if services.metadata.image is not self._image:
            return None
        # The same as `_key`, for each fetch one call less.
        same = b"".join((frame[:4], frame[BEHIND_CORRELATION:at], frame[at + OFFSET.size :]))
        known = self._known.get((same, at, principal))
        if known is None:
            return None
        offset: int = OFFSET.unpack_from(frame, at)[0]
        parts = known.answer(frame, offset, known.min_bytes)
        if parts is None:
            return []
        known.hosted.statistics.total_fetch_requests += 1
        return parts or WaitingFetch(known, frame, offset, self._image)


def _key(frame: memoryview, at: int, principal: str) -> Key:
    return b"".join((frame[:4], frame[BEHIND_CORRELATION:at], frame[at + OFFSET.size :])), at, principal


def _is_plain(request: FetchRequest, version: int) -> bool:
    """Whether it is a consumer's request of one partition, without a session and epochs to compare."""
    topics = request.topics
    has_state = version >= FIRST_VERSION_WITH_REPLICA_STATE
    return (
        len(topics) == 1 == len(topics[0].partitions)
        and not request.forgotten_topics_data
        and request.session_id == NO_SESSION
        and request.session_epoch == FINAL_EPOCH
        and request.isolation_level in ISOLATION_LEVELS
        and (request.replica_state.replica_id if has_state else request.replica_id) < 0
        and topics[0].partitions[0].last_fetched_epoch <= NO_EPOCH
    )


def _offset_at(frame: memoryview, request: FetchRequest, asked: FetchPartition, version: int) -> int:
    """Where in the frame the fetch offset stands; 0 if the request has more in it than is understood."""
    body = _encoded(request, version)
    begin = read_request_header(frame)[4]
    if frame[begin:] != body:
        return 0
    offset = asked.fetch_offset
    # With another one, of which all bytes are different.
    asked.fetch_offset = ~offset
    marked = _encoded(request, version)
    asked.fetch_offset = offset
    at = next(at for at, (one, other) in enumerate(zip(body, marked, strict=True)) if one != other)
    return begin + at


def _answer_around_records(request: FetchRequest, version: int) -> tuple[bytes, bytes, bytes]:
    """What stands between correlation id and high watermark of an answer, its offsets and the records'
    size, and behind the records."""
    topic = request.topics[0]
    mark = OFFSET.pack(MARK)
    aborted: Any = [] if request.isolation_level == READ_COMMITTED else None
    index = topic.partitions[0].partition
    # High watermark, last stable offset, log start offset.
    data = PartitionData(index, 0, MARK, MARK, MARK, aborted_transactions=aborted, records=mark)
    answer = FetchResponse(0, 0, NO_SESSION, [FetchableTopicResponse(topic.topic, topic.topic_id, [data])])
    before, rest = split_at_offsets(API_KEY, version, answer)
    between, _, after = rest.partition(mark)
    counted = 1 if version >= _FIRST_FLEXIBLE else SIZE.size
    return before, between[:-counted], after


def _encoded(message: Message, version: int) -> bytes:
    parts: list[Any] = []
    message.write(parts, version)
    return b"".join(parts)
