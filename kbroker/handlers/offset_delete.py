"""OffsetDelete (47): forget some of a group's offsets (KIP-496)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.context import Pending
from kbroker.protocol import errors
from kbroker.protocol.generated.offset_delete_response import (
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.offset_delete_request import OffsetDeleteRequest

API_KEY = 47
VERSIONS = (0, 0)


def handle(
    request: OffsetDeleteRequest, context: RequestContext
) -> OffsetDeleteResponse | Pending[OffsetDeleteResponse]:
    topics = context.services.metadata.image.topics
    unknown: dict[str, OffsetDeleteResponseTopic] = {}
    for topic in request.topics:
        existing = topics[topic.name].partitions if topic.name in topics else {}
        missing = [each for each in topic.partitions if each.partition_index not in existing]
        if missing:
            code = errors.UNKNOWN_TOPIC_OR_PARTITION
            unknown[topic.name] = OffsetDeleteResponseTopic(
                topic.name, [OffsetDeleteResponsePartition(each.partition_index, code) for each in missing]
            )
            topic.partitions = [each for each in topic.partitions if each.partition_index in existing]
    request.topics = [topic for topic in request.topics if topic.partitions]

    def with_unknown(response: OffsetDeleteResponse) -> OffsetDeleteResponse:
        if response.error_code:
            return response
        for topic in response.topics:
            if topic.name in unknown:
                unknown[topic.name].partitions.extend(topic.partitions)
            else:
                unknown[topic.name] = topic
        response.topics = list(unknown.values())
        return response

    # Also with nothing left to delete: the group may be the one that is wrong.
    answer = context.services.groups.offset_delete(request, context)
    return answer.then(with_unknown) if isinstance(answer, Pending) else with_unknown(answer)
