"""What clients are told to connect to, per listener and per address."""

from __future__ import annotations

import re
import socket

import pytest
from confluent_kafka.admin import AdminClient

from tests.end_to_end.conftest import StartBroker


def told_to(bootstrap: str) -> list[str]:
    """The brokers in the Metadata that a client of `bootstrap` gets."""
    brokers = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).brokers
    return [f"{broker.host}:{broker.port}" for broker in brokers.values()]


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_each_client_is_told_the_address_it_reached_us_by(start_broker: StartBroker) -> None:
    broker = start_broker("-o", "listeners=PLAINTEXT://:0")
    assert told_to(f"127.0.0.1:{broker.port}") == [f"127.0.0.1:{broker.port}"]
    assert told_to(f"127.0.0.2:{broker.port}") == [f"127.0.0.2:{broker.port}"]


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
def test_ipv6(start_broker: StartBroker) -> None:
    broker = start_broker("-o", "listeners=PLAINTEXT://[::1]:0")
    assert told_to(f"[::1]:{broker.port}") == [f"::1:{broker.port}"]


def test_an_advertised_listener_beside_an_automatic_one(start_broker: StartBroker) -> None:
    broker = start_broker(
        *("-o", "listeners=PLAINTEXT://127.0.0.1:0,HOST://127.0.0.1:0"),
        *("-o", "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,HOST:PLAINTEXT"),
        *("-o", "inter.broker.listener.name=PLAINTEXT"),
        *("-o", "advertised.listeners=HOST://broker.example:9999"),
    )
    assert told_to(broker.bootstrap) == [broker.bootstrap]
    found = re.search(r"Listening on HOST://(\S+); clients are told broker.example:9999", broker.output)
    assert found is not None
    assert told_to(found[1]) == ["broker.example:9999"]
