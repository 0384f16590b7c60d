"""Produce (0): append record batches, one per partition.

Order of checks as in Kafka's `KafkaApis.handleProduceRequest` and
`ReplicaManager.appendRecords`. Partitions succeed and fail one by one. An
answer waits only for what acks asks for: all in-sync replicas, or a flush.

    acks 0    nothing is answered; an error closes the connection
    acks 1    appended here, and flushed if `flush.messages` says so
    acks all  below the high watermark

v8 record errors; v9 flexible; v10 leader hints (KIP-951); v13 topic ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.context import CloseConnection
from kbroker.handlers.leader_hints import leader_hint
from kbroker.log.partition_log import AppendOrigin
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.produce_response import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from kbroker.records.validation import UnfitRecords

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.protocol.generated.produce_request import PartitionProduceData, ProduceRequest
    from kbroker.replication.partition import Partition
    from kbroker.replication.replica_manager import HostedTopic

    # A topic's name up to v12, its id from v13 on.
    TopicKey = str | bytes

API_KEY = 0
VERSIONS = (3, 13)

FIRST_VERSION_WITH_TOPIC_IDS = 13
_FIRST_VERSION_WITH_LEADER_HINTS = 10
# May write to the coordinators' topics, as Kafka's own tools need.
_ADMIN_CLIENT_ID = "__admin_client"
# Low byte of a batch's attributes, and its transactional bit.
_ATTRIBUTES_AT = 22
_TRANSACTIONAL = 0x10
# The only error that ends both Java's and librdkafka's transactional producer at once, wherever they meet it.
TRANSACTIONS_UNSUPPORTED = errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
TRANSACTIONS_UNSUPPORTED_MESSAGE = "this broker does not support transactions yet"
# After these Kafka does not tell the log start either.
_WITHOUT_LOG_START = frozenset(
    (
        errors.CORRUPT_MESSAGE,
        errors.UNKNOWN_TOPIC_OR_PARTITION,
        errors.NOT_LEADER_OR_FOLLOWER,
        errors.MESSAGE_TOO_LARGE,
        errors.INVALID_TOPIC_EXCEPTION,
        errors.RECORD_LIST_TOO_LARGE,
        errors.INVALID_REQUIRED_ACKS,
        errors.KAFKA_STORAGE_ERROR,
    )
)


def handle(
    request: ProduceRequest, context: RequestContext
) -> ProduceResponse | Pending[ProduceResponse] | None:
    produce = _Produce(request, context)
    refused = _refusal_of_transaction(request)
    by_id = context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS
    topics: list[TopicProduceResponse] = []
    for topic in request.topic_data:
        name = topic.topic_id if by_id else topic.name
        hosted = produce.find(name)
        answers: list[PartitionProduceResponse] = []
        for data in topic.partition_data:
            if refused is None:
                answers.append(produce.append(name, hosted, data))
            else:
                answers.append(produce.failed(name, data.index, None, refused))
        if answers:
            topics.append(TopicProduceResponse(topic.name, topic.topic_id, answers))
    return produce.finish(topics)


def refuse(request: ProduceRequest, context: RequestContext, error: KafkaError) -> ProduceResponse:
    """The answer to a request for one partition whose log has refused the batch (`repeated_produce.py`)."""
    produce = _Produce(request, context)
    (topic,) = request.topic_data
    (data,) = topic.partition_data
    name = topic.topic_id if context.api_version >= FIRST_VERSION_WITH_TOPIC_IDS else topic.name
    hosted = produce.find(name)
    partition = None if hosted is None else hosted.partitions.get(data.index)
    answers = [produce.failed(name, data.index, partition, error)]
    return produce.respond([TopicProduceResponse(topic.name, topic.topic_id, answers)])


def _refusal_of_transaction(request: ProduceRequest) -> KafkaError | None:
    """One transactional batch decides for the whole request, before anything is appended."""
    for topic in request.topic_data:
        for data in topic.partition_data:
            records = data.records
            if (
                records is not None
                and len(records) > _ATTRIBUTES_AT
                and records[_ATTRIBUTES_AT] & _TRANSACTIONAL
            ):
                return KafkaError(TRANSACTIONS_UNSUPPORTED, TRANSACTIONS_UNSUPPORTED_MESSAGE)
    return None


class _Unacknowledged:
    """An appended batch that `acks` is not met for yet. Keeps nothing of the request's bytes."""

    __slots__ = ("answer", "last_offset", "name", "partition")

    def __init__(
        self, name: TopicKey, partition: Partition, last_offset: int, answer: PartitionProduceResponse
    ) -> None:
        self.name = name
        self.partition = partition
        self.last_offset = last_offset
        self.answer = answer


class _Produce:
    """One request on its way."""

    __slots__ = (
        "acks",
        "context",
        "endpoints",
        "failure",
        "now_ms",
        "replicas",
        "timeout_ms",
        "topics",
        "version",
        "waiting",
    )

    def __init__(self, request: ProduceRequest, context: RequestContext) -> None:
        services = context.services
        self.context = context
        self.version = context.api_version
        self.acks = request.acks
        self.timeout_ms = request.timeout_ms
        self.replicas = services.replicas
        self.now_ms = services.environment.clock.wall_ms()
        self.topics: list[TopicProduceResponse] = []
        self.endpoints: dict[int, NodeEndpoint] | None = None
        self.waiting: list[_Unacknowledged] | None = None
        # What the last refused partition said, for the log line of a closed acks=0 connection. Not the
        # exception: that would close a circle over its frames, and keep an opened batch in memory.
        self.failure: str | None = None

    def find(self, name: TopicKey) -> HostedTopic | None:
        if isinstance(name, str):
            return self.replicas.topics.get(name)
        return self.replicas.topics_by_id.get(name)

    def append(
        self, name: TopicKey, hosted: HostedTopic | None, data: PartitionProduceData
    ) -> PartitionProduceResponse:
        """Append one partition's batch; its answer, which may have to wait until `acks` is met."""
        acks = self.acks
        partition = None if hosted is None else hosted.partitions.get(data.index)
        try:
            if hosted is None or partition is None:
                raise self.replicas.not_hosted(name, data.index)
            if data.records is None:
                raise KafkaError(errors.INVALID_RECORD, "no records")
            if not -1 <= acks <= 1:
                raise KafkaError(errors.INVALID_REQUIRED_ACKS)
            if hosted.is_internal and self.context.client_id != _ADMIN_CLIENT_ID:
                raise KafkaError(
                    errors.INVALID_TOPIC_EXCEPTION, f"{hosted.name} is written by the broker only"
                )
            info = self.replicas.append(
                hosted, partition, data.records, acks, self.now_ms, AppendOrigin.CLIENT, self.version
            )
        except KafkaError as error:
            return self.failed(name, data.index, partition, error)
        answer = PartitionProduceResponse(
            data.index, 0, info.first_offset, info.log_append_time_ms, info.log_start_offset
        )
        if acks and partition.outcome(info.last_offset, acks) != errors.NONE:
            if self.waiting is None:
                self.waiting = []
            self.waiting.append(_Unacknowledged(name, partition, info.last_offset, answer))
        return answer

    def failed(
        self, name: TopicKey, index: int, partition: Partition | None, error: KafkaError
    ) -> PartitionProduceResponse:
        self.failure = error.message
        answer = PartitionProduceResponse(index)
        self._set_error(name, answer, error.code)
        answer.error_message = error.message
        is_from_log = error.code not in _WITHOUT_LOG_START and not isinstance(error, UnfitRecords)
        if partition is not None and is_from_log:
            answer.log_start_offset = partition.log.log_start_offset
        answer.record_errors = [
            BatchIndexAndErrorMessage(batch_index, message)
            for batch_index, message in getattr(error, "record_errors", ())
        ]
        return answer

    def _set_error(self, name: TopicKey, answer: PartitionProduceResponse, code: int) -> None:
        answer.error_code = code
        answer.base_offset = -1
        answer.log_append_time_ms = -1
        answer.log_start_offset = -1
        if code == errors.NOT_LEADER_OR_FOLLOWER and self.version >= _FIRST_VERSION_WITH_LEADER_HINTS:
            hint = leader_hint(self.context, name, answer.index)
            answer.current_leader = LeaderIdAndEpoch(hint.leader_id, hint.leader_epoch)
            if hint.endpoint is not None:
                if self.endpoints is None:
                    self.endpoints = {}
                self.endpoints[hint.leader_id] = NodeEndpoint(hint.leader_id, *hint.endpoint, hint.rack)

    # --- the answer -----------------------------------------------------------------------------

    def finish(self, topics: list[TopicProduceResponse]) -> ProduceResponse | Pending[ProduceResponse] | None:
        if self.acks == 0:
            if self.failure is not None:
                raise CloseConnection(f"a produce with acks=0 failed: {self.failure}")
            return None
        if self.waiting is None:
            return self.respond(topics)
        self.topics = topics
        keys = {unacknowledged.partition.key for unacknowledged in self.waiting}
        return self.context.services.waiting.wait(keys, self.timeout_ms, self._attempt, self._expire)

    def _attempt(self) -> ProduceResponse | None:
        """The response, once every batch is acknowledged or lost."""
        assert self.waiting is not None
        still_waiting = []
        for unacknowledged in self.waiting:
            code = unacknowledged.partition.outcome(unacknowledged.last_offset, self.acks)
            if code is None:
                still_waiting.append(unacknowledged)
            elif code != errors.NONE:
                self._set_error(unacknowledged.name, unacknowledged.answer, code)
        self.waiting = still_waiting
        return None if still_waiting else self.respond(self.topics)

    def _expire(self) -> ProduceResponse:
        """Out of time; the records stay and may yet be committed."""
        assert self.waiting is not None
        for unacknowledged in self.waiting:
            self._set_error(unacknowledged.name, unacknowledged.answer, errors.REQUEST_TIMED_OUT)
        return self.respond(self.topics)

    def respond(self, topics: list[TopicProduceResponse]) -> ProduceResponse:
        if self.endpoints is None:
            return ProduceResponse(topics)
        return ProduceResponse(topics, 0, list(self.endpoints.values()))
