"""ListGroups (16): the groups that this broker coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.protocol.generated.list_groups_request import ListGroupsRequest
    from kbroker.protocol.generated.list_groups_response import ListGroupsResponse

API_KEY = 16
VERSIONS = (0, 5)


def handle(
    request: ListGroupsRequest, context: RequestContext
) -> ListGroupsResponse | Pending[ListGroupsResponse]:
    return context.services.groups.list_groups(request, context)
