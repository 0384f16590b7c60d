"""CreatePartitions (37): more partitions for existing topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers import to_controller
from kbroker.protocol.generated.create_partitions_response import (
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.protocol.errors import KafkaError
    from kbroker.protocol.generated.create_partitions_request import CreatePartitionsRequest

API_KEY = 37
VERSIONS = (0, 3)


def handle(request: CreatePartitionsRequest, context: RequestContext) -> Pending[CreatePartitionsResponse]:
    def refuse(error: KafkaError) -> CreatePartitionsResponse:
        results = [
            CreatePartitionsTopicResult(topic.name, error.code, error.message) for topic in request.topics
        ]
        return CreatePartitionsResponse(results=results)

    return to_controller.submit(
        context.services,
        lambda controller, now_ms: controller.create_partitions(request, now_ms),
        refuse,
        request.timeout_ms,
    )
