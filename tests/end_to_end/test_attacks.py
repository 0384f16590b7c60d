"""X6 at gate size: hostile sockets cost the broker little, and others nothing."""

from __future__ import annotations

import time

import pytest
import trio

from kbroker.protocol.generated.metadata_request import MetadataRequest
from tests.end_to_end.attacks import ATTACKS, METADATA, SETTINGS, memory_bytes, open_files, siege
from tests.end_to_end.conftest import StartBroker
from tests.end_to_end.plain_client import PlainClient
from tests.end_to_end.process import BrokerProcess

GATE = {
    "slow-loris": 200,
    "half-open": 50,
    "huge frames": 20,
    "other protocols": 10,
    "never reading": 10,
    "churn": 50,
}
HUNDRED_TOPICS = ("-o", "kbroker.topics=" + ",".join(f"topic-{n}:1:1" for n in range(100)))
MAX_GROWTH_BYTES = 64 << 20


def besieged(broker: BrokerProcess, attacks: dict[str, int]) -> dict[str, float]:
    """The siege's figures; fails if memory or connections stay behind. Stops the broker."""
    with PlainClient(broker.port) as client:
        # Whatever is opened for the first client is there to stay.
        client.ask(METADATA, 9, MetadataRequest(topics=None))
    files, memory = open_files(broker.pid), memory_bytes(broker.pid)
    figures = trio.run(siege, broker.port, attacks)
    growth = memory_bytes(broker.pid) - memory
    assert growth <= MAX_GROWTH_BYTES, f"{growth >> 20} MiB more"
    deadline = time.monotonic() + 30
    while open_files(broker.pid) > files:
        assert time.monotonic() < deadline, "connections are left behind"
        time.sleep(0.1)
    assert broker.stop() == 0
    assert "Internal error" not in broker.output
    return {**figures, "memory_growth_mib": growth >> 20}


@pytest.mark.parametrize("name", ["huge frames", "other protocols", "never reading", "churn"])
def test_one_kind(start_broker: StartBroker, name: str) -> None:
    besieged(start_broker(*SETTINGS, *HUNDRED_TOPICS), {name: GATE[name]})


def test_all_at_once(start_broker: StartBroker) -> None:
    assert GATE.keys() == ATTACKS.keys()
    figures = besieged(start_broker(*SETTINGS, *HUNDRED_TOPICS), GATE)
    assert figures["requests"] > 100
