"""Brokers for tests, ended with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.end_to_end.process import BrokerProcess

StartBroker = Callable[..., BrokerProcess]


@pytest.fixture
def start_broker(tmp_path: Path) -> Iterator[StartBroker]:
    """Starts brokers on the test's own data directory (or another one)."""
    started: list[BrokerProcess] = []

    def start(
        *options: str,
        data: Path | None = None,
        port: int = 0,
        variables: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> BrokerProcess:
        path = data or tmp_path / "data"
        started.append(BrokerProcess(path, *options, port=port, variables=variables, prefix=prefix))
        return started[-1]

    yield start
    for broker in started:
        broker.end()


@pytest.fixture(scope="session")
def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One broker for all tests that do not mind each other's topics."""
    broker = BrokerProcess(tmp_path_factory.mktemp("shared") / "data")
    yield broker
    broker.end()
