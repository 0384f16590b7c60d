"""CreateTopics (19): decided by the controller, then ready to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers import to_controller
from kbroker.protocol.generated.create_topics_response import CreatableTopicResult, CreateTopicsResponse

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext, Services
    from kbroker.protocol.errors import KafkaError
    from kbroker.protocol.generated.create_topics_request import CreateTopicsRequest

API_KEY = 19
VERSIONS = (2, 7)


def handle(request: CreateTopicsRequest, context: RequestContext) -> Pending[CreateTopicsResponse]:
    return create(request, context.services)


def create(request: CreateTopicsRequest, services: Services) -> Pending[CreateTopicsResponse]:
    """Have the controller create what it can of it; the outcome of each topic."""

    def refuse(error: KafkaError) -> CreateTopicsResponse:
        topics = [
            CreatableTopicResult(topic.name, error_code=error.code, error_message=error.message)
            for topic in request.topics
        ]
        return CreateTopicsResponse(topics=topics)

    return to_controller.submit(
        services,
        lambda controller, now_ms: controller.create_topics(request, now_ms),
        refuse,
        request.timeout_ms,
    )
