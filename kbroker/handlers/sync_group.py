"""SyncGroup (14): assignments in from the leader, out to each member.

From v5 on a member says again which protocol it takes part in (KIP-559).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.protocol import errors
from kbroker.protocol.generated.sync_group_response import SyncGroupResponse

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.protocol.generated.sync_group_request import SyncGroupRequest

API_KEY = 14
VERSIONS = (0, 5)

_FIRST_VERSION_WITH_PROTOCOL = 5


def handle(
    request: SyncGroupRequest, context: RequestContext
) -> SyncGroupResponse | Pending[SyncGroupResponse]:
    if context.api_version >= _FIRST_VERSION_WITH_PROTOCOL and None in (
        request.protocol_type,
        request.protocol_name,
    ):
        return SyncGroupResponse(error_code=errors.INCONSISTENT_GROUP_PROTOCOL)
    return context.services.groups.sync_group(request, context)
