"""X5 at gate size: the seeds, whole and mutated blindly, through every target."""

import random

import pytest

from tests.fuzz.targets import TARGETS
from tests.wire.requests import damaged

RUNS = 1000


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_their_neighbours(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())
    rng = random.Random(name)
    for data in [b"", b"\0", *seeds]:
        target.run(data)
    for number in range(RUNS):
        data = damaged(seeds[number % len(seeds)], rng)
        try:
            target.run(data)
        except Exception as error:
            error.add_note(f"{name}: {data.hex()}")
            raise
