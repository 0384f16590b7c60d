"""DescribeCluster (60): the brokers and the cluster id (KIP-700)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.cluster_view import CLUSTER_OPERATIONS, ClusterView
from kbroker.protocol import errors
from kbroker.protocol.generated.describe_cluster_response import (
    DescribeClusterBroker,
    DescribeClusterResponse,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.describe_cluster_request import DescribeClusterRequest

API_KEY = 60
VERSIONS = (0, 2)

_ENDPOINT_BROKER = 1
_ENDPOINT_CONTROLLER = 2


def handle(request: DescribeClusterRequest, context: RequestContext) -> DescribeClusterResponse:
    if request.endpoint_type == _ENDPOINT_CONTROLLER:
        return DescribeClusterResponse(
            error_code=errors.MISMATCHED_ENDPOINT_TYPE if context.api_version else errors.INVALID_REQUEST,
            error_message="The request was sent to an endpoint of type BROKER, "
            "but we wanted an endpoint of type CONTROLLER",
        )
    if request.endpoint_type != _ENDPOINT_BROKER:
        return DescribeClusterResponse(
            error_code=errors.UNSUPPORTED_ENDPOINT_TYPE if context.api_version else errors.INVALID_REQUEST,
            error_message=f"Unsupported endpoint type {request.endpoint_type}",
        )
    view = ClusterView(context.services.metadata.image, context)
    brokers = [
        DescribeClusterBroker(broker.id, host, port, broker.rack, broker.fenced)
        for broker, host, port in view.brokers(with_fenced=request.include_fenced_brokers)
    ]
    controller_id = view.controller_id()
    response = DescribeClusterResponse(
        cluster_id=context.services.cluster_id,
        # A controller that is not in the list would only confuse the client.
        controller_id=controller_id if any(b.broker_id == controller_id for b in brokers) else -1,
        brokers=brokers,
    )
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response
