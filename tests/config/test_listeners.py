"""Listeners and what they advertise."""

import pytest

from kbroker.config import Config, ConfigError
from kbroker.config.listeners import address_text, parse_address


def listeners(value: str, **more: str) -> list[tuple[str, str, int, tuple[str, int] | None]]:
    properties = {"listeners": value} | {name.replace("_", "."): text for name, text in more.items()}
    return [(x.name, x.host, x.port, x.advertised) for x in Config.from_sources(properties).listeners]


def test_forms_of_addresses() -> None:
    assert listeners("PLAINTEXT://:9092") == [("PLAINTEXT", "", 9092, None)]
    assert listeners("PLAINTEXT://[::]:0") == [("PLAINTEXT", "::", 0, None)]
    assert listeners("plaintext://my-host.example:1") == [("PLAINTEXT", "my-host.example", 1, None)]


def test_several_listeners_some_advertised() -> None:
    assert listeners(
        "HOST://:9092, DOCKER://:19092",
        listener_security_protocol_map="HOST:PLAINTEXT,DOCKER:PLAINTEXT",
        advertised_listeners="HOST://localhost:9092",
    ) == [("HOST", "", 9092, ("localhost", 9092)), ("DOCKER", "", 19092, None)]


def test_an_advertised_address_without_a_host_is_auto() -> None:
    assert listeners("PLAINTEXT://:9092", advertised_listeners="PLAINTEXT://:9092")[0][3] is None


def test_one_port_on_two_addresses() -> None:
    two = listeners(
        "A://127.0.0.1:9092,B://[::1]:9092", listener_security_protocol_map="A:PLAINTEXT,B:PLAINTEXT"
    )
    assert len(two) == 2


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "must not be empty"),
        ("9092", "NAME://host:port"),
        ("PLAINTEXT://localhost", "host:port"),
        ("PLAINTEXT://localhost:65536", "host:port"),
        ("PLAINTEXT://localhost:-1", "host:port"),
        ("PLAINTEXT://::1:9092", "brackets"),
        ("PLAINTEXT://a/b:9092", "whose host is not one"),
        ("PLAINTEXT://:9092,PLAINTEXT://:9093", "twice"),
        ("PLAINTEXT://:9092,CONTROLLER://:9092", "port 9092"),
        ("PLAINTEXT://127.0.0.1:9092,CONTROLLER://:9092", "port 9092"),
        ("CONTROLLER://:9093", "no listener for clients"),
        ("FRONT://:9092", "no security protocol for listener FRONT"),
        ("SSL://:9092", "asks for SSL, which kbroker does not support yet"),
        ("SASL_PLAINTEXT://:9092", "SASL_PLAINTEXT, which kbroker does not support yet"),
    ],
)
def test_refused_listeners(value: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        listeners(value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("PLAINTEXT://0.0.0.0:9092", "no address of a machine"),
        ("PLAINTEXT://[::]:9092", "no address of a machine"),
        ("PLAINTEXT://localhost:0", "port 0"),
        ("OTHER://localhost:9092", "listeners does not define"),
    ],
)
def test_refused_advertised_listeners(value: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        listeners("PLAINTEXT://:9092", advertised_listeners=value)
    assert reason in str(caught.value)


def test_a_bad_protocol_map() -> None:
    with pytest.raises(ConfigError, match="NAME:PROTOCOL"):
        listeners("PLAINTEXT://:9092", listener_security_protocol_map="PLAINTEXT:TLS")


def test_a_variable_that_only_advertises_listens_there_on_every_interface() -> None:
    environment = {
        "KAFKA_ADVERTISED_LISTENERS": "IN://kafka:19092,OUT://localhost:9092",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "IN:PLAINTEXT,OUT:PLAINTEXT",
    }
    config = Config.from_sources({}, environment)
    assert repr(config.listeners) == "(IN://:19092, OUT://:9092)"
    assert config.listeners[1].advertised == ("localhost", 9092)


IMAGE = {
    "listeners": "HOST://:9092,DOCKER://:19092",
    "advertised.listeners": "HOST://localhost:9092",
    "listener.security.protocol.map": "HOST:PLAINTEXT,DOCKER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "HOST://:9092→localhost DOCKER://:19092→auto"),
        ({"KAFKA_LISTENERS": "PLAINTEXT://:9092"}, "PLAINTEXT://:9092→auto"),
        ({"KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:9092"}, "PLAINTEXT://:9092→kafka"),
        (
            {"KAFKA_ADVERTISED_LISTENERS": "HOST://a:9092,DOCKER://b:19092"},
            "HOST://:9092→a DOCKER://:19092→b",
        ),
        (
            {
                "KAFKA_LISTENERS": "PLAINTEXT://:29092,CONTROLLER://:9093",
                "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:29092",
            },
            "PLAINTEXT://:29092→kafka",
        ),
    ],
)
def test_variables_over_an_images_file(environment: dict[str, str], expected: str) -> None:
    found = Config.from_sources(IMAGE, environment).listeners
    assert " ".join(f"{x}→{x.advertised[0] if x.advertised else 'auto'}" for x in found) == expected


def test_addresses_as_text_and_back() -> None:
    for host in ("", "localhost", "::1"):
        assert parse_address(address_text(host, 7), "x") == (host, 7)
