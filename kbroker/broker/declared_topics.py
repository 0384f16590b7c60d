"""Creates the topics that the configuration declares."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kbroker.broker.start_error import StartError
from kbroker.protocol import errors
from kbroker.protocol.generated.create_topics_request import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)

if TYPE_CHECKING:
    from kbroker.config.declared_topics import DeclaredTopic
    from kbroker.handlers.context import Services

log = logging.getLogger(__name__)


def create_declared_topics(services: Services) -> None:
    """Create those that do not exist yet; StartError if one can't be.

    Runs while work is not off-loaded, so it is done on return.
    """
    existing = services.metadata.image.topics
    wanted = [_creatable(topic) for topic in services.config.declared_topics if topic.name not in existing]
    if not wanted:
        return
    request = CreateTopicsRequest(topics=wanted)
    pending = services.controller.submit(lambda controller, now_ms: controller.create_topics(request, now_ms))
    assert pending.value is not None
    for result in pending.value.topics:
        if result.error_code != errors.NONE:
            reason = result.error_message or errors.message_of(result.error_code)
            raise StartError(f"cannot create the declared topic {result.name}: {reason}")
        log.info("Created declared topic %s with %d partitions", result.name, result.num_partitions)


def _creatable(topic: DeclaredTopic) -> CreatableTopic:
    configs = [CreatableTopicConfig(name, value) for name, value in topic.configs.items()]
    return CreatableTopic(topic.name, topic.partitions, topic.replication_factor, [], configs)
