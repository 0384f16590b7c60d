"""How to run krafka: our Rust program with the crate, all in Rust."""

from pathlib import Path

from compat.client import Client
from compat.rust import cargo, suite

FOLDER = Path(__file__).resolve().parent

SUITE = suite.Suite(
    crate="krafka",
    executables=("integration_tests",),
    environment=lambda bootstrap: {"COMPAT_PORT": bootstrap.rpartition(":")[2]},
    # The crate leaves out what needs a broker unless it is asked for.
    options=("--ignored",),
)

CLIENT = Client(
    title="krafka (Rust)",
    missing=cargo.missing,
    command=lambda: [str(cargo.program(FOLDER)), *suite.command("krafka", SUITE)],
)
