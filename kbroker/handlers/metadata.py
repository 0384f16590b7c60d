"""Metadata (3): brokers, topics, partitions and their leaders.

The first request of every client, and its only way to learn where to send
the others. Topics that are missing are created first when both the request
and the broker allow it; the answer then waits for their leaders, where
Kafka would answer UNKNOWN_TOPIC_OR_PARTITION once.
Kafka: `KafkaApis.handleTopicMetadataRequest`, `KRaftMetadataCache`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.auto_create import ensure_topics
from kbroker.handlers.cluster_view import (
    CLUSTER_OPERATIONS,
    NO_LEADER,
    OPERATIONS_UNKNOWN,
    TOPIC_OPERATIONS,
    ClusterView,
)
from kbroker.metadata.topic_names import INTERNAL_TOPICS, is_valid_topic_name
from kbroker.protocol import errors
from kbroker.protocol.generated.metadata_response import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from kbroker.protocol.primitives import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.metadata.image import TopicImage
    from kbroker.protocol.generated.metadata_request import MetadataRequest

API_KEY = 3
VERSIONS = (0, 13)


def handle(request: MetadataRequest, context: RequestContext) -> MetadataResponse | Pending[MetadataResponse]:
    services = context.services
    image = services.metadata.image
    topics = request.topics
    if topics is None or (not topics and context.api_version == 0):
        return _Answer(request, context).respond(image.topics, ())
    if context.api_version < 12 and any(t.name is None or t.topic_id != ZERO_UUID for t in topics):
        return _refuse(request)

    ids = {topic.topic_id: None for topic in topics if topic.topic_id != ZERO_UUID}
    if ids:
        # Once an id is given, names are not looked at.
        known = [image.topics_by_id[id_].name for id_ in ids if id_ in image.topics_by_id]
        return _Answer(request, context).respond(known, [id_ for id_ in ids if id_ not in image.topics_by_id])

    if any(topic.name is None for topic in topics):
        return _refuse(request)
    names = list(dict.fromkeys(topic.name for topic in topics if topic.name is not None))
    if request.allow_auto_topic_creation and services.config.bool("auto.create.topics.enable"):
        missing = [name for name in names if name not in image.topics]
        if missing:
            # Whatever came of it stands in the image: the outcome is told from there.
            return ensure_topics(missing, services).then(
                lambda _: _Answer(request, context).respond(names, ())
            )
    return _Answer(request, context).respond(names, ())


def _refuse(request: MetadataRequest) -> MetadataResponse:
    """A topic without name and id, or by an id before version 12."""
    return MetadataResponse(
        topics=[
            MetadataResponseTopic(errors.INVALID_REQUEST, topic.name or "", topic.topic_id)
            for topic in request.topics or ()
        ],
        error_code=errors.INVALID_REQUEST,
    )


class _Answer:
    """The answer to one request, from the image of the moment it is made."""

    __slots__ = ("_context", "_image", "_request", "_version", "_view")

    def __init__(self, request: MetadataRequest, context: RequestContext) -> None:
        self._request = request
        self._context = context
        self._version = context.api_version
        self._image = context.services.metadata.image
        self._view = ClusterView(self._image, context)

    def respond(self, names: Iterable[str], unknown_ids: Iterable[bytes]) -> MetadataResponse:
        request, version, view = self._request, self._version, self._view
        topics: Mapping[str, TopicImage] = self._image.topics
        response = MetadataResponse(
            brokers=[
                MetadataResponseBroker(broker.id, host, port, broker.rack)
                for broker, host, port in view.brokers()
            ],
            cluster_id=self._context.services.cluster_id,
            controller_id=view.controller_id(),
        )
        response.topics = [
            MetadataResponseTopic(errors.UNKNOWN_TOPIC_ID, None, topic_id) for topic_id in unknown_ids
        ]
        operations = (
            TOPIC_OPERATIONS
            if version >= 8 and request.include_topic_authorized_operations
            else OPERATIONS_UNKNOWN
        )
        for name in names:
            topic = topics.get(name)
            entry = _absent_topic(name) if topic is None else self._topic(topic)
            entry.topic_authorized_operations = operations
            response.topics.append(entry)
        if 8 <= version <= 10 and request.include_cluster_authorized_operations:
            response.cluster_authorized_operations = CLUSTER_OPERATIONS
        return response

    def _topic(self, topic: TopicImage) -> MetadataResponseTopic:
        partitions = self._partitions_v0(topic) if self._version == 0 else self._partitions(topic)
        return MetadataResponseTopic(
            errors.NONE, topic.name, topic.id, topic.name in INTERNAL_TOPICS, partitions
        )

    def _partitions(self, topic: TopicImage) -> list[MetadataResponsePartition]:
        view = self._view
        return [
            MetadataResponsePartition(
                errors.NONE
                if (leader := view.leader_of(partition)) >= 0
                else self._leader_error(partition.leader),
                index,
                leader,
                partition.leader_epoch,
                list(partition.replicas),
                list(partition.isr),
                view.offline_replicas(partition),
            )
            for index, partition in topic.partitions.items()
        ]

    def _partitions_v0(self, topic: TopicImage) -> list[MetadataResponsePartition]:
        """As version 0 wants it: replicas that can't be reached are left out, with an error."""
        view = self._view
        result = []
        for index, partition in topic.partitions.items():
            leader = view.leader_of(partition)
            replicas, isr = view.online(partition.replicas), view.online(partition.isr)
            error = errors.NONE
            if leader == NO_LEADER:
                error = self._leader_error(partition.leader)
            elif len(replicas) < len(partition.replicas) or len(isr) < len(partition.isr):
                error = errors.REPLICA_NOT_AVAILABLE
            result.append(
                MetadataResponsePartition(error, index, leader, replica_nodes=replicas, isr_nodes=isr)
            )
        return result

    def _leader_error(self, leader: int) -> int:
        if self._version >= 6 and leader in self._image.brokers:
            return errors.LISTENER_NOT_FOUND
        return errors.LEADER_NOT_AVAILABLE


def _absent_topic(name: str) -> MetadataResponseTopic:
    valid = is_valid_topic_name(name)
    return MetadataResponseTopic(
        errors.UNKNOWN_TOPIC_OR_PARTITION if valid else errors.INVALID_TOPIC_EXCEPTION,
        name,
        is_internal=name in INTERNAL_TOPICS,
    )
