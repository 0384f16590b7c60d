"""DeleteGroups (42): groups without members, with all their offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext
    from kbroker.protocol.generated.delete_groups_request import DeleteGroupsRequest
    from kbroker.protocol.generated.delete_groups_response import DeleteGroupsResponse

API_KEY = 42
VERSIONS = (0, 2)


def handle(
    request: DeleteGroupsRequest, context: RequestContext
) -> DeleteGroupsResponse | Pending[DeleteGroupsResponse]:
    return context.services.groups.delete_groups(request, context)
