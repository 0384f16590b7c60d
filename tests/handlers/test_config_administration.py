"""Changes of configs: what the broker settles, what the controller."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from kbroker.handlers import alter_configs, incremental_alter_configs
from kbroker.handlers.context import Services
from kbroker.metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated import alter_configs_request as legacy
from kbroker.protocol.generated.incremental_alter_configs_request import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from tests.handlers import cluster
from tests.handlers.cluster import topic

SET, DELETE, APPEND, SUBTRACT = range(4)

Change = tuple[str, int, str | None]


@pytest.fixture
def services() -> Services:
    return cluster.services(cluster.image(topics=(topic("a"), topic("b"))))


@pytest.fixture
def quiet_logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("kbroker.tests.levels")
    root_level = logging.root.level
    yield logger
    logger.setLevel(logging.NOTSET)
    logging.root.setLevel(root_level)


def resource(kind: int, name: str, *changes: Change) -> AlterConfigsResource:
    return AlterConfigsResource(kind, name, [AlterableConfig(*change) for change in changes])


def alter(
    services: Services, *resources: AlterConfigsResource, validate_only: bool = False, version: int = 1
) -> list[Any]:
    request = IncrementalAlterConfigsRequest(list(resources), validate_only)
    response = cluster.now(incremental_alter_configs.handle(request, cluster.context(services, 44, version)))
    response.write([], version)
    answers: list[Any] = response.responses
    return answers


def code(services: Services, kind: int, name: str, *changes: Change) -> int:
    (answer,) = alter(services, resource(kind, name, *changes))
    assert (answer.resource_type, answer.resource_name) == (kind, name)
    result: int = answer.error_code
    return result


def replace(services: Services, kind: int, name: str, values: dict[str, str | None], version: int = 2) -> Any:
    configs = [legacy.AlterableConfig(*item) for item in values.items()]
    request = legacy.AlterConfigsRequest([legacy.AlterConfigsResource(kind, name, configs)])
    response = cluster.now(alter_configs.handle(request, cluster.context(services, 33, version)))
    response.write([], version)
    (answer,) = response.responses
    return answer


@pytest.mark.parametrize("version", [0, 1])
def test_set_and_delete(services: Services, version: int) -> None:
    alter(services, resource(TOPIC, "a", ("retention.ms", SET, "5"), ("flush.ms", SET, "7")), version=version)
    assert services.metadata.image.topic_configs("a") == {"retention.ms": "5", "flush.ms": "7"}
    (answer,) = alter(services, resource(TOPIC, "a", ("retention.ms", DELETE, None)), version=version)
    assert (answer.error_code, answer.error_message) == (errors.NONE, None)
    assert services.metadata.image.topic_configs("a") == {"flush.ms": "7"}


def test_append_and_subtract(services: Services) -> None:
    assert code(services, TOPIC, "a", ("cleanup.policy", APPEND, "compact")) == errors.NONE
    assert services.metadata.image.topic_configs("a") == {"cleanup.policy": "delete,compact"}
    assert code(services, TOPIC, "a", ("cleanup.policy", SUBTRACT, "delete")) == errors.NONE
    assert services.metadata.image.topic_configs("a") == {"cleanup.policy": "compact"}
    assert code(services, TOPIC, "a", ("retention.ms", APPEND, "1")) == errors.INVALID_CONFIG


@pytest.mark.parametrize(
    ("kind", "name", "changes", "expected"),
    [
        (TOPIC, "a", [("retention.ms", SET, None)], errors.INVALID_REQUEST),
        (TOPIC, "a", [("retention.ms", SET, "1"), ("retention.ms", DELETE, None)], errors.INVALID_REQUEST),
        (TOPIC, "a", [("nope", SET, "1")], errors.INVALID_CONFIG),
        (TOPIC, "a", [("retention.ms", SET, "soon")], errors.INVALID_CONFIG),
        (TOPIC, "nope", [("retention.ms", SET, "1")], errors.UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "a b", [("retention.ms", SET, "1")], errors.INVALID_TOPIC_EXCEPTION),
        (TOPIC, "a", [("retention.ms", 9, "1")], errors.UNKNOWN_SERVER_ERROR),
        (0, "a", [("retention.ms", SET, "1")], errors.INVALID_REQUEST),
        (99, "a", [], errors.INVALID_REQUEST),
        (BROKER, "2", [("message.max.bytes", SET, "1")], errors.INVALID_REQUEST),
        (BROKER, "x", [("message.max.bytes", SET, "1")], errors.INVALID_REQUEST),
        (BROKER, "9" * 5_000, [("message.max.bytes", SET, "1")], errors.INVALID_REQUEST),
        (BROKER, "1", [("log.dirs", SET, "/elsewhere")], errors.INVALID_REQUEST),
        (BROKER, "1", [("message.max.bytes", SET, "many")], errors.INVALID_REQUEST),
        (BROKER, "1", [("message.max.bytes", APPEND, "1")], errors.INVALID_CONFIG),
        (BROKER, "1", [("nope", APPEND, "1")], errors.INVALID_CONFIG),
        (BROKER, "1", [("message.max.bytes", 9, "1")], errors.INVALID_REQUEST),
        (BROKER, "", [("num.partitions", SET, "2")], errors.INVALID_REQUEST),
        (CLIENT_METRICS, "m", [("interval.ms", SET, "1")], errors.INVALID_REQUEST),
        (CLIENT_METRICS, "", [("interval.ms", SET, "1000")], errors.INVALID_REQUEST),
        (GROUP, "", [("consumer.session.timeout.ms", SET, "50000")], errors.INVALID_REQUEST),
        (GROUP, "g", [("nope", SET, "1")], errors.INVALID_CONFIG),
    ],
)
def test_a_change_that_can_not_be(
    services: Services, kind: int, name: str, changes: list[Change], expected: int
) -> None:
    assert code(services, kind, name, *changes) == expected
    assert services.metadata.image.configs == {}


@pytest.mark.parametrize(
    ("kind", "name", "key", "value"),
    [
        (BROKER, "1", "message.max.bytes", "2000000"),
        (BROKER, "", "log.retention.ms", "60000"),
        # Kafka takes what it does not know: a plugin might.
        (BROKER, "1", "some.plugin.key", "x"),
        (CLIENT_METRICS, "m", "interval.ms", "1000"),
        (GROUP, "g", "consumer.session.timeout.ms", "50000"),
    ],
)
def test_what_has_configs(services: Services, kind: int, name: str, key: str, value: str) -> None:
    assert code(services, kind, name, (key, SET, value)) == errors.NONE
    assert services.metadata.image.configs == {(kind, name): {key: value}}


def test_a_dynamic_broker_config_takes_effect(services: Services) -> None:
    code(services, BROKER, "", ("message.max.bytes", SET, "2000"))
    assert services.config.int("message.max.bytes") == 2000
    code(services, BROKER, "1", ("message.max.bytes", SET, "3000"))
    assert services.config.int("message.max.bytes") == 3000
    code(services, BROKER, "1", ("message.max.bytes", DELETE, None))
    assert services.config.int("message.max.bytes") == 2000


def test_a_broker_list_is_checked_as_it_would_become(services: Services) -> None:
    assert code(services, BROKER, "1", ("log.cleanup.policy", APPEND, "compact")) == errors.NONE
    assert services.metadata.image.broker_configs(1) == {"log.cleanup.policy": "delete,compact"}
    assert code(services, BROKER, "1", ("log.cleanup.policy", APPEND, "bogus")) == errors.INVALID_REQUEST
    assert code(services, BROKER, "1", ("log.cleanup.policy", SUBTRACT, "delete")) == errors.NONE
    assert services.metadata.image.broker_configs(1) == {"log.cleanup.policy": "compact"}


def test_answers_come_in_the_order_of_the_request(services: Services) -> None:
    answers = alter(
        services,
        resource(BROKER, "2", ("message.max.bytes", SET, "1")),
        resource(TOPIC, "a", ("retention.ms", SET, "1")),
        resource(7, "x"),
        resource(TOPIC, "nope", ("retention.ms", SET, "1")),
        resource(TOPIC, "b", ("retention.ms", SET, "2")),
    )
    assert [(answer.resource_name, answer.error_code) for answer in answers] == [
        ("2", errors.INVALID_REQUEST),
        ("a", errors.NONE),
        ("x", errors.INVALID_REQUEST),
        ("nope", errors.UNKNOWN_TOPIC_OR_PARTITION),
        ("b", errors.NONE),
    ]


def test_a_resource_twice_in_one_request(services: Services) -> None:
    one, two = ("retention.ms", SET, "1"), ("retention.ms", SET, "2")
    answers = alter(services, resource(TOPIC, "a", one), resource(TOPIC, "b", one), resource(TOPIC, "a", two))
    assert [answer.error_code for answer in answers] == [42, 0, 42]
    assert services.metadata.image.topic_configs("a") == {}


def test_validate_only_changes_nothing(services: Services) -> None:
    good, bad = ("retention.ms", SET, "1"), ("retention.ms", SET, "x")
    answers = alter(services, resource(TOPIC, "a", good), resource(TOPIC, "b", bad), validate_only=True)
    assert [answer.error_code for answer in answers] == [errors.NONE, errors.INVALID_CONFIG]
    assert services.metadata.image.configs == {}


def test_log_levels(services: Services, quiet_logger: logging.Logger) -> None:
    name = quiet_logger.name
    assert code(services, BROKER_LOGGER, "1", (name, SET, "TRACE"), ("root", SET, "ERROR")) == errors.NONE
    assert (quiet_logger.level, logging.root.level) == (5, logging.ERROR)
    assert code(services, BROKER_LOGGER, "1", (name, DELETE, None)) == errors.NONE
    assert quiet_logger.level == logging.NOTSET
    assert services.metadata.image.configs == {}


@pytest.mark.parametrize(
    ("node", "change", "expected"),
    [
        ("1", ("kbroker.tests.levels", SET, "LOUD"), errors.INVALID_CONFIG),
        ("1", ("kbroker.no.such.logger", SET, "INFO"), errors.INVALID_CONFIG),
        ("1", ("root", DELETE, None), errors.INVALID_REQUEST),
        ("1", ("root", APPEND, "INFO"), errors.INVALID_REQUEST),
        ("1", ("root", SUBTRACT, "INFO"), errors.INVALID_REQUEST),
        ("1", ("root", 9, "INFO"), errors.UNKNOWN_SERVER_ERROR),
        ("2", ("root", SET, "INFO"), errors.INVALID_REQUEST),
        ("", ("root", SET, "INFO"), errors.INVALID_REQUEST),
    ],
)
def test_log_levels_that_can_not_be(
    services: Services, quiet_logger: logging.Logger, node: str, change: Change, expected: int
) -> None:
    before = quiet_logger.level, logging.root.level
    # All or nothing: the good change before the bad one does not happen either.
    good = (quiet_logger.name, SET, "DEBUG") if change[0] != quiet_logger.name else ("root", SET, "DEBUG")
    assert code(services, BROKER_LOGGER, node, good, change) == expected
    assert (quiet_logger.level, logging.root.level) == before


def test_a_log_level_can_be_validated_only(services: Services, quiet_logger: logging.Logger) -> None:
    change = (quiet_logger.name, SET, "DEBUG")
    (answer,) = alter(services, resource(BROKER_LOGGER, "1", change), validate_only=True)
    assert answer.error_code == errors.NONE
    assert quiet_logger.level == logging.NOTSET


@pytest.mark.parametrize("version", range(3))
def test_alter_configs_replaces_everything(services: Services, version: int) -> None:
    replace(services, TOPIC, "a", {"retention.ms": "1", "flush.ms": "2"}, version)
    answer = replace(services, TOPIC, "a", {"segment.ms": "3"}, version)
    assert (answer.error_code, answer.error_message) == (errors.NONE, None)
    assert services.metadata.image.topic_configs("a") == {"segment.ms": "3"}


@pytest.mark.parametrize(
    ("kind", "name", "values", "expected"),
    [
        (TOPIC, "a", {"retention.ms": None}, errors.INVALID_REQUEST),
        (TOPIC, "a", {"nope": "1"}, errors.INVALID_CONFIG),
        (TOPIC, "nope", {"retention.ms": "1"}, errors.UNKNOWN_TOPIC_OR_PARTITION),
        (BROKER, "2", {}, errors.INVALID_REQUEST),
        (BROKER, "1", {"log.dirs": "x"}, errors.INVALID_REQUEST),
        # Log levels came with the incremental request only.
        (BROKER_LOGGER, "1", {"root": "INFO"}, errors.INVALID_REQUEST),
        (0, "a", {}, errors.INVALID_REQUEST),
    ],
)
def test_a_replacement_that_can_not_be(
    services: Services, kind: int, name: str, values: dict[str, str | None], expected: int
) -> None:
    assert replace(services, kind, name, values).error_code == expected
    assert services.metadata.image.configs == {}


def test_a_resource_or_key_twice_in_a_replacement(services: Services) -> None:
    twice = [legacy.AlterableConfig("retention.ms", "1"), legacy.AlterableConfig("retention.ms", "2")]
    request = legacy.AlterConfigsRequest(
        [
            legacy.AlterConfigsResource(TOPIC, "a", twice),
            legacy.AlterConfigsResource(TOPIC, "b"),
            legacy.AlterConfigsResource(TOPIC, "b"),
        ]
    )
    response = cluster.now(alter_configs.handle(request, cluster.context(services, 33, 2)))
    assert [answer.error_code for answer in response.responses] == [errors.INVALID_REQUEST] * 3


def test_a_controller_that_takes_nothing(services: Services) -> None:
    cluster.channel(services).refusal = KafkaError(errors.KAFKA_STORAGE_ERROR, "the disk is gone")
    answers = alter(
        services,
        resource(BROKER, "2", ("message.max.bytes", SET, "1")),
        resource(TOPIC, "a", ("retention.ms", SET, "1")),
    )
    assert [answer.error_code for answer in answers] == [errors.INVALID_REQUEST, errors.KAFKA_STORAGE_ERROR]
    assert replace(services, TOPIC, "a", {"retention.ms": "1"}).error_code == errors.KAFKA_STORAGE_ERROR
