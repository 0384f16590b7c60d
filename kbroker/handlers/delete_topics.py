"""DeleteTopics (20): topics by name, or by id from version 6 on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers import to_controller
from kbroker.protocol.errors import INVALID_REQUEST, TOPIC_DELETION_DISABLED
from kbroker.protocol.generated.delete_topics_response import DeletableTopicResult, DeleteTopicsResponse
from kbroker.protocol.primitives import ZERO_UUID

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.protocol.errors import KafkaError
    from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest

API_KEY = 20
VERSIONS = (1, 6)


def handle(request: DeleteTopicsRequest, context: RequestContext) -> Pending[DeleteTopicsResponse]:
    def refuse(error: KafkaError) -> DeleteTopicsResponse:
        asked: list[tuple[str | None, bytes]] = [(name, ZERO_UUID) for name in request.topic_names]
        asked += [(topic.name, topic.topic_id) for topic in request.topics]
        return DeleteTopicsResponse(
            responses=[DeletableTopicResult(name, id_, error.code, error.message) for name, id_ in asked]
        )

    answer = to_controller.submit(
        context.services,
        lambda controller, now_ms: controller.delete_topics(request, now_ms),
        refuse,
        request.timeout_ms,
    )
    return answer if context.api_version >= 3 else answer.then(_in_older_words)


def _in_older_words(response: DeleteTopicsResponse) -> DeleteTopicsResponse:
    """Before version 3 there was no code for "deletion is disabled"."""
    for topic in response.responses:
        if topic.error_code == TOPIC_DELETION_DISABLED:
            topic.error_code = INVALID_REQUEST
    return response
