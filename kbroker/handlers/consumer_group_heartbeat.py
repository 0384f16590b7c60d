"""ConsumerGroupHeartbeat (68): refused, the protocol is to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.protocol import errors
from kbroker.protocol.generated.consumer_group_heartbeat_response import ConsumerGroupHeartbeatResponse

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest

API_KEY = 68
VERSIONS = (0, 1)


def handle(request: ConsumerGroupHeartbeatRequest, context: RequestContext) -> ConsumerGroupHeartbeatResponse:
    return ConsumerGroupHeartbeatResponse(error_code=errors.UNSUPPORTED_VERSION)
