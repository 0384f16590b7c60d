"""Random requests, whole and damaged, through a whole broker.

Whatever comes: an answer of the right shape, silence while something waits, or
a closed connection with a reason. Never a defect, never another client's loss.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest

from kbroker.broker.connection import Connection
from kbroker.handlers.table import SUPPORTED
from kbroker.protocol.header import write_response_header
from kbroker.protocol.messages import response_class
from kbroker.protocol.primitives import Part
from tests.protocol.samples import PROFILES
from tests.wire.requests import PAIRS, damaged, request_body
from tests.wire.world import WireWorld, drain, frame

WHOLE_PER_PAIR = 60
DAMAGED_PER_PAIR = 300
PRODUCE, API_VERSIONS = 0, 18
CORRELATION_ID = 7


def bodies(api_key: int, version: int, world: WireWorld, seed: object, damaged_count: int) -> Iterator[bytes]:
    """Whole requests of each profile, then damaged ones."""
    rng = random.Random(f"{api_key} {version} {seed}")
    topic_ids = world.topic_ids
    whole = [
        request_body(api_key, version, rng, topic_ids, PROFILES[number % len(PROFILES)])
        for number in range(WHOLE_PER_PAIR)
    ]
    yield from whole
    small = [request_body(api_key, version, rng, topic_ids) for _ in range(10)]
    for number in range(damaged_count):
        yield damaged(small[number % len(small)], rng)


def check_answers(api_key: int, version: int, connection: Connection) -> int:
    """Each answer belongs to the request and can be read to its end in the request's version."""
    header: list[Part] = []
    write_response_header(header, api_key, version, CORRELATION_ID)
    prefix = b"".join(bytes(part) for part in header)  # type: ignore[arg-type]
    answers = drain(connection)
    for answer in answers:
        assert answer.startswith(prefix)
        body = memoryview(answer)[len(prefix) :]
        _, position = response_class(api_key).read(body, 0, version)
        assert position == len(body)
    return len(answers)


def probe(world: WireWorld, good: Connection) -> None:
    """Another client is served as if nothing had happened."""
    world.send(good, frame(API_VERSIONS, 0, b""))
    (answer,) = drain(good)
    assert struct.unpack_from(">ih", answer) == (CORRELATION_ID, 0)


def fuzz(api_key: int, version: int, seed: object, damaged_count: int) -> int:
    """One pair through a broker of its own; the number of requests sent."""
    world = WireWorld(f"{api_key} {version}")
    good, connection = world.connect(), world.connect()
    sent = 0
    for number, body in enumerate(bodies(api_key, version, world, seed, damaged_count)):
        chunk = 3 if number % 50 == 0 else 1 << 30
        world.send(connection, frame(api_key, version, body), chunk)
        assert not world.defects, (version, number, world.defects)
        count = check_answers(api_key, version, connection)
        open_and_idle = connection.close_reason is None and not connection.is_waiting
        # Only a Produce may go unanswered, when it asked for that.
        assert count == 1 or not open_and_idle or api_key == PRODUCE
        if not open_and_idle:
            connection.abandon()
            connection = world.connect()
        sent += 1
    world.pass_time(3_600_000)
    assert not world.defects, (version, world.defects)
    probe(world, good)
    return sent


@pytest.mark.parametrize("api_key", SUPPORTED)
def test_random_requests(api_key: int) -> None:
    for version in (version for key, version in PAIRS if key == api_key):
        assert fuzz(api_key, version, "gate", DAMAGED_PER_PAIR) == WHOLE_PER_PAIR + DAMAGED_PER_PAIR
