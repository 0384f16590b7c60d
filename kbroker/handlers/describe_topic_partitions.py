"""DescribeTopicPartitions (75): topics page by page (KIP-966).

A page holds so many partitions; the cursor says where the next one begins.
Topics come in the order of their names, so that the cursor means something.
Kafka: `DescribeTopicPartitionsRequestHandler`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.cluster_view import TOPIC_OPERATIONS, ClusterView
from kbroker.metadata.topic_names import INTERNAL_TOPICS, is_valid_topic_name
from kbroker.protocol import errors
from kbroker.protocol.generated.describe_topic_partitions_response import (
    Cursor,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.metadata.image import TopicImage
    from kbroker.protocol.generated.describe_topic_partitions_request import DescribeTopicPartitionsRequest

API_KEY = 75
VERSIONS = (0, 0)


def handle(
    request: DescribeTopicPartitionsRequest, context: RequestContext
) -> DescribeTopicPartitionsResponse:
    image = context.services.metadata.image
    view = ClusterView(image, context)
    all_topics = not request.topics
    cursor_topic = "" if request.cursor is None else request.cursor.topic_name
    first_index = 0 if request.cursor is None else request.cursor.partition_index
    wanted = image.topics if all_topics else {topic.name for topic in request.topics}
    names = sorted(name for name in wanted if name >= cursor_topic)
    if first_index < 0 or (request.cursor and not all_topics and cursor_topic not in names):
        return _refuse(request)

    page_limit = context.services.config.int("max.request.partition.size.limit")
    remaining = max(min(page_limit, request.response_partition_limit), 1)
    response = DescribeTopicPartitionsResponse()
    for name in names:
        if remaining == 0:
            response.next_cursor = Cursor(name, 0)
            break
        topic = image.topics.get(name)
        if topic is None:
            response.topics.append(_absent_topic(name))
            continue
        start = first_index if name == cursor_topic else 0
        stop = min(len(topic.partitions), start + remaining)
        entry = _describe(topic, range(start, stop), view)
        response.topics.append(entry)
        if stop < len(topic.partitions):
            response.next_cursor = Cursor(name, stop)
            break
        remaining -= len(entry.partitions)
    return response


def _describe(topic: TopicImage, indexes: range, view: ClusterView) -> DescribeTopicPartitionsResponseTopic:
    partitions = []
    for index in indexes:
        partition = topic.partitions[index]
        partitions.append(
            DescribeTopicPartitionsResponsePartition(
                partition_index=index,
                leader_id=view.leader_of(partition),
                leader_epoch=partition.leader_epoch,
                replica_nodes=list(partition.replicas),
                isr_nodes=list(partition.isr),
                eligible_leader_replicas=list(partition.elr),
                last_known_elr=list(partition.last_known_elr),
                offline_replicas=view.offline_replicas(partition),
            )
        )
    return DescribeTopicPartitionsResponseTopic(
        errors.NONE, topic.name, topic.id, topic.name in INTERNAL_TOPICS, partitions, TOPIC_OPERATIONS
    )


def _absent_topic(name: str) -> DescribeTopicPartitionsResponseTopic:
    valid = is_valid_topic_name(name)
    return DescribeTopicPartitionsResponseTopic(
        errors.UNKNOWN_TOPIC_OR_PARTITION if valid else errors.INVALID_TOPIC_EXCEPTION,
        name,
        is_internal=name in INTERNAL_TOPICS,
        topic_authorized_operations=TOPIC_OPERATIONS,
    )


def _refuse(request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse:
    """The cursor points at no topic of the list, or before the first partition."""
    return DescribeTopicPartitionsResponse(
        topics=[
            DescribeTopicPartitionsResponseTopic(errors.INVALID_REQUEST, topic.name)
            for topic in request.topics
        ]
    )
