"""OffsetForLeaderEpoch (23): where an epoch ends; shows truncation.

KIP-101, KIP-320. Kafka: `ReplicaManager.lastOffsetForLeaderEpoch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.offset_for_leader_epoch_response import (
    EpochEndOffset,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.offset_for_leader_epoch_request import (
        OffsetForLeaderEpochRequest,
        OffsetForLeaderPartition,
    )

API_KEY = 23
VERSIONS = (2, 4)


def handle(request: OffsetForLeaderEpochRequest, context: RequestContext) -> OffsetForLeaderEpochResponse:
    return OffsetForLeaderEpochResponse(
        0,
        [
            OffsetForLeaderTopicResult(
                topic.topic, [_answer(context, topic.topic, wanted) for wanted in topic.partitions]
            )
            for topic in request.topics
        ],
    )


def _answer(context: RequestContext, topic: str, wanted: OffsetForLeaderPartition) -> EpochEndOffset:
    try:
        partition = context.services.replicas.partition(topic, wanted.partition)
        log = partition.local_log(wanted.current_leader_epoch)
    except KafkaError as error:
        return EpochEndOffset(error.code, wanted.partition)
    epoch, end_offset = log.end_offset_for_epoch(wanted.leader_epoch)
    return EpochEndOffset(errors.NONE, wanted.partition, epoch, end_offset)
