"""AlterConfigs (33): the complete configs of a resource.

Superseded by IncrementalAlterConfigs, still sent by older clients.
Kafka: `ConfigAdminManager`, `ControllerApis.handleLegacyAlterConfigs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers import to_controller
from kbroker.handlers.config_changes import check_broker_configs, check_keys, check_type, merge, settle
from kbroker.handlers.context import Pending
from kbroker.metadata.image import BROKER
from kbroker.protocol.generated.alter_configs_request import AlterConfigsRequest
from kbroker.protocol.generated.alter_configs_response import (
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.errors import KafkaError
    from kbroker.protocol.generated.alter_configs_request import AlterConfigsResource

API_KEY = 33
VERSIONS = (0, 2)


def handle(request: AlterConfigsRequest, context: RequestContext) -> Pending[AlterConfigsResponse]:
    services = context.services

    def decide(resource: AlterConfigsResource) -> bool:
        configs = resource.configs
        check_keys([one.name for one in configs], [one.name for one in configs if one.value is None])
        check_type(resource.resource_type)
        if resource.resource_type == BROKER:
            wanted = {one.name: one.value for one in configs if one.value is not None}
            check_broker_configs(resource.resource_name, wanted, services)
        return False

    settled = settle(request.resources, decide)

    def answer(controllers: AlterConfigsResponse) -> AlterConfigsResponse:
        responses = merge(request.resources, settled, controllers.responses, AlterConfigsResourceResponse)
        return AlterConfigsResponse(responses=responses)

    rest = [one for index, one in enumerate(request.resources) if index not in settled]
    if not rest:
        return Pending.completed(answer(AlterConfigsResponse()))
    forwarded = AlterConfigsRequest(rest, request.validate_only)

    def refuse(error: KafkaError) -> AlterConfigsResponse:
        return AlterConfigsResponse(
            responses=[
                AlterConfigsResourceResponse(error.code, error.message, one.resource_type, one.resource_name)
                for one in rest
            ]
        )

    return to_controller.submit(
        services, lambda controller, now_ms: controller.alter_configs(forwarded, now_ms), refuse
    ).then(answer)
