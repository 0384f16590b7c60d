"""Repeated Produces: the same answers and logs as without remembering anything."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from kbroker.broker.connection import Connection
from kbroker.protocol import errors
from kbroker.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest, DeleteTopicState
from kbroker.protocol.generated.produce_request import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from kbroker.protocol.messages import response_class
from kbroker.records.batch import build_batch
from kbroker.records.record import Record
from tests.protocol.samples import encode
from tests.wire.world import TOPIC, WireWorld, drain, frame

VERSIONS = range(3, 14)


def batch(*values: bytes, **fields: int) -> memoryview:
    records = [Record(index, 0, None, value, []) for index, value in enumerate(values)]
    return memoryview(build_batch(records, base_timestamp=1_000, **fields))


def request(
    world: WireWorld,
    version: int,
    *records: memoryview | None,
    acks: int = -1,
    topic: str = TOPIC,
    correlation_id: int = 7,
) -> bytes:
    """A Produce of one batch to each of the topic's first partitions."""
    known = world.services.metadata.image.topics.get(topic)
    topic_id = bytes(16) if known is None else known.id
    data = [PartitionProduceData(index, one) for index, one in enumerate(records)]
    body = ProduceRequest(None, acks, 5_000, [TopicProduceData(topic, topic_id, data)])
    return frame(0, version, encode(body, version), correlation_id)


def ask(world: WireWorld, connection: Connection, data: bytes) -> list[bytes]:
    world.send(connection, data)
    return drain(connection)


def forgetful(**settings: str) -> WireWorld:
    """A broker that handles each Produce as if it were the first."""
    world = WireWorld(settings=settings)
    world.network.add_route(0).learn = None
    return world


def knowing(world: WireWorld) -> int:
    return len(world.network.produces._known)


def error_of(answer: bytes, version: int) -> int:
    response: Any = response_class(0).read(memoryview(answer), 4 + (version >= 9), version)[0]
    code: int = response.responses[0].partition_responses[0].error_code
    return code


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("acks", [1, -1])
def test_answers_are_those_of_the_ordinary_way(version: int, acks: int) -> None:
    worlds = [WireWorld(), forgetful()]
    connections = [world.connect() for world in worlds]
    for number in range(5):
        values = [b"x" * (number * 60)] * (number + 1)
        one, other = (
            ask(world, connection, request(world, version, batch(*values), acks=acks, correlation_id=number))
            for world, connection in zip(worlds, connections, strict=True)
        )
        assert one == other
        assert len(one) == 1
    assert knowing(worlds[0]) == 1
    logs = [world.services.replicas.partition(TOPIC, 0).log for world in worlds]
    assert logs[0].log_end_offset == logs[1].log_end_offset == 15
    assert bytes(logs[0].segments.active.file.pread(9999, 0)) == bytes(
        logs[1].segments.active.file.pread(9999, 0)
    )
    statistics = [world.services.replicas.topics[TOPIC].statistics for world in worlds]
    assert statistics[0].bytes_in == statistics[1].bytes_in > 0
    assert statistics[0].total_produce_requests == statistics[1].total_produce_requests == 5
    assert [world.network.routes[0].requests for world in worlds] == [5, 5]


def test_a_repeated_produce_is_not_decoded() -> None:
    world = WireWorld()
    connection = world.connect()
    ask(world, connection, request(world, 9, batch(b"a")))
    world.network.routes[0].read = None  # type: ignore[assignment]
    (answer,) = ask(world, connection, request(world, 9, batch(b"b" * 500)))
    assert error_of(answer, 9) == 0
    # Known from another connection: each decodes its own first one.
    other = world.connect()
    ask(world, other, request(world, 9, batch(b"a")))
    assert other.close_reason == "internal error"


@pytest.mark.parametrize("version", [3, 8, 9, 13])
def test_what_the_log_refuses_is_answered_as_ever(version: int) -> None:
    spoilt = batch(b"spoilt")
    spoilt[-1] ^= 1
    sequences = {"producer_id": 5, "producer_epoch": 0}
    bad = [
        spoilt,
        batch(b"x" * 2_000_000),
        batch(b"gap", base_sequence=7, **sequences),
        batch(b"late", base_offset=3),
        batch(b"control", attributes=0x20),
        batch(b"transaction", attributes=0x10, base_sequence=0, **sequences),
        memoryview(b"no batch"),
        memoryview(bytes(61 + 30)),
        None,
    ]
    settings = {"socket.request.max.bytes": "9000000", "kbroker.unauthenticated.request.max.bytes": "9000000"}
    worlds = [WireWorld(settings=settings), forgetful(**settings)]
    connections = [world.connect() for world in worlds]
    codes = []
    for records in [batch(b"first"), batch(b"seq", base_sequence=0, **sequences), *bad, batch(b"last")]:
        again = None if records is None else memoryview(bytes(records))
        one, other = (
            ask(world, connection, request(world, version, again))
            for world, connection in zip(worlds, connections, strict=True)
        )
        assert one == other
        codes.append(error_of(one[0], version))
    assert codes[:2] == [0, 0]
    assert codes[-1] == 0
    assert 0 not in codes[2:-1]
    assert errors.OUT_OF_ORDER_SEQUENCE_NUMBER in codes
    statistics = [world.services.replicas.topics[TOPIC].statistics for world in worlds]
    assert statistics[0].failed_produce_requests == statistics[1].failed_produce_requests
    assert statistics[0].total_produce_requests == statistics[1].total_produce_requests
    for world in worlds:
        assert not world.defects


def test_a_repeated_batch_of_an_idempotent_producer_is_a_duplicate() -> None:
    worlds = [WireWorld(), forgetful()]
    found = []
    for world in worlds:
        connection = world.connect()
        ask(world, connection, request(world, 9, batch(b"other")))
        data = request(world, 9, batch(b"a", producer_id=5, producer_epoch=0, base_sequence=0))
        found.append([ask(world, connection, data) for _ in range(2)])
        assert world.services.replicas.partition(TOPIC, 0).log.log_end_offset == 2
    assert found[0] == found[1]


def test_several_partitions_and_acks_0_are_not_remembered() -> None:
    world = WireWorld()
    connection = world.connect()
    for _ in range(2):
        ask(world, connection, request(world, 9, batch(b"a"), batch(b"b")))
        assert ask(world, connection, request(world, 9, batch(b"a"), acks=0)) == []
    assert knowing(world) == 0
    assert world.services.replicas.partition(TOPIC, 0).log.log_end_offset == 4


def test_long_client_ids_are_not_remembered() -> None:
    world = WireWorld()
    connection = world.connect()
    data = request(world, 9, batch(b"a"))
    (length,) = struct.unpack_from(">h", data, 12)
    client_id = b"c" * 2000
    longer = data[4:12] + struct.pack(">h", len(client_id)) + client_id + data[14 + length :]
    for _ in range(2):
        (answer,) = ask(world, connection, struct.pack(">i", len(longer)) + longer)
        assert error_of(answer, 9) == 0
    assert knowing(world) == 0


def test_internal_topics_stay_closed() -> None:
    world = WireWorld()
    connection = world.connect()
    for _ in range(2):
        (answer,) = ask(world, connection, request(world, 9, batch(b"a"), topic="__consumer_offsets"))
        assert error_of(answer, 9) == errors.INVALID_TOPIC_EXCEPTION


def test_what_waits_for_a_flush_waits() -> None:
    world = WireWorld(settings={"log.flush.interval.messages": "1"})
    connection = world.connect()
    ask(world, connection, request(world, 9, batch(b"a")))
    data = request(world, 9, batch(b"b"))
    buffer = connection.receive_buffer()
    buffer[: len(data)] = data
    connection.received(len(data))
    assert connection.is_waiting
    world.finish_turn()
    assert len(drain(connection)) == 1


def test_a_topic_made_anew_is_another() -> None:
    world = WireWorld()
    connection = world.connect()
    for _ in range(2):
        ask(world, connection, request(world, 9, batch(b"a")))
    delete = DeleteTopicsRequest([DeleteTopicState(TOPIC)], [], 1000)
    ask(world, world.connect(), frame(20, 6, encode(delete, 6)))
    (answer,) = ask(world, connection, request(world, 9, batch(b"a")))
    assert error_of(answer, 9) == errors.UNKNOWN_TOPIC_OR_PARTITION
    create = CreateTopicsRequest([CreatableTopic(TOPIC, num_partitions=2, replication_factor=1)], 1000)
    ask(world, world.connect(), frame(19, 5, encode(create, 5)))
    for _ in range(3):
        (answer,) = ask(world, connection, request(world, 9, batch(b"a")))
        assert error_of(answer, 9) == 0
    assert world.services.replicas.partition(TOPIC, 0).log.log_end_offset == 3


@pytest.mark.parametrize("seed", range(20))
def test_damaged_repeats_do_what_they_would_do_the_first_time(seed: int) -> None:
    numbers = random.Random(seed)
    version = numbers.choice(VERSIONS)
    worlds = [WireWorld(), forgetful()]
    connections = [world.connect() for world in worlds]
    for _ in range(60):
        data = bytearray(request(worlds[0], version, batch(b"v" * numbers.randrange(300)), acks=1))
        if numbers.random() < 0.7:
            # Lengths, versions, the topic, header and body of the batch; not the frame's size.
            at = numbers.randrange(4, min(len(data), 130))
            data[at] = numbers.choice([0, 1, 0x7F, 0x80, 0xFF, data[at] ^ 1])
        answers = []
        for number, world in enumerate(worlds):
            if connections[number].close_reason is not None:
                connections[number] = world.connect()
                ask(world, connections[number], request(world, version, batch(b"again"), acks=1))
            answers.append(ask(world, connections[number], bytes(data)))
        assert answers[0] == answers[1]
        assert connections[0].close_reason == connections[1].close_reason
    for world in worlds:
        assert not world.defects
