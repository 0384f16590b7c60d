"""DescribeConfigs (32): every setting of a resource, its source and its synonyms.

Kafka: `ConfigHelper`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.config.describe import (
    ConfigEntry,
    describe_broker,
    describe_broker_default,
    describe_client_metrics,
    describe_group,
    describe_topic,
)
from kbroker.config.key import UNKNOWN
from kbroker.handlers import loggers
from kbroker.handlers.config_changes import parse_node_id
from kbroker.metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from kbroker.metadata.topic_names import why_invalid
from kbroker.protocol.errors import (
    INVALID_REQUEST,
    INVALID_TOPIC_EXCEPTION,
    UNKNOWN_TOPIC_OR_PARTITION,
    KafkaError,
)
from kbroker.protocol.generated.describe_configs_response import (
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kbroker.handlers.context import RequestContext, Services
    from kbroker.protocol.generated.describe_configs_request import (
        DescribeConfigsRequest,
        DescribeConfigsResource,
    )

    # The keys asked for; None means all.
    Keys = frozenset[str] | None

API_KEY = 32
VERSIONS = (1, 4)

_DYNAMIC_BROKER_LOGGER_CONFIG = 6


def handle(request: DescribeConfigsRequest, context: RequestContext) -> DescribeConfigsResponse:
    if all(resource.resource_type in _DESCRIBE for resource in request.resources):
        results = [_describe(resource, request, context.services) for resource in request.resources]
    else:
        # One resource of a type nobody knows spoils the whole request.
        error = KafkaError(INVALID_REQUEST)
        results = [_refused(resource, error) for resource in request.resources]
    return DescribeConfigsResponse(results=results)


def _describe(
    resource: DescribeConfigsResource, request: DescribeConfigsRequest, services: Services
) -> DescribeConfigsResult:
    # An empty list of keys means all of them, as null does.
    keys = frozenset(resource.configuration_keys or ()) or None
    try:
        entries = _DESCRIBE[resource.resource_type](resource.resource_name, services, keys)
    except KafkaError as error:
        return _refused(resource, error)
    return DescribeConfigsResult(
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
        configs=[
            _result(entry, request.include_synonyms, request.include_documentation) for entry in entries
        ],
    )


def _refused(resource: DescribeConfigsResource, error: KafkaError) -> DescribeConfigsResult:
    return DescribeConfigsResult(error.code, error.message, resource.resource_type, resource.resource_name)


def _result(
    entry: ConfigEntry, with_synonyms: bool, with_documentation: bool
) -> DescribeConfigsResourceResult:
    synonyms = entry.synonyms if with_synonyms else ()
    return DescribeConfigsResourceResult(
        entry.name,
        entry.value,
        entry.read_only,
        entry.source,
        entry.sensitive,
        [DescribeConfigsSynonym(*synonym) for synonym in synonyms],
        entry.kind,
        entry.documentation if with_documentation else None,
    )


def _topic(name: str, services: Services, keys: Keys) -> list[ConfigEntry]:
    why = why_invalid(name)
    if why is not None:
        raise KafkaError(INVALID_TOPIC_EXCEPTION, why)
    image = services.metadata.image
    if name not in image.topics:
        # Kafka says no more than the code.
        raise KafkaError(UNKNOWN_TOPIC_OR_PARTITION, "")
    return describe_topic(image.topic_configs(name), services.config, keys)


def _broker(name: str, services: Services, keys: Keys) -> list[ConfigEntry]:
    if not name:
        return describe_broker_default(services.config, keys)
    if parse_node_id(name, "Broker") != services.node_id:
        raise KafkaError(
            INVALID_REQUEST,
            f"Unexpected broker id, expected {services.node_id} or empty string, but received {name}",
        )
    return describe_broker(services.config, keys)


def _broker_logger(name: str, services: Services, keys: Keys) -> list[ConfigEntry]:
    if not name:
        raise KafkaError(INVALID_REQUEST, "Broker id must not be empty")
    if parse_node_id(name, "Broker") != services.node_id:
        raise KafkaError(
            INVALID_REQUEST, f"Unexpected broker id, expected {services.node_id} but received {name}"
        )
    entries = [
        ConfigEntry(logger, level, UNKNOWN, [])
        for logger, level in loggers.levels().items()
        if keys is None or logger in keys
    ]
    for entry in entries:
        entry.source = _DYNAMIC_BROKER_LOGGER_CONFIG
    return entries


def _client_metrics(name: str, services: Services, keys: Keys) -> list[ConfigEntry]:
    if not name:
        raise KafkaError(INVALID_REQUEST, "Client metrics subscription name must not be empty")
    configs = services.metadata.image.configs.get((CLIENT_METRICS, name), {})
    return describe_client_metrics(configs, keys)


def _group(name: str, services: Services, keys: Keys) -> list[ConfigEntry]:
    if not name:
        raise KafkaError(INVALID_REQUEST, "Group name must not be empty")
    return describe_group(services.metadata.image.configs.get((GROUP, name), {}), services.config, keys)


_DESCRIBE: dict[int, Callable[[str, Services, Keys], list[ConfigEntry]]] = {
    TOPIC: _topic,
    BROKER: _broker,
    BROKER_LOGGER: _broker_logger,
    CLIENT_METRICS: _client_metrics,
    GROUP: _group,
}
