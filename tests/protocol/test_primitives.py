"""Varints, ids, the base classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.protocol import primitives
from kbroker.protocol.generated.consumer_group_describe_response import Member
from kbroker.protocol.generated.fetch_response import LeaderIdAndEpoch, PartitionData
from kbroker.protocol.generated.list_groups_request import ListGroupsRequest
from kbroker.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from kbroker.protocol.generated.produce_request import PartitionProduceData, ProduceRequest, TopicProduceData
from kbroker.protocol.generated.produce_response import ProduceResponse
from kbroker.protocol.primitives import (
    DecodeError,
    Part,
    UnsupportedVersion,
    read_uvarint,
    read_varint,
    read_varlong,
    uuid_from_text,
    uuid_to_text,
    write_uvarint,
    write_varint,
    write_varlong,
)


@given(st.integers(0, 2**32 - 1), st.binary(max_size=3))
def test_uvarint(value: int, behind: bytes) -> None:
    out = bytearray(b"before")
    write_uvarint(out, value)
    assert bytes(out[6:]) == primitives.uvarint(value)
    assert read_uvarint(memoryview(bytes(out) + behind), 6) == (value, len(out))


@given(st.integers(-(2**31), 2**31 - 1))
def test_varint(value: int) -> None:
    out = bytearray()
    write_varint(out, value)
    assert read_varint(memoryview(bytes(out)), 0) == (value, len(out))


@given(st.integers(-(2**63), 2**63 - 1))
def test_varlong(value: int) -> None:
    out = bytearray()
    write_varlong(out, value)
    assert read_varlong(memoryview(bytes(out)), 0) == (value, len(out))


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "00"), (-1, "01"), (1, "02"), (63, "7e"), (-64, "7f"), (64, "8001"), (-(2**31), "ffffffff0f")],
)
def test_varint_bytes(value: int, data: str) -> None:
    out = bytearray()
    write_varint(out, value)
    assert out.hex() == data


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff\x10", b"\x80\x80\x80\x80\x80\x01", b"\xff" * 100])
def test_a_varint_that_is_too_long(data: bytes) -> None:
    with pytest.raises(DecodeError):
        read_uvarint(memoryview(data), 0)
    with pytest.raises(DecodeError):
        read_varint(memoryview(data), 0)


@pytest.mark.parametrize("data", [b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x01", b"\xff" * 100])
def test_a_varlong_that_is_too_long(data: bytes) -> None:
    with pytest.raises(DecodeError):
        read_varlong(memoryview(data), 0)


@given(st.binary(min_size=16, max_size=16))
def test_uuid_text(uuid: bytes) -> None:
    assert uuid_from_text(uuid_to_text(uuid)) == uuid


def test_known_uuids() -> None:
    assert uuid_to_text(primitives.ZERO_UUID) == "AAAAAAAAAAAAAAAAAAAAAA"
    assert uuid_to_text(primitives.METADATA_TOPIC_ID) == "AAAAAAAAAAAAAAAAAAAAAQ"


@pytest.mark.parametrize("text", ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAA", "ä" * 22, "A" * 24, "!!!!"])
def test_text_that_is_no_uuid(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        uuid_from_text(text)


def test_equality_and_repr() -> None:
    one = PartitionProduceData(3, memoryview(b"abc"))
    assert one == PartitionProduceData(3, memoryview(b"abc"))
    assert one != PartitionProduceData(4, memoryview(b"abc"))
    assert one != LeaderIdAndEpoch()
    assert repr(LeaderIdAndEpoch(1, 2)) == "LeaderIdAndEpoch(leader_id=1, leader_epoch=2)"


def test_fresh_lists() -> None:
    ProduceRequest().topic_data.append(TopicProduceData())
    assert ProduceRequest().topic_data == []


def test_a_shared_default_refuses_assignment() -> None:
    data = PartitionData()
    with pytest.raises(TypeError, match="assign a new one"):
        data.current_leader.leader_id = 3
    assert data.current_leader == LeaderIdAndEpoch()
    assert LeaderIdAndEpoch() == data.current_leader
    data.current_leader = LeaderIdAndEpoch(3, 4)
    data.current_leader.leader_id = 5
    assert PartitionData().current_leader.leader_id == -1


def test_a_default_struct_with_lists_is_fresh() -> None:
    assert Member().assignment is not Member().assignment


def test_a_field_that_the_version_lacks() -> None:
    request = ProduceRequest(topic_data=[TopicProduceData(topic_id=b"x" * 16)])
    request.write([], 13)
    request.write([], 12)  # The id is ignorable: the name stands in for it.
    ListGroupsRequest(states_filter=["Stable"]).write([], 4)
    with pytest.raises(UnsupportedVersion, match="states_filter can't be sent in version 3"):
        ListGroupsRequest(states_filter=["Stable"]).write([], 3)


def test_a_null_that_the_version_lacks() -> None:
    topic = MetadataRequestTopic(name=None)
    MetadataRequest(topics=[topic]).write([], 10)
    with pytest.raises(UnsupportedVersion, match="name can't be null in version 9"):
        MetadataRequest(topics=[topic]).write([], 9)


def test_records_are_neither_copied_nor_joined() -> None:
    records = memoryview(bytearray(100))
    out: list[Part] = []
    ProduceRequest(topic_data=[TopicProduceData(partition_data=[PartitionProduceData(0, records)])]).write(
        out, 9
    )
    assert any(part is records for part in out)
    frame = memoryview(
        bytearray(b"".join(bytes(part) for part in out if not isinstance(part, primitives.FileRegion)))
    )
    decoded, _ = ProduceRequest.read(frame, 0, 9)
    seen = decoded.topic_data[0].partition_data[0].records
    assert seen is not None
    assert seen.obj is frame.obj


def test_a_string_too_long_to_send() -> None:
    with pytest.raises(ValueError, match="too long"):
        ProduceRequest(transactional_id="x" * 32768).write([], 9)
    ProduceRequest(transactional_id="x" * 32767).write([], 9)


def test_numbers_of_the_class() -> None:
    assert (ProduceRequest.API_KEY, ProduceRequest.MIN_VERSION, ProduceRequest.MAX_VERSION) == (0, 3, 13)
    assert ProduceResponse.FLEXIBLE_FROM == 9
