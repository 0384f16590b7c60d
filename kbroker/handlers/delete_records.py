"""DeleteRecords (21): move log starts; segments go later.

Kafka: `ReplicaManager.deleteRecords`. There are no followers whose log start
could lag, so nothing is waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.metadata.topic_names import INTERNAL_TOPICS
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.delete_records_response import (
    DeleteRecordsPartitionResult,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.delete_records_request import DeleteRecordsPartition, DeleteRecordsRequest

API_KEY = 21
VERSIONS = (0, 2)

_NO_LOW_WATERMARK = -1


def handle(request: DeleteRecordsRequest, context: RequestContext) -> DeleteRecordsResponse:
    """One answer for each partition, under its topic; of a partition named often the last offset counts."""
    asked = {
        (topic.name, wanted.partition_index): wanted
        for topic in request.topics
        for wanted in topic.partitions
    }
    topics: dict[str, DeleteRecordsTopicResult] = {}
    for (name, _), wanted in asked.items():
        topic = topics.setdefault(name, DeleteRecordsTopicResult(name))
        topic.partitions.append(_answer(context, name, wanted))
    return DeleteRecordsResponse(0, list(topics.values()))


def _answer(
    context: RequestContext, topic: str, wanted: DeleteRecordsPartition
) -> DeleteRecordsPartitionResult:
    services = context.services
    index = wanted.partition_index
    try:
        partition = services.replicas.partition(topic, index)
        if topic in INTERNAL_TOPICS:
            raise KafkaError(errors.INVALID_TOPIC_EXCEPTION)
        low_watermark = services.replicas.delete_records(
            partition, wanted.offset, services.environment.clock.wall_ms()
        )
    except KafkaError as error:
        return DeleteRecordsPartitionResult(index, _NO_LOW_WATERMARK, error.code)
    return DeleteRecordsPartitionResult(index, low_watermark, errors.NONE)
