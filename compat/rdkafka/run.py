"""How to run rdkafka: our Rust program, with librdkafka compiled from the crate's sources."""

from pathlib import Path

from compat.client import Client
from compat.rust import cargo, suite

FOLDER = Path(__file__).resolve().parent

SUITE = suite.Suite(
    crate="rdkafka",
    executables=(
        "test_admin",
        "test_high_consumers",
        "test_high_producers",
        "test_low_consumers",
        "test_low_producers",
        "test_metadata",
        "test_transactions",
    ),
    environment=lambda bootstrap: {"KAFKA_HOST": bootstrap},
    # As in the crate's own set-up of a broker.
    properties={"node.id": "0", "num.partitions": "3"},
)

CLIENT = Client(
    title="rdkafka (Rust, librdkafka)",
    missing=lambda: cargo.missing("make", "c++"),
    command=lambda: [str(cargo.program(FOLDER)), *suite.command("rdkafka", SUITE)],
)
