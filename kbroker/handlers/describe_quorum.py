"""DescribeQuorum (55): voters and observers of the metadata log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.describe_quorum_request import DescribeQuorumRequest
    from kbroker.protocol.generated.describe_quorum_response import DescribeQuorumResponse

API_KEY = 55
VERSIONS = (0, 2)


def handle(request: DescribeQuorumRequest, context: RequestContext) -> DescribeQuorumResponse:
    response = context.services.controller.describe_quorum(request)
    if context.api_version < 2:
        # Where the voters listen came with version 2; older ones can't carry it.
        response.nodes = []
    return response
