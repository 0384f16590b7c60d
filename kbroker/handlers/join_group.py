"""JoinGroup (11): a member asks for the group's next generation.

v0 has no rebalance timeout; before v7 the protocol name cannot be null.
Kafka: `JoinGroupRequest`, `JoinGroupResponse`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.context import Pending

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.join_group_request import JoinGroupRequest
    from kbroker.protocol.generated.join_group_response import JoinGroupResponse

API_KEY = 11
VERSIONS = (0, 9)

_FIRST_VERSION_WITH_REBALANCE_TIMEOUT = 1
_FIRST_VERSION_WITH_NULL_PROTOCOL = 7


def handle(
    request: JoinGroupRequest, context: RequestContext
) -> JoinGroupResponse | Pending[JoinGroupResponse]:
    version = context.api_version
    if version < _FIRST_VERSION_WITH_REBALANCE_TIMEOUT:
        request.rebalance_timeout_ms = request.session_timeout_ms
    answer = context.services.groups.join_group(request, context)
    if isinstance(answer, Pending):
        return answer.then(lambda response: _fit(response, version))
    return _fit(answer, version)


def _fit(response: JoinGroupResponse, version: int) -> JoinGroupResponse:
    nothing = None if version >= _FIRST_VERSION_WITH_NULL_PROTOCOL else ""
    response.protocol_name = response.protocol_name or nothing
    return response
