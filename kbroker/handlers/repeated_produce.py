"""A Produce that differs from an earlier one in its records only.

A producer sends one partition's batches one after the other, in requests that
are the same but for correlation id and records. What such a request means was
found out the first time, and most of its answer is known:

    size  api key, version  correlation id  client id … topic, index  size  records  tags
          └──── same ─────┘                 └──────── same ────────┘                same

So only the log is asked. What is not plain goes the ordinary way: before anything
is appended through `produce.handle`, and what the log refuses through `produce.refuse`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.produce import API_KEY, FIRST_VERSION_WITH_TOPIC_IDS, refuse
from kbroker.handlers.repeated import (
    BEHIND_CORRELATION,
    MARK,
    MAX_KEY_BYTES,
    OFFSETS,
    OLD_OFFSETS,
    SIZE,
    Remembered,
    offsets_of,
    split_at_offsets,
)
from kbroker.log.partition_log import AppendOrigin
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.produce_response import (
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from kbroker.protocol.primitives import read_uvarint, uvarint

if TYPE_CHECKING:
    from struct import Struct

    from kbroker.handlers.context import RequestContext, Services
    from kbroker.protocol.generated.produce_request import ProduceRequest
    from kbroker.replication.partition import Partition
    from kbroker.replication.replica_manager import HostedTopic

_CLIENT = AppendOrigin.CLIENT
_FIRST_FLEXIBLE = 9
# No tags: of the partition, the topic and the request.
_NO_TAGS = b"\0\0\0"
# Of the attributes' low byte in a batch; and of size, a batch's header and tags.
_ATTRIBUTES_AT = 22
_LEAST_BYTES = 4 + 61 + len(_NO_TAGS)
_TRANSACTIONAL = 0x10


class _Repeated:
    """What one kind of request means, and the answer around its offsets."""

    __slots__ = (
        "acks",
        "after",
        "before",
        "begin",
        "counted",
        "end",
        "frame_bytes",
        "hosted",
        "offsets",
        "partition",
        "size",
        "version",
    )

    def __init__(
        self,
        hosted: HostedTopic,
        partition: Partition,
        acks: int,
        version: int,
        offsets: Struct,
        before: bytes,
        after: bytes,
    ) -> None:
        self.hosted = hosted
        self.partition = partition
        self.acks = acks
        self.version = version
        self.before = before
        self.after = after
        self.offsets = offsets
        self.size = SIZE.pack(SIZE.size + len(before) + offsets.size + len(after))
        # Of the last such request: its length, where its records are, their size as it stands before them.
        self.frame_bytes = self.begin = self.end = 0
        self.counted = b""

    def find_records(self, frame: memoryview, at: int) -> bool:
        """Whether records fill the frame from `at` on but for tags; then `begin` and `end` tell where."""
        end = len(frame)
        if end - at < _LEAST_BYTES:
            return False
        if self.version < _FIRST_FLEXIBLE:
            size = SIZE.unpack_from(frame, at)[0]
            begin = at + SIZE.size
        else:
            end -= len(_NO_TAGS)
            size, begin = read_uvarint(frame, at)
            size -= 1
        if size != end - begin:
            return False
        self.frame_bytes, self.begin, self.end = len(frame), begin, end
        self.counted = bytes(frame[at:begin])
        return True


class RepeatedProduces(Remembered[tuple[bytes, str], _Repeated]):
    """Shared by all connections of a broker."""

    __slots__ = ()

    def learn(self, frame: memoryview, request: ProduceRequest, context: RequestContext) -> int:
        """Remember a request that was handled; where its like have their records, 0 if they are not known."""
        if len(request.topic_data) != 1 or len(request.topic_data[0].partition_data) != 1 or not request.acks:
            return 0
        topic = request.topic_data[0]
        data = topic.partition_data[0]
        version = context.api_version
        if data.records is None:
            return 0
        length = len(data.records)
        if version >= _FIRST_FLEXIBLE:
            counted, tail = uvarint(length + 1), _NO_TAGS
        else:
            counted, tail = SIZE.pack(length), b""
        at = len(frame) - len(tail) - length - len(counted)
        if at > MAX_KEY_BYTES:
            return 0
        if frame[at : at + len(counted)] != counted or frame[len(frame) - len(tail) :] != tail:
            return 0
        key = b"".join((frame[:4], frame[BEHIND_CORRELATION:at])), context.connection.principal
        self._see(context.services.metadata.image)
        if key not in self._known:
            replicas = context.services.replicas
            by_id = version >= FIRST_VERSION_WITH_TOPIC_IDS
            hosted = replicas.topics_by_id.get(topic.topic_id) if by_id else replicas.topics.get(topic.name)
            partition = None if hosted is None else hosted.partitions.get(data.index)
            if hosted is None or partition is None or hosted.is_internal or not -1 <= request.acks <= 1:
                return 0
            # As long as the metadata stays: by it replicas and configs are what they are.
            if not partition.acknowledges_at_once:
                return 0
            # Base offset, log append time, log start offset.
            answered = PartitionProduceResponse(data.index, 0, MARK, MARK, MARK)
            answer = ProduceResponse([TopicProduceResponse(topic.name, topic.topic_id, [answered])])
            around = split_at_offsets(API_KEY, version, answer)
            kind = _Repeated(hosted, partition, request.acks, version, offsets_of(version), *around)
            self._remember(key, kind)
        return at

    def append(
        self, frame: memoryview, at: int, principal: str, services: Services
    ) -> bytes | KafkaError | None:
        """Append the records; the whole answer, or why the log refused them. None: nothing was done."""
        if services.metadata.image is not self._image:
            return None
        known = self._known.get((b"".join((frame[:4], frame[BEHIND_CORRELATION:at])), principal))
        if known is None:
            return None
        is_like_last = len(frame) == known.frame_bytes and frame[at : known.begin] == known.counted
        if not is_like_last and not known.find_records(frame, at):
            return None
        begin, end = known.begin, known.end
        if frame[begin + _ATTRIBUTES_AT] & _TRANSACTIONAL or frame[end:] != _NO_TAGS[: len(frame) - end]:
            return None
        records = frame[begin:end]
        now_ms = services.environment.clock.wall_ms()
        try:
            info = services.replicas.append(
                known.hosted, known.partition, records, known.acks, now_ms, _CLIENT, known.version
            )
        except KafkaError as error:
            return error.with_traceback(None)
        if known.offsets is OFFSETS:
            offsets = OFFSETS.pack(info.first_offset, info.log_append_time_ms, info.log_start_offset)
        else:
            offsets = OLD_OFFSETS.pack(info.first_offset, info.log_append_time_ms)
        return b"".join((known.size, frame[4:8], known.before, offsets, known.after))

    def refuse(self, request: ProduceRequest, context: RequestContext, error: KafkaError) -> ProduceResponse:
        """The answer to a request whose records `append` could not append."""
        return refuse(request, context, error)
