"""Heartbeat (12): a member of a classic group is alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
    from kbroker.protocol.generated.heartbeat_response import HeartbeatResponse

API_KEY = 12
VERSIONS = (0, 4)


def handle(request: HeartbeatRequest, context: RequestContext) -> HeartbeatResponse:
    return context.services.groups.heartbeat(request, context)
