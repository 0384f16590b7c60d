"""ListConfigResources (74): what has configs (KIP-1000, KIP-1142)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.cluster_view import ClusterView
from kbroker.metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from kbroker.protocol import errors
from kbroker.protocol.generated.list_config_resources_response import (
    ConfigResource,
    ListConfigResourcesResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.list_config_resources_request import ListConfigResourcesRequest

API_KEY = 74
VERSIONS = (0, 1)

# In the order of Kafka's answer.
_LISTABLE = (GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC)


def handle(request: ListConfigResourcesRequest, context: RequestContext) -> ListConfigResourcesResponse:
    listable = _LISTABLE if context.api_version > 0 else (CLIENT_METRICS,)
    wanted = set(request.resource_types) or set(listable)
    if not wanted.issubset(listable):
        return ListConfigResourcesResponse(error_code=errors.UNSUPPORTED_VERSION)
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(name, resource_type)
            for resource_type in listable
            if resource_type in wanted
            for name in _names(resource_type, context)
        ]
    )


def _names(resource_type: int, context: RequestContext) -> Iterable[str]:
    image = context.services.metadata.image
    if resource_type == TOPIC:
        return image.topics.keys()
    if resource_type in (BROKER, BROKER_LOGGER):
        view = ClusterView(image, context)
        return [str(broker.id) for broker, _, _ in view.brokers(with_fenced=True)]
    return [name for kind, name in image.configs if kind == resource_type]
