"""DeleteTopics (20): topics by name, or by id from version 6 on (KIP-516)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.protocol.errors import INVALID_REQUEST, TOPIC_DELETION_DISABLED

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest
    from kbroker.protocol.generated.delete_topics_response import DeleteTopicsResponse

API_KEY = 20
VERSIONS = (1, 6)


def handle(request: DeleteTopicsRequest, context: RequestContext) -> Pending[DeleteTopicsResponse]:
    answer = context.services.controller.submit(
        lambda controller, now_ms: controller.delete_topics(request, now_ms)
    )
    return answer if context.api_version >= 3 else answer.then(_in_older_words)


def _in_older_words(response: DeleteTopicsResponse) -> DeleteTopicsResponse:
    """Before version 3 there was no code for "deletion is disabled"."""
    for topic in response.responses:
        if topic.error_code == TOPIC_DELETION_DISABLED:
            topic.error_code = INVALID_REQUEST
    return response
