"""Crafted and damaged messages: refused, quickly, in little memory.

For every message and version: each length, count, number of tagged fields and
tagged size set to extreme values; random edits and cuts; as many empty
elements as fit into a frame.
"""

import contextlib
import random
import struct
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from codegen import model
from codegen.cost import LIST_BYTES, element_cost
from codegen.model import FIXED, Field
from kbroker.protocol.generated.fetch_request import FetchPartition, FetchRequest, FetchTopic
from kbroker.protocol.generated.fetch_response import FetchableTopicResponse, FetchResponse, PartitionData
from kbroker.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from kbroker.protocol.generated.produce_request import PartitionProduceData, ProduceRequest, TopicProduceData
from kbroker.protocol.messages import message_class
from kbroker.protocol.primitives import BUDGET_BASE, BUDGET_FACTOR, DecodeError, Message, Struct, uvarint
from tests.protocol.reference import Kind, join, pieces
from tests.protocol.samples import encode, messages, sample

MUTATIONS = 300
FRAME_BYTES = 32 * 1024


def crafted(kind: Kind, remaining: int) -> list[bytes]:
    """What stands in the place of a length when `remaining` bytes follow."""
    if kind == "short":
        return [struct.pack(">h", value) for value in (-1, -2, 0, 2**15 - 1, min(remaining + 1, 2**15 - 1))]
    if kind == "int":
        return [struct.pack(">i", value) for value in (-1, -2, 0, 2**31 - 1, remaining + 1)]
    numbers = (0, 1, remaining + 1, remaining + 2, 129, 2**31 - 1, 2**32 - 1)
    too_long = (b"\xff" * 5 + b"\x01", b"\x80" * 12, b"\x80" * 4 + b"\x10")
    return [*(uvarint(number) for number in numbers), *too_long]


def refuses_or_reads(name: str, version: int, data: bytes) -> None:
    """No exception but DecodeError; what was read can be sent, and read again."""
    try:
        decoded, position = message_class(name).read(memoryview(data), 0, version)
    except DecodeError:
        return
    assert position <= len(data)
    again = encode(decoded, version)
    once_more, _ = message_class(name).read(memoryview(again), 0, version)
    assert encode(once_more, version) == again


@pytest.mark.parametrize("name", messages())
def test_crafted_lengths(name: str) -> None:
    message = messages()[name]
    for version in message.versions:
        parts = pieces(message, version, sample(name, version, "rich"), unknown_tag=b"unknown")
        for index, part in enumerate(parts):
            if part.kind == "value":
                continue
            before, behind = join(parts[:index]), join(parts[index + 1 :])
            for data in crafted(part.kind, len(behind)):
                refuses_or_reads(name, version, before + data + behind)


@pytest.mark.parametrize("name", messages())
def test_lengths_beyond_the_end_are_refused(name: str) -> None:
    message = messages()[name]
    for version in message.versions:
        parts = pieces(message, version, sample(name, version, "rich"))
        for index, part in enumerate(parts):
            if part.kind == "value":
                continue
            before, behind = join(parts[:index]), join(parts[index + 1 :])
            for data in crafted(part.kind, len(behind))[3:]:
                with pytest.raises(DecodeError):
                    message_class(name).read(memoryview(before + data + behind), 0, version)


@pytest.mark.parametrize("name", messages())
def test_random_damage(name: str) -> None:
    for version in messages()[name].versions:
        rng = random.Random(f"{name} {version}")
        originals = [encode(sample(name, version, "small", seed), version) for seed in range(3)]
        for number in range(MUTATIONS):
            data = bytearray(originals[number % 3])
            for _ in range(rng.randrange(1, 6)):
                if data:
                    data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            if number % 4 == 0:
                del data[rng.randrange(len(data) + 1) :]
            refuses_or_reads(name, version, bytes(data))


# --- memory -------------------------------------------------------------------------------------


def arrays(shape: model.Struct, version: int, path: tuple[Field, ...] = ()) -> Iterator[tuple[Field, ...]]:
    """The ways to all arrays of a version: the fields to go through."""
    for field in shape.fields:
        if version not in field.versions:
            continue
        if field.type == "array":
            yield (*path, field)
        if field.struct is not None:
            yield from arrays(field.struct, version, (*path, field))


def filled(name: str, version: int, path: tuple[Field, ...], count: int) -> bytes:
    """A message with `count` of the smallest elements in the array at the end of `path`."""
    module = vars(__import__(message_class(name).__module__, fromlist=["*"]))

    def value(field: Field, rest: tuple[Field, ...]) -> Any:
        if field.struct is None:
            element: Any = {"string": "", "uuid": bytes(16)}.get(field.element, -100)
        else:
            shape = module[field.struct.name]
            element = shape(**{rest[0].name: value(rest[0], rest[1:])}) if rest else shape()
        if field.type != "array":
            return element
        return [element] * (1 if rest else count)

    given = message_class(name)(**{path[0].name: value(path[0], path[1:])})
    return encode(given, version)


def deep_size(value: object, seen: set[int]) -> int:
    """The memory of a decoded message, shared objects once."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    size = sys.getsizeof(value)
    if isinstance(value, Struct):
        return size + sum(deep_size(getattr(value, field), seen) for field in value.FIELDS)
    if isinstance(value, list):
        return size + sum(deep_size(item, seen) for item in value)
    return size


def most_that_is_read(name: str, version: int, path: tuple[Field, ...]) -> tuple[int, Struct]:
    """A message with as many empty elements as the reader takes in about FRAME_BYTES: (bytes, message)."""
    one, two = (len(filled(name, version, path, count)) for count in (1, 2))
    count = FRAME_BYTES // (two - one)
    while True:
        data = filled(name, version, path, count)
        try:
            return len(data), message_class(name).read(memoryview(data), 0, version)[0]
        except DecodeError:
            count = count * 3 // 4


@pytest.mark.parametrize("name", messages())
def test_an_element_costs_no_more_than_is_charged(name: str) -> None:
    message = messages()[name]
    for version in message.versions:
        # A common struct's arrays are the same on every way to them.
        for path in {path[-1]: path for path in arrays(message.struct, version)}.values():
            few, many = (decoded_size(name, version, path, count) for count in (8, 72))
            charged = element_cost(message, path[-1], version)
            charged += charged_inside(path[-1].struct, version)
            assert many - few <= 64 * charged, path[-1].name


def charged_inside(shape: model.Struct | None, version: int) -> int:
    """What an element is charged while it is read, or pays for with bytes of its own."""
    charged = 0
    for field in shape.positional(version) if shape else []:
        if field.type == "array":
            charged += LIST_BYTES
        elif field.type == "struct":
            charged += charged_inside(field.struct, version)
        elif isinstance(field.default, float | int) and (field.type == "float64" or field.default < -5):
            charged += sys.getsizeof(field.default)
    return charged


def decoded_size(name: str, version: int, path: tuple[Field, ...], count: int) -> int:
    data = memoryview(filled(name, version, path, count))
    return deep_size(message_class(name).read(data, 0, version)[0], set())


@pytest.mark.parametrize("name", [name for name, message in messages().items() if message.kind == "request"])
def test_empty_elements_can_not_inflate_memory(name: str) -> None:
    message = messages()[name]
    version = message.versions.high
    for path in {path[-1]: path for path in arrays(message.struct, version)}.values():
        size, decoded = most_that_is_read(name, version, path)
        assert deep_size(decoded, set()) <= BUDGET_FACTOR * size + BUDGET_BASE, path[-1].name


@pytest.mark.parametrize("name", ["MetadataRequest", "FetchRequest", "ProduceRequest", "JoinGroupRequest"])
def test_refused_messages_take_little_memory_on_the_way(name: str) -> None:
    message = messages()[name]
    for path in arrays(message.struct, message.versions.high):
        data = filled(name, message.versions.high, path, 20_000)
        tracemalloc.start()
        with contextlib.suppress(DecodeError):
            message_class(name).read(memoryview(data), 0, message.versions.high)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= BUDGET_FACTOR * len(data) + BUDGET_BASE


# --- large, but honest --------------------------------------------------------------------------


def assert_reads(message: Message, version: int) -> None:
    data = encode(message, version)
    decoded, position = type(message).read(memoryview(data), 0, version)
    assert position == len(data)
    assert encode(decoded, version) == data


@pytest.mark.parametrize("version", [4, 11, 12, 13, 18])
def test_a_fetch_of_ten_thousand_partitions_is_read(version: int) -> None:
    partitions = [FetchPartition(partition=i, fetch_offset=10**9 + i) for i in range(10_000)]
    assert_reads(FetchRequest(topics=[FetchTopic(partitions=partitions)]), version)
    topics = [FetchTopic(f"topic-{i:06}", partitions=[p]) for i, p in enumerate(partitions)]
    assert_reads(FetchRequest(topics=topics), version)


@pytest.mark.parametrize("version", [4, 12, 18])
def test_an_empty_answer_for_ten_thousand_partitions_is_read(version: int) -> None:
    partitions = [PartitionData(partition_index=i, high_watermark=10**9, records=b"") for i in range(10_000)]
    assert_reads(FetchResponse(responses=[FetchableTopicResponse(partitions=partitions)]), version)
    topics = [FetchableTopicResponse(f"topic-{i:06}", partitions=[p]) for i, p in enumerate(partitions)]
    assert_reads(FetchResponse(responses=topics), version)


@pytest.mark.parametrize("version", [8, 9, 13])
def test_metadata_of_a_hundred_thousand_topics_is_read(version: int) -> None:
    topics = [MetadataRequestTopic(name=f"topic-{i:06}") for i in range(100_000)]
    assert_reads(MetadataRequest(topics=topics), version)


@pytest.mark.parametrize("version", [3, 9, 13])
def test_a_produce_to_ten_thousand_partitions_is_read(version: int) -> None:
    data = [PartitionProduceData(index=i, records=memoryview(bytes(70))) for i in range(10_000)]
    assert_reads(ProduceRequest(topic_data=[TopicProduceData(partition_data=data)]), version)


@pytest.mark.parametrize("tag_count", [127, 128, 1000])
def test_many_unknown_tags(tag_count: int) -> None:
    tags = uvarint(tag_count) + b"\x7f\x00" * tag_count
    read = message_class("ApiVersionsRequest").read
    data = memoryview(b"\x05name\x021" + tags)
    if tag_count <= 127:
        assert read(data, 0, 3)[1] == len(data)
    else:
        with pytest.raises(DecodeError):
            read(data, 0, 3)


def test_fixed_types_are_all_known() -> None:
    """A new wire type needs a sample, a size and a cost."""
    kinds = {f.type for m in messages().values() for s in m.structs for f in s.fields}
    assert kinds <= FIXED.keys() | {"string", "bytes", "records", "array", "struct"}
