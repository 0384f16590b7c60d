"""CreatePartitions (37): more partitions for existing topics, by the controller (KIP-195)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.protocol.generated.create_partitions_request import CreatePartitionsRequest
    from kbroker.protocol.generated.create_partitions_response import CreatePartitionsResponse

API_KEY = 37
VERSIONS = (0, 3)


def handle(request: CreatePartitionsRequest, context: RequestContext) -> Pending[CreatePartitionsResponse]:
    return context.services.controller.submit(
        lambda controller, now_ms: controller.create_partitions(request, now_ms)
    )
