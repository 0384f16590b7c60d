"""DescribeConfigs: every kind of resource, its sources, its refusals."""

from typing import Any

import pytest

from kbroker.handlers import describe_configs
from kbroker.handlers.context import Services
from kbroker.metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from kbroker.protocol import errors
from kbroker.protocol.generated.describe_configs_request import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from tests.handlers import cluster
from tests.handlers.cluster import topic

LONG = 5


@pytest.fixture
def services() -> Services:
    image = cluster.image(
        topics=(topic("a"),),
        configs={
            (TOPIC, "a"): {"retention.ms": "5"},
            (BROKER, ""): {"log.retention.ms": "7"},
            (GROUP, "g"): {"consumer.session.timeout.ms": "50000"},
            (CLIENT_METRICS, "m"): {"interval.ms": "1000"},
        },
    )
    made = cluster.services(image, {"log.retention.ms": "9", "ssl.keystore.password": "secret"})
    made.config = made.config.with_dynamic(image.default_broker_configs, {})
    return made


def ask(
    services: Services,
    *resources: tuple[int, str],
    keys: list[str] | None = None,
    version: int = 4,
    **rest: Any,
) -> list[Any]:
    asked = [DescribeConfigsResource(kind, name, keys) for kind, name in resources]
    response = describe_configs.handle(
        DescribeConfigsRequest(asked, **rest), cluster.context(services, 32, version)
    )
    response.write([], version)
    return response.results


@pytest.mark.parametrize("version", range(1, 5))
def test_a_topic_with_all_its_settings(services: Services, version: int) -> None:
    (result,) = ask(services, (TOPIC, "a"), version=version)
    assert (result.error_code, result.resource_type, result.resource_name) == (errors.NONE, TOPIC, "a")
    assert len(result.configs) == 33
    retention = next(entry for entry in result.configs if entry.name == "retention.ms")
    assert (retention.value, retention.config_source, retention.is_sensitive, retention.read_only) == (
        "5",
        1,
        False,
        False,
    )
    assert (retention.config_type, retention.synonyms, retention.documentation) == (LONG, [], None)


def test_synonyms_and_documentation_on_request(services: Services) -> None:
    (result,) = ask(
        services, (TOPIC, "a"), keys=["retention.ms"], include_synonyms=True, include_documentation=True
    )
    (retention,) = result.configs
    assert [(one.name, one.value, one.source) for one in retention.synonyms] == [
        ("retention.ms", "5", 1),
        ("log.retention.ms", "7", 3),
        ("log.retention.ms", "9", 4),
        # Kafka lists the broker's other keys for it too, as far as they have a value.
        ("log.retention.hours", "168", 5),
    ]
    assert retention.documentation


@pytest.mark.parametrize("keys", [None, []])
def test_no_keys_mean_all(services: Services, keys: list[str] | None) -> None:
    assert len(ask(services, (TOPIC, "a"), keys=keys)[0].configs) == 33


def test_unknown_keys_are_left_out(services: Services) -> None:
    (result,) = ask(services, (TOPIC, "a"), keys=["nope", "flush.ms"])
    assert [entry.name for entry in result.configs] == ["flush.ms"]


def test_this_broker(services: Services) -> None:
    (result,) = ask(services, (BROKER, "1"))
    entries = {entry.name: entry for entry in result.configs}
    assert len(entries) >= 340
    assert (entries["log.retention.ms"].value, entries["log.retention.ms"].config_source) == ("7", 3)
    assert not entries["log.retention.ms"].read_only
    assert entries["log.dirs"].read_only
    assert (entries["ssl.keystore.password"].value, entries["ssl.keystore.password"].is_sensitive) == (
        None,
        True,
    )


@pytest.mark.parametrize("keys", [None, [], ["log.retention.ms", "num.partitions"]])
def test_all_brokers_defaults(services: Services, keys: list[str] | None) -> None:
    (result,) = ask(services, (BROKER, ""), keys=keys)
    assert [(entry.name, entry.value, entry.config_source) for entry in result.configs] == [
        ("log.retention.ms", "7", 3)
    ]


def test_groups_and_client_metrics(services: Services) -> None:
    results = ask(services, (GROUP, "g"), (GROUP, "other"), (CLIENT_METRICS, "m"), (CLIENT_METRICS, "other"))
    assert [len(result.configs) for result in results] == [17, 17, 3, 3]
    overridden = [
        [entry.name for entry in result.configs if entry.config_source > LONG] for result in results
    ]
    assert overridden == [["consumer.session.timeout.ms"], [], ["interval.ms"], []]


def test_loggers(services: Services) -> None:
    (result,) = ask(services, (BROKER_LOGGER, "1"))
    names = [entry.name for entry in result.configs]
    assert "root" in names
    assert "kbroker.handlers.loggers" in names
    assert {entry.config_source for entry in result.configs} == {6}
    (result,) = ask(services, (BROKER_LOGGER, "1"), keys=["root"])
    assert [entry.name for entry in result.configs] == ["root"]


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        (TOPIC, "nope", errors.UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "a b", errors.INVALID_TOPIC_EXCEPTION),
        (TOPIC, "", errors.INVALID_TOPIC_EXCEPTION),
        (BROKER, "2", errors.INVALID_REQUEST),
        (BROKER, "x", errors.INVALID_REQUEST),
        (BROKER_LOGGER, "2", errors.INVALID_REQUEST),
        (BROKER_LOGGER, "x", errors.INVALID_REQUEST),
        (BROKER_LOGGER, "", errors.INVALID_REQUEST),
        (GROUP, "", errors.INVALID_REQUEST),
        (CLIENT_METRICS, "", errors.INVALID_REQUEST),
    ],
)
def test_what_can_not_be_described(services: Services, kind: int, name: str, code: int) -> None:
    refused, described = ask(services, (kind, name), (TOPIC, "a"))
    assert (refused.error_code, refused.resource_type, refused.resource_name) == (code, kind, name)
    assert refused.configs == []
    assert described.error_code == errors.NONE


@pytest.mark.parametrize("kind", [-1, 0, 1, 3, 64])
def test_an_unknown_type_spoils_the_request(services: Services, kind: int) -> None:
    assert [result.error_code for result in ask(services, (TOPIC, "a"), (kind, "x"))] == [42, 42]


def test_equal_resources_share_their_description(services: Services) -> None:
    response = handle(services, *[(GROUP, f"g{number}") for number in range(100)], (TOPIC, "a"), (TOPIC, "a"))
    groups = {id(result.configs) for result in response[:100]}
    topics = {id(result.configs) for result in response[100:]}
    assert (len(groups), len(topics)) == (1, 1)


def test_an_answer_has_a_limit(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describe_configs, "_MAX_ANSWER_BYTES", 20_000)
    results = handle(services, *[(BROKER, "1")] * 3, (TOPIC, "a"))
    assert [result.error_code for result in results] == [0, 42, 42, 0]


def handle(services: Services, *resources: tuple[int, str]) -> list[Any]:
    asked = [DescribeConfigsResource(kind, name, None) for kind, name in resources]
    results: list[Any] = describe_configs.handle(
        DescribeConfigsRequest(asked), cluster.context(services, 32, 4)
    ).results
    return results
