"""IncrementalAlterConfigs (44): single keys of resources; log levels.

Kafka: `ConfigAdminManager`, `ControllerApis.handleIncrementalAlterConfigs`; KIP-339, KIP-412.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.config.updates import is_list, key_of
from kbroker.handlers import loggers, to_controller
from kbroker.handlers.config_changes import (
    check_broker_configs,
    check_keys,
    check_type,
    merge,
    parse_node_id,
    settle,
)
from kbroker.handlers.context import Pending
from kbroker.metadata.image import BROKER, BROKER_LOGGER
from kbroker.protocol.errors import INVALID_CONFIG, INVALID_REQUEST, KafkaError
from kbroker.protocol.generated.incremental_alter_configs_request import IncrementalAlterConfigsRequest
from kbroker.protocol.generated.incremental_alter_configs_response import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsResponse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kbroker.handlers.context import RequestContext, Services
    from kbroker.protocol.generated.incremental_alter_configs_request import (
        AlterableConfig,
        AlterConfigsResource,
    )

API_KEY = 44
VERSIONS = (0, 1)

_SET, _DELETE, _APPEND, _SUBTRACT = range(4)


def handle(
    request: IncrementalAlterConfigsRequest, context: RequestContext
) -> Pending[IncrementalAlterConfigsResponse]:
    services = context.services

    def decide(resource: AlterConfigsResource) -> bool:
        configs = resource.configs
        check_keys(
            [one.name for one in configs],
            [one.name for one in configs if one.value is None and one.config_operation != _DELETE],
        )
        if resource.resource_type == BROKER_LOGGER:
            _alter_loggers(resource, services, validate_only=request.validate_only)
            return True
        check_type(resource.resource_type)
        if resource.resource_type == BROKER:
            name = resource.resource_name
            present = services.metadata.image.configs.get((BROKER, name), {})
            check_broker_configs(name, _broker_configs_after(present, configs), services)
        return False

    settled = settle(request.resources, decide)

    def answer(controllers: IncrementalAlterConfigsResponse) -> IncrementalAlterConfigsResponse:
        responses = merge(request.resources, settled, controllers.responses, AlterConfigsResourceResponse)
        return IncrementalAlterConfigsResponse(responses=responses)

    rest = [one for index, one in enumerate(request.resources) if index not in settled]
    if not rest:
        return Pending.completed(answer(IncrementalAlterConfigsResponse()))
    forwarded = IncrementalAlterConfigsRequest(rest, request.validate_only)

    def refuse(error: KafkaError) -> IncrementalAlterConfigsResponse:
        return IncrementalAlterConfigsResponse(
            responses=[
                AlterConfigsResourceResponse(error.code, error.message, one.resource_type, one.resource_name)
                for one in rest
            ]
        )

    return to_controller.submit(
        services, lambda controller, now_ms: controller.incremental_alter_configs(forwarded, now_ms), refuse
    ).then(answer)


def _alter_loggers(resource: AlterConfigsResource, services: Services, *, validate_only: bool) -> None:
    node_id = parse_node_id(resource.resource_name)
    if node_id != services.node_id:
        raise KafkaError(
            INVALID_REQUEST, f"Unexpected node id. Expected {services.node_id}, but received {node_id}"
        )
    loggers.alter(resource.configs, validate_only=validate_only)


def _broker_configs_after(present: Mapping[str, str], changes: Sequence[AlterableConfig]) -> dict[str, str]:
    """The dynamic broker configs as `changes` would leave them."""
    result = dict(present)
    for change in changes:
        name, operation, value = change.name, change.config_operation, change.value
        if operation == _DELETE:
            result.pop(name, None)
        elif operation == _SET:
            assert value is not None
            result[name] = value
        elif operation in (_APPEND, _SUBTRACT):
            assert value is not None
            items = _present_items(name, result, "append" if operation == _APPEND else "subtract")
            wanted = value.split(",")
            if operation == _APPEND:
                items += [item for item in wanted if item not in items]
            else:
                items = [item for item in items if item not in wanted]
            result[name] = ",".join(items)
        else:
            raise KafkaError(INVALID_REQUEST, f"Unknown operations type {operation}")
    return result


def _present_items(name: str, configs: Mapping[str, str], operation: str) -> list[str]:
    """The list that APPEND and SUBTRACT start from: the dynamic one, else the default."""
    key = key_of(BROKER, name)
    if key is None:
        raise KafkaError(INVALID_CONFIG, f"Unknown config name: {name}")
    if not is_list(BROKER, name):
        raise KafkaError(INVALID_CONFIG, f"Config value {operation} is not allowed for config key: {name}")
    text = configs.get(name, key.default)
    return text.split(",") if text else []
