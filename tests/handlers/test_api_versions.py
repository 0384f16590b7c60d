"""ApiVersions: what is announced, and to whom."""

import pytest

from kbroker.handlers import api_versions
from kbroker.handlers.table import SUPPORTED
from kbroker.protocol import errors
from kbroker.protocol.generated.api_versions_request import ApiVersionsRequest
from kbroker.protocol.generated.api_versions_response import ApiVersionsResponse
from tests.handlers import cluster


def ask(version: int, name: str = "librdkafka", software_version: str = "2.4.0") -> ApiVersionsResponse:
    image = cluster.image(features={"metadata.version": 30, "group.version": 1})
    context = cluster.context(cluster.services(image), 18, version)
    return api_versions.handle(ApiVersionsRequest(name, software_version), context)


@pytest.mark.parametrize("version", range(5))
def test_every_supported_api_is_announced(version: int) -> None:
    announced = {entry.api_key: (entry.min_version, entry.max_version) for entry in ask(version).api_keys}
    expected = {api_key: (first, last) for api_key, (_, first, last) in SUPPORTED.items()}
    expected[0] = (0, 13)
    assert announced == expected


@pytest.mark.parametrize("version", range(5))
def test_it_can_be_written_in_every_version(version: int) -> None:
    ask(version).write([], version)


def test_ranges_from_level_0_are_kept_from_older_clients() -> None:
    assert [(f.name, f.min_version) for f in ask(3).supported_features] == [("metadata.version", 7)]
    assert [(f.name, f.min_version) for f in ask(4).supported_features] == [
        ("kraft.version", 0),
        ("metadata.version", 7),
    ]


def test_a_finalized_level_that_does_not_work_here_is_not_shown() -> None:
    response = ask(3)
    assert [(f.name, f.min_version_level, f.max_version_level) for f in response.finalized_features] == [
        ("metadata.version", 30, 30)
    ]
    assert response.finalized_features_epoch == 77


@pytest.mark.parametrize("version", range(3))
def test_features_are_unknown_before_version_3(version: int) -> None:
    response = ask(version)
    assert response.supported_features == []
    assert response.finalized_features == []


@pytest.mark.parametrize("bad", ["", " ", "-a", "a-", "a b", "é", "a\n", "a."])
def test_a_software_name_or_version_out_of_shape(bad: str) -> None:
    for response in (ask(3, name=bad), ask(4, software_version=bad)):
        assert response.error_code == errors.INVALID_REQUEST
        assert response.api_keys == []


@pytest.mark.parametrize("good", ["a", "apache-kafka-java", "3.9.0", "v2.0.0-rc1"])
def test_a_software_name_in_shape(good: str) -> None:
    assert ask(4, name=good).error_code == errors.NONE


def test_the_shape_counts_from_version_3() -> None:
    assert ask(2, name="").error_code == errors.NONE
