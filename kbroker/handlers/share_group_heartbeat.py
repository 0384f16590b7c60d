"""ShareGroupHeartbeat (76): refused, share groups are to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.protocol import errors
from kbroker.protocol.generated.share_group_heartbeat_response import ShareGroupHeartbeatResponse

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.share_group_heartbeat_request import ShareGroupHeartbeatRequest

API_KEY = 76
VERSIONS = (1, 1)


def handle(request: ShareGroupHeartbeatRequest, context: RequestContext) -> ShareGroupHeartbeatResponse:
    return ShareGroupHeartbeatResponse(error_code=errors.UNSUPPORTED_VERSION)
