"""Topics that come into being because somebody asked for them.

Used by Metadata for any topic, by FindCoordinator for the broker's own.
Two requests for one topic meet in the controller: the second is told that
the topic exists, which is what it wanted. Kafka: `AutoTopicCreationManager`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from kbroker.handlers.context import Pending
from kbroker.handlers.create_topics import create
from kbroker.metadata.topic_names import (
    GROUP_METADATA_TOPIC,
    SHARE_GROUP_STATE_TOPIC,
    TRANSACTION_STATE_TOPIC,
    is_valid_topic_name,
)
from kbroker.protocol import errors
from kbroker.protocol.generated.create_topics_request import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kbroker.handlers.context import Services
    from kbroker.protocol.generated.create_topics_response import CreateTopicsResponse

log = logging.getLogger(__name__)

# Partitions, replicas and configs are left to the controller's defaults.
_UNSET = -1


class _InternalTopic(NamedTuple):
    """A coordinator's topic: the broker keys its shape is read from, and its fixed configs."""

    partitions: str
    replication_factor: str
    segment_bytes: str
    min_isr: str | None
    configs: Mapping[str, str]


_INTERNAL = {
    GROUP_METADATA_TOPIC: _InternalTopic(
        "offsets.topic.num.partitions",
        "offsets.topic.replication.factor",
        "offsets.topic.segment.bytes",
        None,
        {"cleanup.policy": "compact", "compression.type": "producer"},
    ),
    TRANSACTION_STATE_TOPIC: _InternalTopic(
        "transaction.state.log.num.partitions",
        "transaction.state.log.replication.factor",
        "transaction.state.log.segment.bytes",
        "transaction.state.log.min.isr",
        {
            "cleanup.policy": "compact",
            "compression.type": "uncompressed",
            "unclean.leader.election.enable": "false",
        },
    ),
    SHARE_GROUP_STATE_TOPIC: _InternalTopic(
        "share.coordinator.state.topic.num.partitions",
        "share.coordinator.state.topic.replication.factor",
        "share.coordinator.state.topic.segment.bytes",
        "share.coordinator.state.topic.min.isr",
        {"cleanup.policy": "delete", "compression.type": "producer", "retention.ms": "-1"},
    ),
}


def ensure_topics(names: Iterable[str], services: Services) -> Pending[dict[str, int]]:
    """Create those of `names` that do not exist; the error code of each, 0 when it is there and led."""
    outcome: dict[str, int] = {}
    wanted: list[CreatableTopic] = []
    existing = services.metadata.image.topics
    for name in names:
        if name in existing:
            outcome[name] = errors.NONE
        elif not is_valid_topic_name(name):
            outcome[name] = errors.INVALID_TOPIC_EXCEPTION
        else:
            wanted.append(_creatable(name, services))
    if not wanted:
        return Pending.completed(outcome)

    def collect(response: CreateTopicsResponse) -> dict[str, int]:
        failed = []
        for topic in response.topics:
            code = topic.error_code
            if code == errors.TOPIC_ALREADY_EXISTS:
                code = errors.NONE
            if code != errors.NONE:
                failed.append(topic)
            outcome[topic.name] = code
        if failed:
            others = f" and {len(failed) - 1} others" if len(failed) > 1 else ""
            log.warning("Could not create topic %s%s: %s", failed[0].name, others, failed[0].error_message)
        return outcome

    return create(CreateTopicsRequest(topics=wanted), services).then(collect)


def _creatable(name: str, services: Services) -> CreatableTopic:
    config = services.config
    shape = _INTERNAL.get(name)
    if shape is None:
        # The controller has defaults of its own; this broker's count only when somebody set them.
        return CreatableTopic(
            name,
            config.int("num.partitions") if config.has("num.partitions") else _UNSET,
            config.int("default.replication.factor") if config.has("default.replication.factor") else _UNSET,
        )
    live_brokers = sum(not broker.fenced for broker in services.metadata.image.brokers.values())
    configs = {**shape.configs, "segment.bytes": str(config.int(shape.segment_bytes))}
    if shape.min_isr is not None:
        configs["min.insync.replicas"] = str(config.capped(shape.min_isr, live_brokers))
    return CreatableTopic(
        name,
        config.int(shape.partitions),
        config.capped(shape.replication_factor, live_brokers),
        configs=[CreatableTopicConfig(key, value) for key, value in configs.items()],
    )
