"""DescribeGroups (15): state and members of classic groups.

A group of another protocol is described as one that does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.cluster_view import GROUP_OPERATIONS
from kbroker.handlers.context import Pending

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.describe_groups_request import DescribeGroupsRequest
    from kbroker.protocol.generated.describe_groups_response import DescribeGroupsResponse

API_KEY = 15
VERSIONS = (0, 6)


def handle(
    request: DescribeGroupsRequest, context: RequestContext
) -> DescribeGroupsResponse | Pending[DescribeGroupsResponse]:
    answer = context.services.groups.describe_groups(request, context)
    if not request.include_authorized_operations:
        return answer
    return answer.then(_with_operations) if isinstance(answer, Pending) else _with_operations(answer)


def _with_operations(response: DescribeGroupsResponse) -> DescribeGroupsResponse:
    for group in response.groups:
        if not group.error_code:
            group.authorized_operations = GROUP_OPERATIONS
    return response
