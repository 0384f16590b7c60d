"""ListConfigResources: by type."""

import pytest

from kbroker.handlers import list_config_resources
from kbroker.metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from kbroker.protocol import errors
from kbroker.protocol.generated.list_config_resources_request import ListConfigResourcesRequest
from kbroker.protocol.generated.list_config_resources_response import ListConfigResourcesResponse
from tests.handlers import cluster
from tests.handlers.cluster import broker, topic

IMAGE = cluster.image(
    brokers=(broker(1), broker(2, fenced=True), broker(3, listener="OTHER")),
    topics=(topic("a"), topic("__consumer_offsets")),
    configs={
        (TOPIC, "a"): {"retention.ms": "1"},
        (GROUP, "g"): {"consumer.session.timeout.ms": "50000"},
        (CLIENT_METRICS, "m"): {"interval.ms": "100"},
    },
)
ALL = [
    (GROUP, "g"),
    (CLIENT_METRICS, "m"),
    (BROKER_LOGGER, "1"),
    (BROKER_LOGGER, "2"),
    (BROKER, "1"),
    (BROKER, "2"),
    (TOPIC, "a"),
    (TOPIC, "__consumer_offsets"),
]


def ask(version: int, *types: int) -> ListConfigResourcesResponse:
    response = list_config_resources.handle(
        ListConfigResourcesRequest(list(types)), cluster.context(cluster.services(IMAGE), 74, version)
    )
    response.write([], version)
    return response


def listed(response: ListConfigResourcesResponse) -> list[tuple[int, str]]:
    return [(entry.resource_type, entry.resource_name) for entry in response.config_resources]


def test_no_type_means_all() -> None:
    assert listed(ask(1)) == ALL


def test_version_0_knows_client_metrics_only() -> None:
    assert listed(ask(0)) == [(CLIENT_METRICS, "m")]


@pytest.mark.parametrize("kind", [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP])
def test_one_type(kind: int) -> None:
    assert listed(ask(1, kind, kind)) == [entry for entry in ALL if entry[0] == kind]


@pytest.mark.parametrize("kind", [0, 1, 3, 99, -1])
def test_an_unknown_type_spoils_the_request(kind: int) -> None:
    response = ask(1, TOPIC, kind)
    assert response.error_code == errors.UNSUPPORTED_VERSION
    assert response.config_resources == []
