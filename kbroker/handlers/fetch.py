"""Fetch (1): read many partitions, now or when there is enough.

Records leave as file regions; nothing is copied or looked into. At least one
whole batch is returned for the first partition that has any (KIP-74), then
the request's and the partitions' byte limits hold. A fetch that finds too
little waits for appends, without polling, until min bytes are there, a
partition has an error, or max wait is over.

Kafka: `KafkaApis.handleFetchRequest`, `ReplicaManager.fetchMessages`,
`DelayedFetch`. v7 sessions (KIP-227); v9 leader epochs; v12 diverging epochs;
v13 topic ids; v15 replica state; v16 leader hints (KIP-951). Every batch of a
response is whole; Kafka may cut the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.leader_hints import leader_hint
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.fetch_response import (
    AbortedTransaction,
    EpochEndOffset,
    FetchableTopicResponse,
    FetchResponse,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
)
from kbroker.replication.fetch_session import FIRST_VERSION_WITH_TOPIC_IDS

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.log.partition_log import PartitionLog
    from kbroker.protocol.generated.fetch_request import FetchPartition, FetchRequest
    from kbroker.protocol.primitives import Part
    from kbroker.replication.fetch_session import Answers, FetchContext, FetchedPartition
    from kbroker.replication.partition import Partition
    from kbroker.replication.replica_manager import HostedTopic

API_KEY = 1
VERSIONS = (4, 18)

READ_COMMITTED = 1
ISOLATION_LEVELS = (0, READ_COMMITTED)
NO_EPOCH = -1
_FIRST_VERSION_KNOWING_STORAGE_ERRORS = 6
_FIRST_VERSION_READING_FROM_FOLLOWERS = 11
FIRST_VERSION_WITH_REPLICA_STATE = 15
_FIRST_VERSION_WITH_LEADER_HINTS = 16
# Known mistakes of clients and known states of a cluster: not a failure of this broker.
_EXPECTED_FAILURES = frozenset(
    (
        errors.OFFSET_OUT_OF_RANGE,
        errors.NOT_LEADER_OR_FOLLOWER,
        errors.UNKNOWN_LEADER_EPOCH,
        errors.FENCED_LEADER_EPOCH,
        errors.KAFKA_STORAGE_ERROR,
    )
)


def handle(request: FetchRequest, context: RequestContext) -> FetchResponse | Pending[FetchResponse]:
    if request.isolation_level not in ISOLATION_LEVELS:
        # An accident in Kafka, and better than to guess.
        return _refuse(request, context.api_version, errors.UNKNOWN_SERVER_ERROR)
    services = context.services
    try:
        session = services.fetch_sessions.begin(
            request, context.api_version, services.environment.clock.monotonic_ms()
        )
    except KafkaError as error:
        return FetchResponse(0, error.code)
    fetch = Fetch(request, context, session)
    fetch.read()
    if fetch.is_satisfied() or request.max_wait_ms <= 0 or not session.partitions:
        return fetch.finish()
    return fetch.wait(request.max_wait_ms)


def go_on_waiting(request: FetchRequest, context: RequestContext) -> Fetch:
    """A request without a session that has been counted, and found too little so far."""
    services = context.services
    now_ms = services.environment.clock.monotonic_ms()
    fetch = Fetch(request, context, services.fetch_sessions.begin(request, context.api_version, now_ms))
    fetch.is_counted = True
    return fetch


def _refuse(request: FetchRequest, version: int, code: int) -> FetchResponse:
    """The whole request's error; before topic ids every partition had it too."""
    topics = request.topics if version < FIRST_VERSION_WITH_TOPIC_IDS else []
    responses = [
        FetchableTopicResponse(
            topic.topic,
            partitions=[
                PartitionData(asked.partition, code, -1, -1, -1, aborted_transactions=[], records=b"")
                for asked in topic.partitions
            ],
        )
        for topic in topics
    ]
    return FetchResponse(0, code, request.session_id, responses)


def _aborted(log: PartitionLog, offset: int, upper_offset: int, records: Part) -> list[AbortedTransaction]:
    """What a read_committed consumer must leave out of `records`; more than it needs does no harm."""
    if not records:
        return []
    found = log.aborted_transactions(offset, upper_offset)
    return [AbortedTransaction(one.producer_id, one.first_offset) for one in found]


class Fetch:
    """One request on its way; kept while it waits."""

    __slots__ = (
        "_answers",
        "_by_id",
        "_context",
        "_endpoints",
        "_from_follower",
        "_has_error",
        "_max_bytes",
        "_min_bytes",
        "_only_leader",
        "_read_committed",
        "_session",
        "_size",
        "_version",
        "is_counted",
    )

    def __init__(self, request: FetchRequest, context: RequestContext, session: FetchContext) -> None:
        version = context.api_version
        self._context = context
        self._version = version
        self._session = session
        self._by_id = version >= FIRST_VERSION_WITH_TOPIC_IDS
        self._only_leader = version < _FIRST_VERSION_READING_FROM_FOLLOWERS
        self._read_committed = request.isolation_level == READ_COMMITTED
        replica_id = (
            request.replica_id
            if version < FIRST_VERSION_WITH_REPLICA_STATE
            else request.replica_state.replica_id
        )
        self._from_follower = replica_id >= 0
        self._max_bytes = max(0, min(request.max_bytes, context.services.config.int("fetch.max.bytes")))
        self._min_bytes = min(request.min_bytes, self._max_bytes)
        self._answers: Answers = []
        self._size = 0
        self._has_error = False
        self.is_counted = False
        self._endpoints: dict[int, NodeEndpoint] = {}

    # --- waiting --------------------------------------------------------------------------------

    def is_satisfied(self) -> bool:
        return self._size >= self._min_bytes or self._has_error

    def wait(self, max_wait_ms: int) -> Pending[FetchResponse]:
        """Until an append, a change of leader or the end of `max_wait_ms` makes an answer."""
        # What was read is read again then; meanwhile it would only keep files open.
        self._answers = []
        keys = []
        for wanted in self._session.partitions:
            _, partition = self._find(wanted)
            if partition is not None:
                keys.append(partition.key)
        return self._context.services.waiting.wait(keys, max_wait_ms, self.attempt, self.expire)

    def attempt(self) -> FetchResponse | None:
        """The response, if there is enough by now."""
        self.read()
        if self.is_satisfied():
            return self.finish()
        self._answers = []
        return None

    def expire(self) -> FetchResponse:
        """Out of time: whatever there is."""
        self.read()
        return self.finish()

    # --- reading --------------------------------------------------------------------------------

    def read(self) -> None:
        """Read all partitions in order, until the request's byte limit is used up."""
        self._answers = answers = []
        self._has_error = False
        left = self._max_bytes
        at_least_one = True
        size = 0
        for wanted in self._session.partitions:
            answer = self._read_partition(wanted, left, at_least_one)
            # Never null, also where the schema would allow it.
            length = len(answer.records or b"")
            if length:
                at_least_one = False
                size += length
                left = max(0, left - length)
            elif answer.error_code or answer.diverging_epoch.epoch >= 0:
                self._has_error = True
            answers.append((wanted, answer))
        self._size = size
        self.is_counted = True

    def _find(self, wanted: FetchedPartition) -> tuple[HostedTopic | None, Partition | None]:
        replicas = self._context.services.replicas
        hosted = (
            replicas.topics_by_id.get(wanted.topic_id) if self._by_id else replicas.topics.get(wanted.topic)
        )
        return hosted, None if hosted is None else hosted.partitions.get(wanted.asked.partition)

    def _read_partition(self, wanted: FetchedPartition, max_bytes: int, at_least_one: bool) -> PartitionData:
        asked = wanted.asked
        hosted, partition = self._find(wanted)
        if hosted is None or partition is None:
            return self._not_hosted(wanted)
        if not self.is_counted:
            hosted.statistics.total_fetch_requests += 1
        try:
            # As in Kafka, here any negative epoch is none.
            leader_epoch = max(asked.current_leader_epoch, NO_EPOCH)
            log = partition.local_log(leader_epoch, only_leader=self._only_leader)
            if self._from_follower or asked.last_fetched_epoch > NO_EPOCH:
                diverging = self._check_epochs(partition, asked)
                if diverging is not None:
                    return diverging
            high_watermark = log.high_watermark
            last_stable_offset = log.last_stable_offset
            upper_offset = last_stable_offset if self._read_committed else high_watermark
            offset = asked.fetch_offset
            if asked.partition_max_bytes < max_bytes:
                max_bytes = asked.partition_max_bytes
            records = partition.read(offset, upper_offset, max_bytes, at_least_one)
            aborted = _aborted(log, offset, upper_offset, records) if self._read_committed else None
        except KafkaError as error:
            if error.code not in _EXPECTED_FAILURES:
                hosted.statistics.failed_fetch_requests += 1
            return self._failed(wanted, error.code)
        return PartitionData(
            asked.partition,
            errors.NONE,
            high_watermark,
            last_stable_offset,
            log.log_start_offset,
            aborted_transactions=aborted,
            records=records,
        )

    def _check_epochs(self, partition: Partition, asked: FetchPartition) -> PartitionData | None:
        """Refuse replicas that are none of this partition's; tell a diverged client where it left the log."""
        if self._from_follower:
            named_epoch = asked.current_leader_epoch > NO_EPOCH
            raise KafkaError(
                errors.UNKNOWN_LEADER_EPOCH if named_epoch else errors.NOT_LEADER_OR_FOLLOWER,
                "this broker replicates to no other",
            )
        diverging = partition.diverging_epoch(asked.last_fetched_epoch, asked.fetch_offset)
        if diverging is None:
            return None
        log = partition.log
        return PartitionData(
            asked.partition,
            errors.NONE,
            log.high_watermark,
            log.last_stable_offset,
            log.log_start_offset,
            EpochEndOffset(*diverging),
            aborted_transactions=None,
            records=b"",
        )

    # --- errors ---------------------------------------------------------------------------------

    def _not_hosted(self, wanted: FetchedPartition) -> PartitionData:
        topic = wanted.topic_id if self._by_id else wanted.topic
        code = self._context.services.replicas.not_hosted(topic, wanted.asked.partition).code
        answer = self._failed(wanted, code)
        if code in (errors.UNKNOWN_TOPIC_ID, errors.UNKNOWN_TOPIC_OR_PARTITION):
            # As Kafka does: these never came as far as to have none.
            answer.aborted_transactions = []
        return answer

    def _failed(self, wanted: FetchedPartition, code: int) -> PartitionData:
        if code == errors.KAFKA_STORAGE_ERROR and self._version < _FIRST_VERSION_KNOWING_STORAGE_ERRORS:
            code = errors.NOT_LEADER_OR_FOLLOWER
        answer = PartitionData(
            wanted.asked.partition, code, -1, -1, -1, aborted_transactions=None, records=b""
        )
        if self._version >= _FIRST_VERSION_WITH_LEADER_HINTS and code in (
            errors.NOT_LEADER_OR_FOLLOWER,
            errors.FENCED_LEADER_EPOCH,
        ):
            hint = leader_hint(self._context, wanted.topic_id, wanted.asked.partition)
            answer.current_leader = LeaderIdAndEpoch(hint.leader_id, hint.leader_epoch)
            if hint.endpoint is not None:
                self._endpoints[hint.leader_id] = NodeEndpoint(hint.leader_id, *hint.endpoint, hint.rack)
        return answer

    # --- the answer -----------------------------------------------------------------------------

    def finish(self) -> FetchResponse:
        services = self._context.services
        try:
            session_id, answers = self._session.finish(
                self._answers, services.environment.clock.monotonic_ms()
            )
        except KafkaError as error:
            return FetchResponse(0, error.code)
        responses: list[FetchableTopicResponse] = []
        topic: FetchableTopicResponse | None = None
        for wanted, answer in answers:
            if topic is None or topic.topic != wanted.topic or topic.topic_id != wanted.topic_id:
                topic = FetchableTopicResponse(wanted.topic, wanted.topic_id, [])
                responses.append(topic)
            topic.partitions.append(answer)
            if answer.records:
                hosted, _ = self._find(wanted)
                if hosted is not None:
                    hosted.statistics.bytes_out += len(answer.records)
        response = FetchResponse(0, errors.NONE, session_id, responses)
        if self._endpoints:
            response.node_endpoints = list(self._endpoints.values())
        return response
