"""OffsetFetch (9): how far groups have read.

v1 knows only errors of partitions, v2 to v7 one group with an error of its
own, v8 many groups; v10 names topics by id. In between everything has the
shape of v8. A null list of topics, from v2 on, asks for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.context import Pending
from kbroker.protocol import errors
from kbroker.protocol.generated.offset_fetch_request import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from kbroker.protocol.generated.offset_fetch_response import (
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from kbroker.protocol.primitives import ZERO_UUID

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.metadata.image import MetadataImage

API_KEY = 9
VERSIONS = (1, 10)

_FIRST_VERSION_WITH_ERROR = 2
_FIRST_VERSION_WITH_GROUPS = 8
_FIRST_VERSION_WITH_TOPIC_IDS = 10

_NO_OFFSET = -1


def handle(
    request: OffsetFetchRequest, context: RequestContext
) -> OffsetFetchResponse | Pending[OffsetFetchResponse]:
    version = context.api_version
    groups = _each_once(request.groups) if version >= _FIRST_VERSION_WITH_GROUPS else [_only_group(request)]
    unknown: list[list[OffsetFetchResponseTopics]] = [[] for _ in groups]
    if version >= _FIRST_VERSION_WITH_TOPIC_IDS:
        image = context.services.metadata.image
        unknown = [_take_out_unknown(group, image) for group in groups]

    def fit(response: OffsetFetchResponse) -> OffsetFetchResponse:
        if version >= _FIRST_VERSION_WITH_TOPIC_IDS:
            _add_topic_ids(response, context.services.metadata.image)
        for answered, missing in zip(response.groups, unknown, strict=True):
            if not answered.error_code:
                answered.topics.extend(missing)
        if version >= _FIRST_VERSION_WITH_GROUPS:
            return response
        return _as_single(response.groups[0], groups[0], version)

    answer = context.services.groups.offset_fetch(
        OffsetFetchRequest(groups=groups, require_stable=request.require_stable), context
    )
    return answer.then(fit) if isinstance(answer, Pending) else fit(answer)


def _each_once(groups: list[OffsetFetchRequestGroup]) -> list[OffsetFetchRequestGroup]:
    """A small request that repeats a large group must not become a huge answer."""
    by_id: dict[str, OffsetFetchRequestGroup] = {}
    for group in groups:
        by_id.setdefault(group.group_id, group)
    return list(by_id.values())


def _only_group(request: OffsetFetchRequest) -> OffsetFetchRequestGroup:
    topics = None
    if request.topics is not None:
        topics = [
            OffsetFetchRequestTopics(topic.name, partition_indexes=topic.partition_indexes)
            for topic in request.topics
        ]
    return OffsetFetchRequestGroup(request.group_id, topics=topics)


def _take_out_unknown(
    group: OffsetFetchRequestGroup, image: MetadataImage
) -> list[OffsetFetchResponseTopics]:
    """Name the topics given by id; those that nobody knows leave the group and are refused."""
    unknown = []
    known = []
    for topic in group.topics or ():
        of_image = image.topics_by_id.get(topic.topic_id)
        if of_image is not None:
            topic.name = of_image.name
            known.append(topic)
            continue
        partitions = [
            OffsetFetchResponsePartitions(index, _NO_OFFSET, error_code=errors.UNKNOWN_TOPIC_ID)
            for index in topic.partition_indexes
        ]
        unknown.append(OffsetFetchResponseTopics(topic_id=topic.topic_id, partitions=partitions))
    if unknown:
        group.topics = known
    return unknown


def _add_topic_ids(response: OffsetFetchResponse, image: MetadataImage) -> None:
    """All topics were asked for: say their ids; one that has none any more cannot be told."""
    for group in response.groups:
        for topic in group.topics:
            if topic.topic_id == ZERO_UUID and topic.name in image.topics:
                topic.topic_id = image.topics[topic.name].id
        group.topics = [topic for topic in group.topics if topic.topic_id != ZERO_UUID]


def _as_single(
    group: OffsetFetchResponseGroup, request: OffsetFetchRequestGroup, version: int
) -> OffsetFetchResponse:
    if group.error_code and version < _FIRST_VERSION_WITH_ERROR:
        topics = [
            OffsetFetchResponseTopic(
                topic.name,
                [
                    OffsetFetchResponsePartition(index, _NO_OFFSET, error_code=group.error_code)
                    for index in topic.partition_indexes
                ],
            )
            for topic in request.topics or ()
        ]
        return OffsetFetchResponse(topics=topics)
    return OffsetFetchResponse(
        error_code=group.error_code,
        topics=[
            OffsetFetchResponseTopic(
                topic.name,
                [
                    OffsetFetchResponsePartition(
                        partition.partition_index,
                        partition.committed_offset,
                        partition.committed_leader_epoch,
                        partition.metadata,
                        partition.error_code,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in group.topics
        ],
    )
