"""CreateTopics (19): the controller's decision; when it is answered, the leaders serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.protocol.generated.create_topics_request import CreateTopicsRequest
    from kbroker.protocol.generated.create_topics_response import CreateTopicsResponse

API_KEY = 19
VERSIONS = (2, 7)


def handle(request: CreateTopicsRequest, context: RequestContext) -> Pending[CreateTopicsResponse]:
    return context.services.controller.submit(
        lambda controller, now_ms: controller.create_topics(request, now_ms)
    )
