"""DescribeQuorum: each version carries what it can."""

import pytest

from kbroker.handlers import describe_quorum
from kbroker.protocol.generated.describe_quorum_request import DescribeQuorumRequest
from tests.handlers import cluster


@pytest.mark.parametrize("version", range(3))
def test_voters_addresses_came_with_version_2(version: int) -> None:
    context = cluster.context(cluster.services(cluster.image()), 55, version)
    response = describe_quorum.handle(DescribeQuorumRequest(), context)
    response.write([], version)
    assert [node.node_id for node in response.nodes] == ([1] if version == 2 else [])
    assert response.topics[0].partitions[0].leader_id == 1
