"""DescribeConfigs (32): every setting, its source and its synonyms.

A few bytes of request ask for kilobytes of answer, so two things keep it in
bounds: resources whose own configs are equal share one description, and what
would exceed `_MAX_ANSWER_BYTES` is refused. Kafka: `ConfigHelper`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    from collections.abc import Mapping

    from kbroker.handlers.context import RequestContext, Services
    from kbroker.protocol.generated.describe_configs_request import (
        DescribeConfigsRequest,
        DescribeConfigsResource,
    )

    # The keys asked for; None means all.
    Keys = frozenset[str] | None

API_KEY = 32
VERSIONS = (1, 4)

# Ten thousand topics with synonyms and documentation fit.
_MAX_ANSWER_BYTES = 64 << 20

_DYNAMIC_BROKER_LOGGER_CONFIG = 6


def handle(request: DescribeConfigsRequest, context: RequestContext) -> DescribeConfigsResponse:
    if all(resource.resource_type in _CONFIGS_OF for resource in request.resources):
        answer = _Answer(request, context.services)
        results = [answer.describe(resource) for resource in request.resources]
    else:
        # One resource of a type nobody knows spoils the whole request.
        error = KafkaError(INVALID_REQUEST)
        results = [_refused(resource, error) for resource in request.resources]
    return DescribeConfigsResponse(results=results)


def _refused(resource: DescribeConfigsResource, error: KafkaError) -> DescribeConfigsResult:
    return DescribeConfigsResult(error.code, error.message, resource.resource_type, resource.resource_name)


class _Answer:
    """The answer to one request while it grows."""

    __slots__ = ("_bytes_left", "_described", "_request", "_services")

    def __init__(self, request: DescribeConfigsRequest, services: Services) -> None:
        self._request = request
        self._services = services
        self._bytes_left = _MAX_ANSWER_BYTES
        # Type, whose, own configs, keys asked for → description and about how many bytes it takes.
        self._described: dict[tuple[Any, ...], tuple[list[DescribeConfigsResourceResult], int]] = {}

    def describe(self, resource: DescribeConfigsResource) -> DescribeConfigsResult:
        resource_type, name = resource.resource_type, resource.resource_name
        # An empty list of keys means all of them, as null does.
        keys = frozenset(resource.configuration_keys or ()) or None
        try:
            own = _CONFIGS_OF[resource_type](name, self._services)
            configs = self._description(resource_type, name, own, keys)
        except KafkaError as error:
            return _refused(resource, error)
        return DescribeConfigsResult(resource_type=resource_type, resource_name=name, configs=configs)

    def _description(
        self, resource_type: int, name: str, own: Mapping[str, str], keys: Keys
    ) -> list[DescribeConfigsResourceResult]:
        whose = name if resource_type == BROKER else ""
        identity = (resource_type, whose, frozenset(own.items()), keys)
        known = self._described.get(identity)
        if known is None:
            request = self._request
            configs = [
                _result(entry, request.include_synonyms, request.include_documentation)
                for entry in _entries(resource_type, name, own, self._services, keys)
            ]
            known = self._described[identity] = (configs, sum(map(_size_of, configs)))
        configs, size = known
        if size > self._bytes_left:
            raise KafkaError(
                INVALID_REQUEST, "The answer would be too large; describe fewer resources at once."
            )
        self._bytes_left -= size
        return configs


def _size_of(config: DescribeConfigsResourceResult) -> int:
    """About how many bytes it takes in the answer."""
    texts = [config.name, config.value, config.documentation]
    for synonym in config.synonyms:
        texts += (synonym.name, synonym.value)
    return sum(len(text) + 2 for text in texts if text is not None)


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


def _entries(
    resource_type: int, name: str, own: Mapping[str, str], services: Services, keys: Keys
) -> list[ConfigEntry]:
    config = services.config
    if resource_type == TOPIC:
        return describe_topic(own, config, keys)
    if resource_type == BROKER:
        return describe_broker(config, keys) if name else describe_broker_default(config, keys)
    if resource_type == GROUP:
        return describe_group(own, config, keys)
    if resource_type == CLIENT_METRICS:
        return describe_client_metrics(own, keys)
    return _describe_loggers(keys)


def _describe_loggers(keys: Keys) -> list[ConfigEntry]:
    entries = [
        ConfigEntry(logger, level, UNKNOWN, [])
        for logger, level in loggers.levels().items()
        if keys is None or logger in keys
    ]
    for entry in entries:
        entry.source = _DYNAMIC_BROKER_LOGGER_CONFIG
    return entries


# What is set for the resource itself; KafkaError where it can't be described here.


def _of_topic(name: str, services: Services) -> Mapping[str, str]:
    why = why_invalid(name)
    if why is not None:
        raise KafkaError(INVALID_TOPIC_EXCEPTION, why)
    image = services.metadata.image
    if name not in image.topics:
        # Kafka says no more than the code.
        raise KafkaError(UNKNOWN_TOPIC_OR_PARTITION, "")
    return image.topic_configs(name)


def _of_broker(name: str, services: Services) -> Mapping[str, str]:
    if name and parse_node_id(name, "Broker") != services.node_id:
        raise KafkaError(
            INVALID_REQUEST,
            f"Unexpected broker id, expected {services.node_id} or empty string, but received {name}",
        )
    return {}


def _of_broker_logger(name: str, services: Services) -> Mapping[str, str]:
    if not name:
        raise KafkaError(INVALID_REQUEST, "Broker id must not be empty")
    if parse_node_id(name, "Broker") != services.node_id:
        raise KafkaError(
            INVALID_REQUEST, f"Unexpected broker id, expected {services.node_id} but received {name}"
        )
    return {}


def _of_client_metrics(name: str, services: Services) -> Mapping[str, str]:
    if not name:
        raise KafkaError(INVALID_REQUEST, "Client metrics subscription name must not be empty")
    return services.metadata.image.configs.get((CLIENT_METRICS, name), {})


def _of_group(name: str, services: Services) -> Mapping[str, str]:
    if not name:
        raise KafkaError(INVALID_REQUEST, "Group name must not be empty")
    return services.metadata.image.configs.get((GROUP, name), {})


_CONFIGS_OF = {
    TOPIC: _of_topic,
    BROKER: _of_broker,
    BROKER_LOGGER: _of_broker_logger,
    CLIENT_METRICS: _of_client_metrics,
    GROUP: _of_group,
}
