"""OffsetCommit (8): remember how far a group has read.

Until v9 topics are named, from v10 on they go by id (KIP-848). What does not
exist is refused here, the rest goes to the group's coordinator in one piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.context import Pending
from kbroker.protocol import errors
from kbroker.protocol.generated.offset_commit_response import (
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.metadata.image import MetadataImage
    from kbroker.protocol.generated.offset_commit_request import OffsetCommitRequest, OffsetCommitRequestTopic

API_KEY = 8
VERSIONS = (2, 10)

_FIRST_VERSION_WITH_TOPIC_IDS = 10


def handle(
    request: OffsetCommitRequest, context: RequestContext
) -> OffsetCommitResponse | Pending[OffsetCommitResponse]:
    image = context.services.metadata.image
    by_id = context.api_version >= _FIRST_VERSION_WITH_TOPIC_IDS
    refused = []
    for topic in request.topics:
        refusal = _take_out_unknown(topic, image, by_id=by_id)
        if refusal is not None:
            refused.append(refusal)
    # Of a known topic without partitions Kafka says nothing.
    request.topics = [topic for topic in request.topics if topic.partitions]
    if not request.topics:
        return OffsetCommitResponse(topics=refused)
    if not refused:
        return context.services.groups.offset_commit(request, context)

    def with_refused(response: OffsetCommitResponse) -> OffsetCommitResponse:
        return OffsetCommitResponse(topics=_merge(refused, response.topics))

    answer = context.services.groups.offset_commit(request, context)
    return answer.then(with_refused) if isinstance(answer, Pending) else with_refused(answer)


def _take_out_unknown(
    topic: OffsetCommitRequestTopic, image: MetadataImage, *, by_id: bool
) -> OffsetCommitResponseTopic | None:
    """Give the topic both its name and its id; the refusal of what does not exist, which it loses."""
    known = image.topics_by_id.get(topic.topic_id) if by_id else image.topics.get(topic.name)
    if known is None:
        code = errors.UNKNOWN_TOPIC_ID if by_id else errors.UNKNOWN_TOPIC_OR_PARTITION
        unknown, topic.partitions = topic.partitions, []
    else:
        topic.name, topic.topic_id = known.name, known.id
        code = errors.UNKNOWN_TOPIC_OR_PARTITION
        existing = known.partitions
        unknown = [each for each in topic.partitions if each.partition_index not in existing]
        if not unknown:
            return None
        topic.partitions = [each for each in topic.partitions if each.partition_index in existing]
    return OffsetCommitResponseTopic(
        topic.name,
        topic.topic_id,
        [OffsetCommitResponsePartition(each.partition_index, code) for each in unknown],
    )


def _merge(
    refused: list[OffsetCommitResponseTopic], answered: list[OffsetCommitResponseTopic]
) -> list[OffsetCommitResponseTopic]:
    """One entry per topic."""
    merged = {(topic.topic_id, topic.name): topic for topic in refused}
    for topic in answered:
        present = merged.setdefault((topic.topic_id, topic.name), topic)
        if present is not topic:
            present.partitions.extend(topic.partitions)
    return list(merged.values())
