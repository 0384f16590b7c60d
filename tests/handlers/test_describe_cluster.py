"""DescribeCluster: brokers, and who is asked for what."""

import pytest

from kbroker.handlers import describe_cluster
from kbroker.metadata.image import MetadataImage
from kbroker.protocol import errors
from kbroker.protocol.generated.describe_cluster_request import DescribeClusterRequest
from kbroker.protocol.generated.describe_cluster_response import DescribeClusterResponse
from tests.handlers import cluster
from tests.handlers.cluster import broker

IMAGE = cluster.image(brokers=(broker(1), broker(2, fenced=True, rack="r2"), broker(3, listener="OTHER")))


def ask(
    version: int, request: DescribeClusterRequest, image: MetadataImage = IMAGE
) -> DescribeClusterResponse:
    response = describe_cluster.handle(request, cluster.context(cluster.services(image), 60, version))
    response.write([], version)
    return response


@pytest.mark.parametrize("version", range(3))
def test_live_brokers(version: int) -> None:
    response = ask(version, DescribeClusterRequest())
    assert [(b.broker_id, b.host, b.port) for b in response.brokers] == [(1, "10.0.0.1", 9092)]
    assert response.cluster_id == "the-cluster"
    assert response.cluster_authorized_operations == -(2**31)


def test_fenced_brokers_on_request() -> None:
    response = ask(2, DescribeClusterRequest(include_fenced_brokers=True))
    assert [(b.broker_id, b.rack, b.is_fenced) for b in response.brokers] == [
        (1, None, False),
        (2, "r2", True),
    ]


@pytest.mark.parametrize("version", range(3))
def test_authorized_operations(version: int) -> None:
    request = DescribeClusterRequest(include_cluster_authorized_operations=True)
    assert ask(version, request).cluster_authorized_operations == 0b1_1111_1010_0000


def test_a_controller_that_is_not_in_the_list_is_not_named() -> None:
    image = cluster.image(brokers=(broker(3, listener="OTHER"),))
    assert ask(2, DescribeClusterRequest(), image).controller_id == -1


@pytest.mark.parametrize(
    ("endpoint_type", "version", "code"),
    [
        (2, 1, errors.MISMATCHED_ENDPOINT_TYPE),
        (2, 2, errors.MISMATCHED_ENDPOINT_TYPE),
        (3, 1, errors.UNSUPPORTED_ENDPOINT_TYPE),
        (0, 2, errors.UNSUPPORTED_ENDPOINT_TYPE),
    ],
)
def test_other_endpoints_than_brokers(endpoint_type: int, version: int, code: int) -> None:
    response = ask(version, DescribeClusterRequest(endpoint_type=endpoint_type))
    assert response.error_code == code
    assert response.brokers == []
