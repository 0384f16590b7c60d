"""DeleteTopics, by name or by id.

The topic is gone from the image at once; its id is never used again. Kafka:
`ControllerApis.deleteTopics`, which also sees to authorization in between.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kbroker.controller.result import MAX_RECORDS_PER_USER_OPERATION, ControllerResult, too_large
from kbroker.controller.state import ClusterState
from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.protocol.errors import (
    INVALID_REQUEST,
    TOPIC_DELETION_DISABLED,
    UNKNOWN_TOPIC_ID,
    UNKNOWN_TOPIC_OR_PARTITION,
    KafkaError,
)
from kbroker.protocol.generated.delete_topics_response import DeletableTopicResult, DeleteTopicsResponse
from kbroker.protocol.generated.remove_topic_record import RemoveTopicRecord
from kbroker.protocol.primitives import ZERO_UUID

if TYPE_CHECKING:
    from kbroker.metadata.image import MetadataImage
    from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest


def delete_topics(
    state: ClusterState, request: DeleteTopicsRequest
) -> ControllerResult[DeleteTopicsResponse]:
    """Topics by name or by id; what was asked for twice or wrongly is left alone."""
    if not state.config.bool("delete.topic.enable"):
        return ControllerResult([], _all_refused(request, KafkaError(TOPIC_DELETION_DISABLED)))
    asked = _Asked(state.image, request)
    doomed = {**asked.by_id(), **asked.by_name()}
    if len(doomed) > MAX_RECORDS_PER_USER_OPERATION:
        return ControllerResult([], _all_refused(request, too_large()))
    deleted = [DeletableTopicResult(name, topic_id, error_message=None) for topic_id, name in doomed.items()]
    records = [ApiMessageAndVersion(RemoveTopicRecord(topic_id)) for topic_id in doomed]
    return ControllerResult(records, DeleteTopicsResponse(responses=asked.refused + deleted))


class _Asked:
    """The names and ids of a request, sorted out; `refused` grows as they are looked up."""

    __slots__ = ("_ids", "_image", "_names", "refused")

    def __init__(self, image: MetadataImage, request: DeleteTopicsRequest) -> None:
        self._image = image
        self._names = Counter(request.topic_names)
        self._ids: Counter[bytes] = Counter()
        self.refused: list[DeletableTopicResult] = []
        for topic in request.topics:
            self._sort(topic.name, topic.topic_id)

    def _sort(self, name: str | None, topic_id: bytes) -> None:
        if name is None and topic_id == ZERO_UUID:
            self._refuse(None, ZERO_UUID, INVALID_REQUEST, "Neither topic name nor id were specified.")
        elif name is None:
            self._ids[topic_id] += 1
        elif topic_id == ZERO_UUID:
            self._names[name] += 1
        else:
            why = "You may not specify both topic name and topic id."
            self._refuse(name, topic_id, INVALID_REQUEST, why)

    def by_id(self) -> dict[bytes, str]:
        """Topics asked for by id, unless by name as well."""
        found: dict[bytes, str] = {}
        for topic_id, count in self._ids.items():
            topic = self._image.topics_by_id.get(topic_id)
            if count > 1:
                self._refuse(None, topic_id, INVALID_REQUEST, "Duplicate topic id.")
            elif topic is None:
                self._refuse(None, topic_id, UNKNOWN_TOPIC_ID)
            elif self._names[topic.name] != 1:
                found[topic_id] = topic.name
        return found

    def by_name(self) -> dict[bytes, str]:
        """Topics asked for by name, unless by id as well."""
        found: dict[bytes, str] = {}
        for name, count in self._names.items():
            topic = self._image.topics.get(name)
            if count > 1:
                self._refuse(name, ZERO_UUID, INVALID_REQUEST, "Duplicate topic name.")
            elif count == 1 and topic is None:
                self._refuse(name, ZERO_UUID, UNKNOWN_TOPIC_OR_PARTITION)
            elif topic is not None and self._ids[topic.id]:
                why = "The provided topic name maps to an ID that was already supplied."
                self._refuse(name, topic.id, INVALID_REQUEST, why)
            elif topic is not None:
                found[topic.id] = name
        return found

    def _refuse(self, name: str | None, topic_id: bytes, code: int, why: str | None = None) -> None:
        error = KafkaError(code, why)
        self.refused.append(DeletableTopicResult(name, topic_id, error.code, error.message))


def _all_refused(request: DeleteTopicsRequest, error: KafkaError) -> DeleteTopicsResponse:
    asked: list[tuple[str | None, bytes]] = [(name, ZERO_UUID) for name in request.topic_names]
    asked += [(topic.name, topic.topic_id) for topic in request.topics]
    return DeleteTopicsResponse(
        responses=[DeletableTopicResult(name, id_, error.code, error.message) for name, id_ in asked]
    )
