"""DescribeProducers (61): who writes with which sequence (KIP-664).

Kafka: `KafkaApis.handleDescribeProducersRequest`. Any replica may answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.metadata.topic_names import is_valid_topic_name
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.describe_producers_response import (
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.describe_producers_request import DescribeProducersRequest

API_KEY = 61
VERSIONS = (0, 0)


def handle(request: DescribeProducersRequest, context: RequestContext) -> DescribeProducersResponse:
    # Each partition once: a small request that repeats one must not become a huge answer.
    wanted: dict[str, dict[int, None]] = {}
    for topic in request.topics:
        wanted.setdefault(topic.name, {}).update(dict.fromkeys(topic.partition_indexes))
    return DescribeProducersResponse(
        0,
        [
            TopicResponse(name, [_answer(context, name, index) for index in indexes])
            for name, indexes in wanted.items()
        ],
    )


def _answer(context: RequestContext, topic: str, index: int) -> PartitionResponse:
    try:
        if not is_valid_topic_name(topic):
            raise KafkaError(errors.INVALID_TOPIC_EXCEPTION)
        log = context.services.replicas.partition(topic, index).local_log(only_leader=False)
    except KafkaError as error:
        return PartitionResponse(index, error.code, error.message)
    return PartitionResponse(
        index,
        errors.NONE,
        None,
        [
            ProducerState(
                state.producer_id,
                state.producer_epoch,
                state.last_sequence,
                state.last_timestamp,
                state.coordinator_epoch,
                state.current_txn_first_offset,
            )
            for state in log.producers.active()
        ],
    )
