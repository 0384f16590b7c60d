"""ListOffsets (2): the offset at a time, or at one end of the log.

Kafka: `ReplicaManager.fetchOffset`, `Partition.fetchOffsetForTimestamp`.

    -1 latest           what a consumer may read up to, by its isolation level
    -2 earliest         log start
    -3 max timestamp    the record with the largest timestamp (KIP-734), v7
    -4 earliest local   as -2: nothing is tiered here, v8
    -5 latest tiered, -6 earliest pending upload   nothing: offset -1, v9, v11
    t ≥ 0               first record with timestamp ≥ t
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.list_offsets_response import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.log.partition_log import PartitionLog
    from kbroker.protocol.generated.list_offsets_request import ListOffsetsPartition, ListOffsetsRequest
    from kbroker.replication.partition import Partition

API_KEY = 2
VERSIONS = (1, 11)

LATEST = -1
EARLIEST = -2
MAX_TIMESTAMP = -3
EARLIEST_LOCAL = -4
LATEST_TIERED = -5
EARLIEST_PENDING_UPLOAD = -6
# Special timestamp → first version that knows it.
_KNOWN_FROM = {
    LATEST: 1,
    EARLIEST: 1,
    MAX_TIMESTAMP: 7,
    EARLIEST_LOCAL: 8,
    LATEST_TIERED: 9,
    EARLIEST_PENDING_UPLOAD: 11,
}

CONSUMER_REPLICA_ID = -1
# Whoever asks so may come to any replica.
DEBUGGING_REPLICA_ID = -2
READ_COMMITTED = 1
_ISOLATION_LEVELS = (0, READ_COMMITTED)
_FIRST_VERSION_WITH_LEADER_EPOCH = 4
_FIRST_VERSION_KNOWING_OFFSET_NOT_AVAILABLE = 5

# (timestamp, offset, leader epoch)
Found = tuple[int, int, int]
_NOTHING: Found = (-1, -1, -1)


def handle(request: ListOffsetsRequest, context: RequestContext) -> ListOffsetsResponse:
    """One answer for each partition, under its topic, however often both are named."""
    named = Counter(
        (topic.name, partition.partition_index) for topic in request.topics for partition in topic.partitions
    )
    topics: dict[str, ListOffsetsTopicResponse] = {}
    for topic in request.topics:
        for wanted in topic.partitions:
            # A partition's count is taken: what is left of it is answered already.
            times_named = named.pop((topic.name, wanted.partition_index), 0)
            if times_named:
                answer = _answer(request, context, topic.name, wanted, times_named)
                topics.setdefault(topic.name, ListOffsetsTopicResponse(topic.name)).partitions.append(answer)
    return ListOffsetsResponse(0, list(topics.values()))


def _answer(
    request: ListOffsetsRequest,
    context: RequestContext,
    topic: str,
    wanted: ListOffsetsPartition,
    times_named: int,
) -> ListOffsetsPartitionResponse:
    version = context.api_version
    try:
        if request.isolation_level not in _ISOLATION_LEVELS:
            # An accident in Kafka, and better than to guess.
            raise KafkaError(errors.UNKNOWN_SERVER_ERROR)
        if times_named > 1:
            raise KafkaError(errors.INVALID_REQUEST)
        if wanted.timestamp < 0 and version < _KNOWN_FROM.get(wanted.timestamp, version + 1):
            raise KafkaError(errors.UNSUPPORTED_VERSION)
        partition = context.services.replicas.partition(topic, wanted.partition_index)
        log = partition.local_log(
            wanted.current_leader_epoch, only_leader=request.replica_id != DEBUGGING_REPLICA_ID
        )
        timestamp, offset, leader_epoch = _look_up(partition, log, wanted.timestamp, request)
    except KafkaError as error:
        code = error.code
        if code == errors.OFFSET_NOT_AVAILABLE and version < _FIRST_VERSION_KNOWING_OFFSET_NOT_AVAILABLE:
            code = errors.LEADER_NOT_AVAILABLE
        return ListOffsetsPartitionResponse(wanted.partition_index, code)
    if version < _FIRST_VERSION_WITH_LEADER_EPOCH:
        leader_epoch = -1
    return ListOffsetsPartitionResponse(wanted.partition_index, errors.NONE, timestamp, offset, leader_epoch)


def _look_up(partition: Partition, log: PartitionLog, timestamp: int, request: ListOffsetsRequest) -> Found:
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        return -1, log.log_start_offset, log.leader_epochs.epoch_for_offset(log.log_start_offset)
    is_consumer = request.replica_id == CONSUMER_REPLICA_ID
    if not is_consumer:
        end_offset = log.log_end_offset
    elif request.isolation_level == READ_COMMITTED:
        end_offset = log.last_stable_offset
    else:
        end_offset = log.high_watermark
    # A new leader whose high watermark has not reached its epoch yet may still know less than clients
    # have seen: better no answer than one that goes back.
    epoch_start = partition.epoch_start_offset
    is_lagging = is_consumer and epoch_start is not None and epoch_start > log.high_watermark
    if timestamp == LATEST:
        if is_lagging:
            raise KafkaError(errors.OFFSET_NOT_AVAILABLE)
        return -1, end_offset, partition.leader_epoch
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return _NOTHING
    found = log.max_timestamp_offset() if timestamp == MAX_TIMESTAMP else log.offset_for_timestamp(timestamp)
    if found is not None and found[0] < end_offset:
        offset, found_timestamp, leader_epoch = found
        return found_timestamp, offset, leader_epoch
    if is_lagging:
        raise KafkaError(errors.OFFSET_NOT_AVAILABLE)
    return _NOTHING
