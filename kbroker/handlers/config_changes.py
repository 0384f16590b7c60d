"""What a broker looks at before configs change in the controller.

Shapes, log levels and the broker's own keys are settled here; topics, groups
and client metrics are the controller's. A resource is answered either here
or there, never by both. Kafka: `ConfigAdminManager`.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from kbroker.config.updates import validate_broker_update
from kbroker.metadata.image import BROKER, CLIENT_METRICS, GROUP, TOPIC
from kbroker.protocol.errors import INVALID_REQUEST, NONE, KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeVar

    from kbroker.handlers.context import Services

    ResourceT = TypeVar("ResourceT", bound="Resource")
    ResponseT = TypeVar("ResponseT")

# Error code and message.
Verdict = tuple[int, str | None]


class Resource(Protocol):
    """What both alter requests name."""

    resource_type: int
    resource_name: str


class Answered(Resource, Protocol):
    """What both alter responses say of it."""

    error_code: int
    error_message: str | None


def settle(resources: Sequence[ResourceT], decide: Callable[[ResourceT], bool]) -> dict[int, Verdict]:
    """The verdicts that need no controller, by position in the request.

    `decide` raises KafkaError to refuse a resource, and returns whether all is done with it.
    """
    count = Counter((resource.resource_type, resource.resource_name) for resource in resources)
    settled: dict[int, Verdict] = {}
    for index, resource in enumerate(resources):
        try:
            if count[resource.resource_type, resource.resource_name] > 1:
                raise KafkaError(INVALID_REQUEST, "Each resource must appear at most once.")
            if decide(resource):
                settled[index] = (NONE, None)
        except KafkaError as error:
            settled[index] = (error.code, error.message)
    return settled


def merge(
    resources: Sequence[Resource],
    settled: Mapping[int, Verdict],
    answered: Iterable[Answered],
    entry: Callable[[int, str | None, int, str], ResponseT],
) -> list[ResponseT]:
    """One answer per resource, in the order of the request."""
    by_resource = {
        (one.resource_type, one.resource_name): (one.error_code, one.error_message) for one in answered
    }
    return [
        entry(
            *(settled.get(index) or by_resource[resource.resource_type, resource.resource_name]),
            resource.resource_type,
            resource.resource_name,
        )
        for index, resource in enumerate(resources)
    ]


def check_keys(names: Sequence[str], without_value: Sequence[str]) -> None:
    """No key twice, and none without a value that needs one."""
    if len(set(names)) < len(names):
        raise KafkaError(INVALID_REQUEST, "Error due to duplicate config keys")
    if without_value:
        raise KafkaError(INVALID_REQUEST, f"Null value not supported for : {', '.join(without_value)}")


def check_type(resource_type: int) -> None:
    """Only what the controller keeps configs of."""
    if resource_type not in (TOPIC, BROKER, CLIENT_METRICS, GROUP):
        raise KafkaError(INVALID_REQUEST, f"Unknown resource type {resource_type}")


def parse_node_id(name: str, called: str = "Node") -> int:
    """A node id as Java would read it."""
    if re.fullmatch("[+-]?[0-9]{1,10}", name) is None:
        raise KafkaError(INVALID_REQUEST, f"{called} id must be an integer, but it is: {name}")
    return int(name)


def check_broker_configs(name: str, wanted: Mapping[str, str], services: Services) -> None:
    """Whether `wanted` may be all dynamic configs of this broker, or with an empty name of all brokers."""
    if name and parse_node_id(name) != services.node_id:
        raise KafkaError(
            INVALID_REQUEST, f"Unexpected broker id, expected {services.node_id}, but received {name}"
        )
    validate_broker_update(wanted, services.config, per_broker=bool(name))
