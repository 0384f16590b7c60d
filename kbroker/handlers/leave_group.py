"""LeaveGroup (13): members go without waiting for their session to end.

Before v3 a request names one member and its error stands at the top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.context import Pending
from kbroker.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from kbroker.protocol.generated.leave_group_response import LeaveGroupResponse

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext

API_KEY = 13
VERSIONS = (0, 5)

_FIRST_VERSION_WITH_MEMBERS = 3


def handle(
    request: LeaveGroupRequest, context: RequestContext
) -> LeaveGroupResponse | Pending[LeaveGroupResponse]:
    groups = context.services.groups
    if context.api_version >= _FIRST_VERSION_WITH_MEMBERS:
        return groups.leave_group(request, context)
    single = LeaveGroupRequest(request.group_id, members=[MemberIdentity(request.member_id)])
    answer = groups.leave_group(single, context)
    return answer.then(_of_the_one_member) if isinstance(answer, Pending) else _of_the_one_member(answer)


def _of_the_one_member(response: LeaveGroupResponse) -> LeaveGroupResponse:
    if response.error_code:
        return response
    return LeaveGroupResponse(error_code=response.members[0].error_code)
