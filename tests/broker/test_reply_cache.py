"""Kept answers: the same bytes as fresh ones, until the metadata changes."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from kbroker.broker import reply_cache
from kbroker.broker.connection import Connection
from kbroker.handlers.context import ConnectionFacts
from kbroker.protocol.generated.api_versions_request import ApiVersionsRequest
from kbroker.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from kbroker.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from kbroker.protocol.messages import response_class
from tests.protocol.samples import encode
from tests.wire.world import LISTENER, WireWorld, drain, frame

METADATA, API_VERSIONS, CREATE_TOPICS = 3, 18, 19

ALL_TOPICS = MetadataRequest(topics=None)
HELLO = ApiVersionsRequest(client_software_name="a", client_software_version="1")


def ask(world: WireWorld, connection: Connection, data: bytes) -> bytes:
    world.send(connection, data)
    (answer,) = drain(connection)
    return answer


def metadata(version: int, request: MetadataRequest = ALL_TOPICS, correlation_id: int = 7) -> bytes:
    return frame(METADATA, version, encode(request, version), correlation_id)


def create(world: WireWorld, name: str) -> None:
    topics = [CreatableTopic(name, num_partitions=1, replication_factor=1)]
    body = encode(CreateTopicsRequest(topics=topics, timeout_ms=1000), 5)
    ask(world, world.connect(), frame(CREATE_TOPICS, 5, body))


def topics_of(answer: bytes, version: int) -> list[str | None]:
    response: Any = response_class(METADATA).read(memoryview(answer), 4 + (version >= 9), version)[0]
    return [topic.name for topic in response.topics]


@pytest.mark.parametrize("version", range(1, 14))
def test_a_kept_answer_is_the_same_under_the_new_correlation_id(version: int) -> None:
    world = WireWorld()
    first = ask(world, world.connect(), metadata(version, correlation_id=1))
    again = ask(world, world.connect(), metadata(version, correlation_id=0x01020304))
    assert struct.unpack_from(">i", again) == (0x01020304,)
    assert again[4:] == first[4:]
    # By name they are found as well.
    named = MetadataRequest(topics=[MetadataRequestTopic(name="t")])
    one, two = (ask(world, world.connect(), metadata(version, named)) for _ in range(2))
    assert one == two


def test_every_kept_answer_is_counted_and_makes_the_connection_trusted() -> None:
    world = WireWorld()
    data = frame(API_VERSIONS, 3, encode(HELLO, 3))
    answers = {ask(world, world.connect(), data) for _ in range(3)}
    assert len(answers) == 1
    assert world.network.routes[API_VERSIONS].requests == 3
    connection = world.connect()
    ask(world, connection, data)
    world.send(connection, struct.pack(">i", 10 << 20))
    assert connection.close_reason is None


def test_new_metadata_is_seen_at_once() -> None:
    world = WireWorld()
    before = ask(world, world.connect(), metadata(9))
    assert "new" not in topics_of(before, 9)
    create(world, "new")
    after = ask(world, world.connect(), metadata(9))
    assert "new" in topics_of(after, 9)


def test_answers_are_kept_apart_by_what_they_follow_from() -> None:
    world = WireWorld()

    def at(local: tuple[str, int], listener: str = LISTENER) -> bytes:
        facts = ConnectionFacts(listener, local, ("127.0.0.1", 50_000), None)
        return ask(world, Connection(facts, world.services, world.network), metadata(9))

    one = at(("127.0.0.1", 9092))
    assert at(("127.0.0.1", 9092)) == one
    assert at(("10.0.0.1", 9092)) != one
    assert b"10.0.0.1" in at(("10.0.0.1", 9092))


def test_a_topic_that_must_be_created_first_is_created_each_time() -> None:
    world = WireWorld(settings={"auto.create.topics.enable": "true"})
    request = MetadataRequest(topics=[MetadataRequestTopic(name="wanted")], allow_auto_topic_creation=True)
    for _ in range(2):
        answer = ask(world, world.connect(), metadata(9, request))
        assert topics_of(answer, 9) == ["wanted"]
    assert "wanted" in world.services.metadata.image.topics


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply_cache, "_MAX_BYTES", 20_000)
    world = WireWorld()
    for number in range(500):
        request = MetadataRequest(topics=[MetadataRequestTopic(name=f"no-{number}")])
        ask(world, world.connect(), metadata(9, request))
        assert world.network.replies._bytes <= 20_000
    # Too long to be worth it.
    names = [MetadataRequestTopic(name=f"a-rather-long-name-{number}") for number in range(200)]
    kept = len(world.network.replies._answers)
    ask(world, world.connect(), metadata(9, MetadataRequest(topics=names)))
    assert len(world.network.replies._answers) == kept
