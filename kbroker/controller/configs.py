"""AlterConfigs and IncrementalAlterConfigs: one resource, all or nothing.

A value that is already there writes no record, except for brokers: there the
record is the signal to load certificates again (KAFKA-14136). What a broker's
own keys may be set to is checked by that broker before it comes here.

Kafka: `ConfigurationControlManager`, `ControllerConfigurationValidator`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from kbroker.config import validate_topic_config
from kbroker.config.updates import is_list, static_or_default, validate_client_metrics, validate_group_config
from kbroker.controller.result import MAX_RECORDS_PER_USER_OPERATION, ControllerResult, too_large
from kbroker.controller.state import ClusterState
from kbroker.metadata.features import elr_enabled
from kbroker.metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.metadata.topic_names import why_invalid
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.alter_configs_response import AlterConfigsResourceResponse as LegacyResponse
from kbroker.protocol.generated.alter_configs_response import AlterConfigsResponse
from kbroker.protocol.generated.clear_elr_record import ClearElrRecord
from kbroker.protocol.generated.config_record import ConfigRecord
from kbroker.protocol.generated.incremental_alter_configs_response import (
    AlterConfigsResourceResponse as IncrementalResponse,
)
from kbroker.protocol.generated.incremental_alter_configs_response import IncrementalAlterConfigsResponse

if TYPE_CHECKING:
    from kbroker.protocol.generated.alter_configs_request import AlterConfigsRequest
    from kbroker.protocol.generated.alter_configs_request import AlterConfigsResource as LegacyResource
    from kbroker.protocol.generated.incremental_alter_configs_request import (
        AlterableConfig,
        IncrementalAlterConfigsRequest,
    )
    from kbroker.protocol.generated.incremental_alter_configs_request import (
        AlterConfigsResource as IncrementalResource,
    )

R = TypeVar("R", "LegacyResource", "IncrementalResource")
Resource = tuple[int, str]
Records = list[ApiMessageAndVersion]
# Key → new value, None to remove it.
Changes = Mapping[str, str | None]
# Error code, message, resource type, resource name.
Answer = tuple[int, str | None, int, str]

SET, DELETE, APPEND, SUBTRACT = range(4)
_OPERATIONS = ("SET", "DELETE", "APPEND", "SUBTRACT")

_MIN_ISR = "min.insync.replicas"
_MAX_VALUE_BYTES = 32_767


def alter_configs(
    state: ClusterState, request: AlterConfigsRequest
) -> ControllerResult[AlterConfigsResponse]:
    """The resource's keys shall be exactly these: others are removed."""

    def changes(resource: Resource, asked: LegacyResource) -> Changes:
        wanted: Changes = {config.name: config.value for config in asked.configs}
        others = [name for name in state.image.configs.get(resource, {}) if name not in wanted]
        return {**wanted, **dict.fromkeys(others)}

    records, answers = _alter_all(state, request.resources, changes)
    response = AlterConfigsResponse(responses=[LegacyResponse(*answer) for answer in answers])
    return ControllerResult([] if request.validate_only else records, response)


def incremental_alter_configs(
    state: ClusterState, request: IncrementalAlterConfigsRequest
) -> ControllerResult[IncrementalAlterConfigsResponse]:
    """Set, delete, append to or subtract from single keys."""

    def changes(resource: Resource, asked: IncrementalResource) -> Changes:
        return {config.name: _operate(state, resource, config) for config in asked.configs}

    records, answers = _alter_all(state, request.resources, changes)
    response = IncrementalAlterConfigsResponse(responses=[IncrementalResponse(*answer) for answer in answers])
    return ControllerResult([] if request.validate_only else records, response)


def refuse_long_values(changes: Changes) -> None:
    """Raise KafkaError if no string of the protocol could hold one of them."""
    if any(value is not None and len(value.encode()) > _MAX_VALUE_BYTES for value in changes.values()):
        raise KafkaError(
            errors.INVALID_CONFIG,
            "The configuration value cannot be added because it exceeds the maximum value size of "
            f"{_MAX_VALUE_BYTES} bytes.",
        )


def _alter_all(
    state: ClusterState, asked: Sequence[R], changes: Callable[[Resource, R], Changes]
) -> tuple[Records, list[Answer]]:
    count = Counter((resource.resource_type, resource.resource_name) for resource in asked)
    records: Records = []
    answers: list[Answer] = []
    for resource in asked:
        key: Resource = (resource.resource_type, resource.resource_name)
        if not count[key]:
            continue
        error: KafkaError | None = None
        try:
            if count[key] > 1:
                raise KafkaError(errors.INVALID_REQUEST, "Duplicate resource.")
            new = _alter(state, key, changes(key, resource))
            if len(records) + len(new) > MAX_RECORDS_PER_USER_OPERATION:
                raise too_large()
            records += new
        except KafkaError as refusal:
            error = refusal
        count[key] = 0
        answers.append((error.code if error else errors.NONE, error.message if error else None, *key))
    return records, answers


def _alter(state: ClusterState, resource: Resource, changes: Changes) -> Records:
    """The records of one resource. Raises KafkaError."""
    resource_type, name = resource
    current = state.image.configs.get(resource, {})
    _refuse_min_isr_without_elr(state, resource, changes)
    refuse_long_values(changes)
    merged = {**current, **changes}
    _validate(state, resource, {key: value for key, value in merged.items() if value is not None})
    records: Records = []
    for key, value in changes.items():
        if value != current.get(key) or resource_type == BROKER:
            records.append(ApiMessageAndVersion(ConfigRecord(resource_type, name, key, value)))
            if key == _MIN_ISR and elr_enabled(state.image):
                records.append(ApiMessageAndVersion(ClearElrRecord(name if resource_type == TOPIC else "")))
    return records


def _operate(state: ClusterState, resource: Resource, config: AlterableConfig) -> str | None:
    """The key's value after one operation."""
    operation, value = config.config_operation, config.value
    if operation == SET:
        return value
    if operation == DELETE:
        return None
    if operation not in (APPEND, SUBTRACT):
        raise KafkaError(errors.UNKNOWN_SERVER_ERROR, f"Unknown operation {operation}.")
    if not is_list(resource[0], config.name):
        raise KafkaError(
            errors.INVALID_CONFIG,
            f"Can't {_OPERATIONS[operation]} to key {config.name} because its type is not LIST.",
        )
    current = state.image.configs.get(resource, {}).get(config.name)
    if current is None:
        current = static_or_default(resource[0], config.name, state.config)
    items = [item for item in current.split(",") if item]
    for item in (value or "").split(","):
        if operation == APPEND and item not in items:
            items.append(item)
        elif operation == SUBTRACT and item in items:
            items.remove(item)
    return ",".join(items)


def _refuse_min_isr_without_elr(state: ClusterState, resource: Resource, changes: Changes) -> None:
    # ELR reasons with one min ISR for all of a topic's brokers.
    if resource[0] != BROKER or _MIN_ISR not in changes or not elr_enabled(state.image):
        return
    if resource[1]:
        raise KafkaError(
            errors.INVALID_CONFIG, f"Broker-level {_MIN_ISR} cannot be altered while ELR is enabled."
        )
    if changes[_MIN_ISR] is None:
        raise KafkaError(
            errors.INVALID_CONFIG, f"Cluster-level {_MIN_ISR} cannot be removed while ELR is enabled."
        )


def _validate(state: ClusterState, resource: Resource, configs: Mapping[str, str]) -> None:
    """Whether the resource is there and may have all of `configs`."""
    resource_type, name = resource
    if resource_type == TOPIC:
        _check_topic(state, name, configs)
    elif resource_type == BROKER:
        _check_broker(state, name)
    elif resource_type == CLIENT_METRICS:
        validate_client_metrics(name, configs)
    elif resource_type == GROUP:
        if not name:
            raise KafkaError(errors.INVALID_REQUEST, "Default group resources are not allowed.")
        validate_group_config(configs, state.broker_config())
    elif resource_type == BROKER_LOGGER:
        raise KafkaError(errors.INVALID_REQUEST, "Unexpected resource type BROKER_LOGGER.")
    else:
        raise KafkaError(errors.UNSUPPORTED_VERSION, f"Unknown resource type {resource_type}.")


def _check_topic(state: ClusterState, name: str, configs: Mapping[str, str]) -> None:
    if not name:
        raise KafkaError(errors.INVALID_REQUEST, "Default topic resources are not allowed.")
    why = why_invalid(name)
    if why is not None:
        raise KafkaError(errors.INVALID_TOPIC_EXCEPTION, why)
    validate_topic_config(configs, state.broker_config())
    if name not in state.image.topics:
        raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist.")


def _check_broker(state: ClusterState, name: str) -> None:
    if not name:
        return
    try:
        broker_id = int(name)
    except ValueError:
        raise KafkaError(errors.INVALID_REQUEST, "Unable to parse broker name as a base 10 number.") from None
    if broker_id < 0:
        raise KafkaError(errors.INVALID_REQUEST, "Invalid negative broker ID.")
    if broker_id != state.node_id and broker_id not in state.image.brokers:
        raise KafkaError(errors.BROKER_ID_NOT_REGISTERED, f"No broker with id {broker_id} found.")
