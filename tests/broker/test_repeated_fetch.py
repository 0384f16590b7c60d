"""Repeated Fetches: the same answers as without remembering anything."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from kbroker.broker.connection import Connection
from kbroker.handlers import repeated, repeated_fetch
from kbroker.protocol import errors
from kbroker.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest, DeleteTopicState
from kbroker.protocol.generated.fetch_request import FetchPartition, FetchRequest, FetchTopic, ReplicaState
from kbroker.protocol.messages import response_class
from kbroker.records.batch import build_batch
from kbroker.records.control import build_end_txn_marker
from kbroker.records.record import Record
from tests.broker.test_repeated_produce import request as produce_request
from tests.protocol.samples import encode
from tests.wire.world import TOPIC, WireWorld, drain, frame

VERSIONS = range(4, 19)
COMMITTED = 1
TRANSACTIONAL = 0x10
PRODUCER = 4


def batch(*sizes: int, **fields: int) -> memoryview:
    records = [Record(index, 0, None, b"v" * size, []) for index, size in enumerate(sizes)]
    return memoryview(build_batch(records, base_timestamp=1_000, **fields))


def append(world: WireWorld, records: memoryview, index: int = 0) -> None:
    replicas = world.services.replicas
    hosted = replicas.topics[TOPIC]
    replicas.append(hosted, hosted.partitions[index], memoryview(bytearray(records)), 1, world.clock.now_ms)
    world.finish_turn()


def append_in_transaction(world: WireWorld, sequence: int) -> None:
    fields = {"producer_epoch": 0, "base_sequence": sequence, "attributes": TRANSACTIONAL}
    append(world, batch(10, producer_id=PRODUCER, **fields))


def end_transaction(world: WireWorld, *, commit: bool) -> None:
    """As a transaction coordinator elsewhere had written it."""
    marker = build_end_txn_marker(
        commit=commit, producer_id=PRODUCER, producer_epoch=0, coordinator_epoch=0, timestamp_ms=1_000
    )
    world.services.replicas.append_internal(TOPIC, 0, marker, world.clock.now_ms)
    world.finish_turn()


def delete_topic(world: WireWorld) -> None:
    delete = DeleteTopicsRequest([DeleteTopicState(TOPIC)], [], 1000)
    ask(world, world.connect(), frame(20, 6, encode(delete, 6)))


def create_topic(world: WireWorld, name: str) -> None:
    create = CreateTopicsRequest([CreatableTopic(name, num_partitions=2, replication_factor=1)], 1000)
    ask(world, world.connect(), frame(19, 5, encode(create, 5)))


def request(
    world: WireWorld,
    version: int,
    offset: int,
    *,
    max_bytes: int = 1 << 20,
    partition_max_bytes: int = 1 << 20,
    indexes: tuple[int, ...] = (0,),
    epochs: tuple[int, int] = (-1, -1),
    correlation_id: int = 7,
    **fields: Any,
) -> bytes:
    """A Fetch of the topic's partitions; by default one that has time to wait."""
    known = world.services.metadata.image.topics.get(TOPIC)
    leader_epoch, last_epoch = epochs
    partitions = [
        FetchPartition(
            index,
            leader_epoch if version >= 9 else -1,
            offset,
            last_epoch if version >= 12 else -1,
            partition_max_bytes=partition_max_bytes,
        )
        for index in indexes
    ]
    topic = FetchTopic(TOPIC, bytes(16) if known is None else known.id, partitions)
    body = FetchRequest(max_bytes=max_bytes, topics=[topic], **{"max_wait_ms": 500, "min_bytes": 1, **fields})
    return frame(1, version, encode(body, version), correlation_id)


def ask(world: WireWorld, connection: Connection, data: bytes) -> list[bytes]:
    """The answers of now, or else those when the time to wait is over."""
    world.send(connection, data)
    if connection.is_waiting:
        world.pass_time(1_000)
        return [b"waited", *drain(connection)]
    return drain(connection)


def forgetful(**settings: str) -> WireWorld:
    """A broker that handles each Fetch as if it were the first."""
    world = WireWorld(settings=settings)
    world.network.add_route(1).learn = None
    return world


class Pair:
    """The same happens to a broker that remembers and to one that does not."""

    def __init__(self, **settings: str) -> None:
        self.worlds = [WireWorld(settings=settings), forgetful(**settings)]
        self.connections = [world.connect() for world in self.worlds]

    def append(self, records: memoryview, index: int = 0) -> None:
        for world in self.worlds:
            append(world, records, index)

    def ask(self, version: int, offset: int, **fields: Any) -> list[bytes]:
        return self.send(request(self.worlds[0], version, offset, **fields))

    def send(self, data: bytes) -> list[bytes]:
        self.reconnect()
        answers = [ask(*both, data) for both in zip(self.worlds, self.connections, strict=True)]
        assert answers[0] == answers[1]
        assert self.connections[0].close_reason == self.connections[1].close_reason
        return answers[0]

    def reconnect(self) -> None:
        """Where the last request had the connection closed."""
        for number, world in enumerate(self.worlds):
            if self.connections[number].close_reason is not None:
                self.connections[number] = world.connect()

    def answers(self) -> list[bytes]:
        """What has come by now."""
        one, other = map(drain, self.connections)
        assert one == other
        return one

    def check(self) -> None:
        """What is counted is the same, too."""
        one, other = (world.services.replicas.topics[TOPIC].statistics for world in self.worlds)
        for name in one.__slots__:
            assert getattr(one, name) == getattr(other, name)
        assert self.worlds[0].network.routes[1].requests == self.worlds[1].network.routes[1].requests
        assert not self.worlds[0].defects
        assert not self.worlds[1].defects

    @property
    def knowing(self) -> int:
        return knowing(self.worlds[0])


def knowing(world: WireWorld) -> int:
    return len(world.network.fetches._known)


def only(answer: bytes, version: int) -> Any:
    response: Any = response_class(1).read(memoryview(answer), 4 + (version >= 12), version)[0]
    return response.responses[0].partitions[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("isolation_level", [0, COMMITTED])
def test_answers_are_those_of_the_ordinary_way(version: int, isolation_level: int) -> None:
    pair = Pair()
    # Sizes of one, two and three bytes as a varint.
    for size in (1, 30, 300, 3_000, 20_000, 1):
        pair.append(batch(size))
        pair.append(batch(size, size, size))
    for limit in (1, 70, 1_000, 25_000, 1 << 20):
        for number, offset in enumerate([*range(26), -1, 99, 2**62]):
            pair.ask(
                version,
                offset,
                partition_max_bytes=limit,
                isolation_level=isolation_level,
                correlation_id=number,
            )
    assert pair.knowing == 5
    pair.check()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_repeated_fetch_is_not_decoded(version: int) -> None:
    world = WireWorld()
    for size in (10, 20, 30):
        append(world, batch(size))
    connection = world.connect()
    ask(world, connection, request(world, version, 0))
    world.network.routes[1].read = None  # type: ignore[assignment]
    (answer,) = ask(world, connection, request(world, version, 1, correlation_id=8))
    assert struct.unpack_from(">i", answer) == (8,)
    assert (only(answer, version).error_code, only(answer, version).high_watermark) == (0, 3)
    # Nor is one that waits until its time is over, or for a record.
    waited, answer = ask(world, connection, request(world, version, 3, correlation_id=9))
    assert waited == b"waited"
    assert struct.unpack_from(">i", answer) == (9,)
    assert (only(answer, version).high_watermark, only(answer, version).records) == (3, b"")
    world.send(connection, request(world, version, 3, correlation_id=10))
    assert drain(connection) == []
    append(world, batch(40))
    (answer,) = drain(connection)
    assert struct.unpack_from(">i", answer) == (10,)
    assert (only(answer, version).high_watermark, len(only(answer, version).records) > 40) == (4, True)
    # What is behind the end of the log is not plain.
    ask(world, connection, request(world, version, 5))
    assert connection.close_reason == "internal error"


def test_requests_differ_in_more_than_the_offset() -> None:
    pair = Pair(**{"num.partitions": "2"})
    for size in (10, 2_000, 3_000, 40):
        pair.append(batch(size))
        pair.append(batch(size), 1)
    kinds: list[dict[str, Any]] = [
        {"indexes": (1,)},
        {"max_bytes": 2_100},
        {"max_bytes": 0},
        {"max_bytes": -5},
        {"partition_max_bytes": 2_100},
        {"partition_max_bytes": 0},
        {"partition_max_bytes": -3_000},
        {"min_bytes": 0},
        {"min_bytes": 5_000},
        {"min_bytes": 5_000, "max_bytes": 2_100},
        {"min_bytes": 1 << 30},
        {"min_bytes": 1 << 30, "max_wait_ms": 0},
        {"isolation_level": COMMITTED},
        {"rack_id": "here"},
    ]
    for fields in kinds:
        for offset in (0, 1, 2, 3, 4, 5, 0):
            pair.ask(16, offset, **fields)
            pair.ask(16, offset)
    assert pair.knowing == 1 + len(kinds)
    pair.check()


def test_the_broker_limits_the_answer_too() -> None:
    pair = Pair(**{"fetch.max.bytes": "2048"})
    for _ in range(5):
        pair.append(batch(900))
    for offset in (0, 1, 2, 3, 4, 0):
        pair.ask(11, offset, min_bytes=3_000)
    assert pair.knowing == 1
    pair.check()


@pytest.mark.parametrize(
    "fields",
    [
        {"indexes": (0, 1)},
        {"indexes": ()},
        {"indexes": (9,)},
        {"isolation_level": 2},
        {"session_epoch": 0},
        {"session_id": 3},
        {"session_id": 3, "session_epoch": 1},
        {"replica_state": ReplicaState(1, 5)},
        {"epochs": (-1, 0)},
        {"epochs": (-1, 7)},
    ],
)
def test_what_is_not_plain_is_not_remembered(fields: dict[str, Any]) -> None:
    pair = Pair()
    pair.append(batch(100))
    for offset in (0, 1, 0):
        pair.ask(16, offset, **fields)
    assert pair.knowing == 0
    pair.check()


@pytest.mark.parametrize("epoch", [-7, -1, 0, 1])
def test_leader_epochs_are_compared(epoch: int) -> None:
    pair = Pair()
    pair.append(batch(100))
    for _ in range(3):
        (answer,) = pair.ask(11, 0, epochs=(epoch, -1))
        assert only(answer, 11).error_code == (errors.UNKNOWN_LEADER_EPOCH if epoch == 1 else 0)
    pair.check()


def test_what_is_known_is_not_learned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(**{"num.partitions": "2"})
    pair.append(batch(100))
    for rack_id in ("", "here"):
        pair.ask(16, 0, rack_id=rack_id)
    monkeypatch.setattr(repeated_fetch, "_offset_at", None)
    for rack_id in ("", "here", ""):
        # Between others, and on other connections.
        pair.ask(16, 0, indexes=(0, 1))
        pair.ask(16, 0, rack_id=rack_id)
        pair.connections = [world.connect() for world in pair.worlds]
    assert pair.knowing == 2
    pair.check()


def test_unknown_tags_and_bytes_behind_the_request_are_not_remembered() -> None:
    pair = Pair()
    pair.append(batch(100))
    data = request(pair.worlds[0], 16, 0)[4:]
    for longer in (data[:-1] + b"\1\x7f\2hi", data + b"\0" * 9):
        for _ in range(2):
            pair.send(struct.pack(">i", len(longer)) + longer)
    assert pair.knowing == 0
    pair.check()


def test_read_committed_stops_at_an_open_transaction_and_names_aborted_ones() -> None:
    pair = Pair()

    def ask_all() -> list[list[tuple[int, int]]]:
        """What is named as aborted."""
        found = []
        for level in (0, COMMITTED):
            for offset in range(9):
                answer = only(pair.ask(16, offset, isolation_level=level)[-1], 16)
                aborted = answer.aborted_transactions or []
                found.append([(one.producer_id, one.first_offset) for one in aborted])
        return found

    pair.append(batch(5))
    for number, commit in enumerate((True, False, True)):
        for world in pair.worlds:
            append_in_transaction(world, number)
        pair.append(batch(5))
        assert ask_all()[9:]
        for world in pair.worlds:
            end_transaction(world, commit=commit)
        found = ask_all()
        assert any(found) == (number > 0)
    pair.append(batch(5))
    ask_all()
    assert pair.knowing == 2
    pair.check()


def test_what_is_moved_below_the_log_start_is_out_of_range() -> None:
    pair = Pair()
    for size in (10, 20, 30, 40):
        pair.append(batch(size))
    pair.ask(16, 0)
    for world in pair.worlds:
        replicas = world.services.replicas
        replicas.delete_records(replicas.partition(TOPIC, 0), 2, world.clock.now_ms)
    codes = [only(pair.ask(16, offset)[0], 16).error_code for offset in range(4)]
    assert codes == [errors.OFFSET_OUT_OF_RANGE, errors.OFFSET_OUT_OF_RANGE, 0, 0]
    pair.check()


@pytest.mark.parametrize("version", [4, 5, 16])
def test_failed_storage_is_told_as_ever(version: int) -> None:
    pair = Pair()
    pair.append(batch(10))
    pair.ask(version, 0)
    for world in pair.worlds:
        world.services.replicas.partition(TOPIC, 0).log.offline = True
    assert only(pair.ask(version, 0)[0], version).error_code != 0
    for world in pair.worlds:
        world.services.replicas.partition(TOPIC, 0).take_out_of_service(errors.KAFKA_STORAGE_ERROR)
    assert only(pair.ask(version, 0)[0], version).error_code != 0
    pair.check()


def test_damaged_records_are_refused_as_ever() -> None:
    pair = Pair()
    pair.append(batch(10))
    pair.append(batch(10))
    pair.ask(16, 0)
    for world in pair.worlds:
        log = world.services.replicas.partition(TOPIC, 0).log
        segment = log.segments.active
        # As if it had been there at the start.
        log._recent.clear()
        segment.trusted_from = segment.size
        segment.file.pwrite(b"!", segment.size - 2)
    assert only(pair.ask(16, 0)[0], 16).error_code == 0
    assert only(pair.ask(16, 1)[0], 16).error_code == errors.CORRUPT_MESSAGE
    pair.check()


@pytest.mark.parametrize("version", [12, 13])
def test_a_topic_made_anew_is_another(version: int) -> None:
    pair = Pair()
    pair.append(batch(10))
    old = request(pair.worlds[0], version, 0)
    for _ in range(2):
        pair.send(old)
    for world in pair.worlds:
        delete_topic(world)
    unknown = errors.UNKNOWN_TOPIC_OR_PARTITION if version < 13 else errors.UNKNOWN_TOPIC_ID
    assert only(pair.send(old)[0], version).error_code == unknown
    for world in pair.worlds:
        create_topic(world, TOPIC)
    pair.append(batch(500))
    for _ in range(3):
        assert only(pair.send(old)[0], version).error_code == (0 if version < 13 else unknown)
        assert len(only(pair.ask(version, 0)[0], version).records) > 500
    pair.check()


def test_long_client_ids_are_not_remembered() -> None:
    pair = Pair()
    pair.append(batch(10))
    data = request(pair.worlds[0], 16, 0)
    (length,) = struct.unpack_from(">h", data, 12)
    client_id = b"c" * 2000
    longer = data[4:12] + struct.pack(">h", len(client_id)) + client_id + data[14 + length :]
    for _ in range(2):
        (answer,) = pair.send(struct.pack(">i", len(longer)) + longer)
        assert only(answer, 16).error_code == 0
    assert pair.knowing == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated, "_MAX_KEPT", 8)
    pair = Pair()
    pair.append(batch(10))
    for number in range(50):
        pair.ask(16, 0, max_bytes=1000 + number)
        pair.ask(16, 0, max_bytes=1000 + number)
        assert 1 <= pair.knowing <= 8
    pair.check()


def test_principals_are_kept_apart() -> None:
    world = WireWorld()
    append(world, batch(10))
    data = request(world, 16, 0)
    connections = []
    for name in ("User:one", "User:two"):
        connection = world.connect()
        connection.facts.principal = name
        connections.append(connection)
    for _ in range(2):
        for connection in connections:
            (answer,) = ask(world, connection, data)
            assert only(answer, 16).error_code == 0
    assert knowing(world) == 2


def test_answers_leave_in_order_among_produces() -> None:
    pair = Pair()
    pair.append(batch(10))
    for world, connection in zip(pair.worlds, pair.connections, strict=True):
        ask(world, connection, request(world, 16, 0))
        ask(world, connection, produce_request(world, 9, batch(10), acks=1))
    ahead = b""
    for number in range(0, 12, 3):
        ahead += produce_request(pair.worlds[0], 9, batch(10 + number), acks=1, correlation_id=number)
        ahead += request(pair.worlds[0], 16, number // 3, correlation_id=number + 1)
        ahead += request(pair.worlds[0], 16, number // 3 + 1, correlation_id=number + 2)
    answers = pair.send(ahead)
    assert [struct.unpack_from(">i", answer)[0] for answer in answers] == list(range(12))
    # And behind one that waits.
    waiting = request(pair.worlds[0], 16, 6, correlation_id=1) + request(
        pair.worlds[0], 16, 0, correlation_id=2
    )
    for world, connection in zip(pair.worlds, pair.connections, strict=True):
        world.send(connection, waiting)
        assert connection.is_waiting
        assert connection.paused
    pair.append(batch(3))
    for connection in pair.connections:
        connection.resume()
    one, other = map(drain, pair.connections)
    assert one == other
    assert [struct.unpack_from(">i", answer)[0] for answer in one] == [1, 2]
    pair.check()


def test_regions_are_no_output_bytes() -> None:
    pair = Pair()
    pair.append(batch(100_000))
    for _ in range(2):
        sizes = []
        for world, connection in zip(pair.worlds, pair.connections, strict=True):
            world.send(connection, request(world, 16, 0))
            sizes.append((connection.output_bytes, list(map(len, connection.output))))
            drain(connection)
        assert sizes[0] == sizes[1]
        assert sizes[0][0] < 200


class Story:
    """Fetches of all kinds while the log goes on."""

    def __init__(self, seed: int) -> None:
        self.numbers = random.Random(seed)
        self.version = self.numbers.choice(VERSIONS)
        self.pair = Pair()
        self.sequence = 0
        self.is_open = False

    def go_on(self) -> None:
        """Something happens to the log."""
        numbers, worlds = self.numbers, self.pair.worlds
        chance = numbers.random()
        log = worlds[0].services.replicas.partition(TOPIC, 0).log
        if chance < 0.1:
            for world in worlds:
                append_in_transaction(world, self.sequence)
            self.sequence += 1
            self.is_open = True
        elif chance < 0.3 and self.is_open:
            commit = numbers.random() < 0.5
            for world in worlds:
                end_transaction(world, commit=commit)
            self.is_open = False
        elif chance < 0.35:
            for world in worlds:
                world.services.replicas.partition(TOPIC, 0).log.roll(world.clock.now_ms)
        elif chance < 0.38:
            before = numbers.randint(log.log_start_offset, log.high_watermark)
            for world in worlds:
                replicas = world.services.replicas
                replicas.delete_records(replicas.partition(TOPIC, 0), before, world.clock.now_ms)
        else:
            self.pair.append(batch(*[numbers.randrange(3000)] * numbers.randint(1, 3)))

    def ask(self) -> None:
        numbers = self.numbers
        log = self.pair.worlds[0].services.replicas.partition(TOPIC, 0).log
        fields: dict[str, Any] = {
            "isolation_level": numbers.randint(0, 1),
            "partition_max_bytes": numbers.choice([100, 4_000, 100_000]),
            "min_bytes": numbers.choice([0, 1, 1, 1, 5_000]),
        }
        offset = numbers.randint(max(0, log.log_start_offset - 1), log.log_end_offset + 1)
        data = bytearray(request(self.pair.worlds[0], self.version, offset, **fields))
        if numbers.random() < 0.1:
            # Anything but the frame's size.
            at = numbers.randrange(4, len(data))
            data[at] = numbers.choice([0, 1, 0x7F, 0x80, 0xFF, data[at] ^ 1])
        if numbers.random() < 0.5:
            self.pair.send(bytes(data))
        else:
            self.wait(bytes(data))

    def wait(self, data: bytes) -> None:
        """Ask, and see after each thing that happens whether there is an answer now."""
        pair = self.pair
        pair.reconnect()
        for world, connection in zip(pair.worlds, pair.connections, strict=True):
            world.send(connection, data)
        for _ in range(self.numbers.randint(1, 4)):
            pair.answers()
            self.go_on()
        for world in pair.worlds:
            world.pass_time(1_000)
        pair.answers()


@pytest.mark.parametrize("seed", range(25))
def test_any_fetch_gets_the_same_answer(seed: int) -> None:
    story = Story(seed)
    for _ in range(60):
        story.go_on()
        for _ in range(3):
            story.ask()
    assert story.pair.knowing > 3
    story.pair.check()
