"""Requests that lie about their sizes, through a whole broker.

Little memory, no defect, nobody else disturbed.

Every length, count, number of tagged fields and tagged size of every API and
version at extreme values; headers full of tags; frames that never come. (The
codecs alone are tried in `tests/protocol/test_hostile.py`.)
"""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterator

import pytest

from kbroker.broker.connection import Connection
from kbroker.handlers.table import SUPPORTED
from kbroker.protocol.messages import API
from kbroker.protocol.primitives import uvarint
from tests.protocol.reference import Kind, join, pieces
from tests.protocol.samples import encode, messages, sample
from tests.wire.requests import PAIRS, request_name
from tests.wire.test_random_requests import API_VERSIONS, check_answers, probe
from tests.wire.world import WireWorld, drain, frame

METADATA = 3
FIRST_FRAME_LIMIT_BYTES = 512 << 10


def extremes(kind: Kind, remaining: int) -> list[bytes]:
    """What stands in the place of a length when `remaining` bytes follow: −1, 0, too much, far too much."""
    if kind == "short":
        return [struct.pack(">h", value) for value in (-1, 0, 2**15 - 1, min(remaining + 1, 2**15 - 1))]
    if kind == "int":
        return [struct.pack(">i", value) for value in (-1, 0, 2**31 - 1, remaining + 1)]
    return [uvarint(value) for value in (0, remaining + 1, remaining + 2, 129, 2**31 - 1, 2**32 - 1)]


def crafted_bodies(api_key: int, version: int) -> Iterator[bytes]:
    """One body per length of a request in which everything is present, and per extreme."""
    name = request_name(api_key)
    parts = pieces(messages()[name], version, sample(name, version, "rich"), unknown_tag=b"unknown")
    for index, part in enumerate(parts):
        if part.kind != "value":
            before, behind = join(parts[:index]), join(parts[index + 1 :])
            for data in extremes(part.kind, len(behind)):
                yield before + data + behind


def allocated_bytes(world: WireWorld, connection: Connection, data: bytes) -> int:
    """The most memory that was held at once while `data` was handled."""
    # Once for what is imported on first use: that is not the data's doing.
    before = world.connect()
    world.send(before, data)
    before.abandon()
    tracemalloc.start()
    world.send(connection, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("api_key", SUPPORTED)
def test_lengths_that_lie(api_key: int) -> None:
    for version in (version for key, version in PAIRS if key == api_key):
        world = WireWorld(f"{api_key} {version}")
        good, connection = world.connect(), world.connect()
        for number, body in enumerate(crafted_bodies(api_key, version)):
            data = frame(api_key, version, body)
            # Tracing is slow; every tenth tells enough.
            if number % 10 == 9:
                assert allocated_bytes(world, connection, data) <= 4 * len(data) + (1 << 20)
            else:
                world.send(connection, data)
            assert not world.defects, (version, number, world.defects)
            check_answers(api_key, version, connection)
            if connection.close_reason is not None or connection.is_waiting:
                connection.abandon()
                connection = world.connect()
        probe(world, good)


@pytest.mark.parametrize("api_key", SUPPORTED)
def test_bytes_behind_a_request_are_ignored(api_key: int) -> None:
    version = SUPPORTED[api_key][2]
    world = WireWorld()
    connection = world.connect()
    body = encode(sample(request_name(api_key), version, "small"), version)
    world.send(connection, frame(api_key, version, body + b"and more"))
    assert connection.close_reason is None
    assert not world.defects


def flexible_header(tags: bytes, version: int = 3) -> bytes:
    """An ApiVersions request with these tagged fields in its header."""
    data = struct.pack(">hhih", API_VERSIONS, version, 7, 1) + b"c" + tags + b"\x02a\x021\x00"
    return struct.pack(">i", len(data)) + data


@pytest.mark.parametrize("count", [129, 1 << 20, 2**31 - 1, 2**32 - 1])
def test_a_header_that_claims_many_tags(count: int) -> None:
    world = WireWorld()
    connection = world.connect()
    data = flexible_header(uvarint(count) + b"\x7f\x00" * 1000)
    assert allocated_bytes(world, connection, data) <= 4 * len(data) + (1 << 20)
    assert connection.close_reason is not None
    assert not world.defects


def test_a_header_full_of_tags_before_any_valid_request() -> None:
    world = WireWorld()
    connection = world.connect()
    count = FIRST_FRAME_LIMIT_BYTES // 2 - 100
    data = flexible_header(uvarint(count) + b"\x7f\x00" * count)
    assert len(data) <= FIRST_FRAME_LIMIT_BYTES
    assert allocated_bytes(world, connection, data) <= 2 * len(data) + (1 << 20)
    assert connection.close_reason is not None


def test_a_few_unknown_tags_are_skipped() -> None:
    world = WireWorld()
    connection = world.connect()
    world.send(connection, flexible_header(uvarint(2) + b"\x05\x03abc\x7f\x00"))
    assert connection.close_reason is None
    assert len(drain(connection)) == 1


@pytest.mark.parametrize("size", [0, -1, -(2**31), 2**31 - 1, 100 << 20, FIRST_FRAME_LIMIT_BYTES + 1])
def test_a_frame_of_impossible_size(size: int) -> None:
    world = WireWorld()
    connection = world.connect()
    assert allocated_bytes(world, connection, struct.pack(">i", size) + b"\0" * 8) <= 1 << 20
    assert connection.close_reason is not None


def test_a_larger_frame_after_a_valid_request_costs_nothing_until_it_comes() -> None:
    world = WireWorld()
    good, connection = world.connect(), world.connect()
    probe(world, connection)
    assert allocated_bytes(world, connection, struct.pack(">i", 100 << 20) + b"\0" * 8) <= 1 << 20
    assert connection.close_reason is None
    probe(world, good)


@pytest.mark.parametrize("api_key", sorted(API))
def test_what_is_not_served_closes_the_connection(api_key: int) -> None:
    world = WireWorld()
    _, first, last = SUPPORTED.get(api_key, ("", 0, -1))
    for version in {-(2**15), -1, *range(first), last + 1, 99, 2**15 - 1}:
        connection = world.connect()
        world.send(connection, frame_of_any_version(api_key, version))
        if api_key == API_VERSIONS:
            # KIP-511: the answer in the shape of version 0 names what is known.
            assert drain(connection) == [bytes.fromhex("00000007 0023 00000001 0012 0000 0004")]
        else:
            assert drain(connection) == []
            assert connection.close_reason is not None
    assert not world.defects


@pytest.mark.parametrize("api_key", [-1, -(2**15), 4, 5, 6, 7, 52, 500, 2**15 - 1])
def test_an_unknown_api_closes_the_connection(api_key: int) -> None:
    world = WireWorld()
    connection = world.connect()
    world.send(connection, frame_of_any_version(api_key, 0))
    assert connection.close_reason is not None
    assert not world.defects


def frame_of_any_version(api_key: int, version: int) -> bytes:
    """A request with a header of either kind: client id and no tags."""
    data = struct.pack(">hhih", api_key, version, 7, 1) + b"c" + b"\0" * 20
    return struct.pack(">i", len(data)) + data


@pytest.mark.parametrize("version", range(14))
def test_every_cut_of_a_request(version: int) -> None:
    world = WireWorld()
    body = encode(sample("MetadataRequest", version, "rich"), version)
    for length in range(len(body)):
        connection = world.connect()
        world.send(connection, frame(METADATA, version, body[:length]))
        assert connection.close_reason is not None
        assert drain(connection) == []
    assert not world.defects
