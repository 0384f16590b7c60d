"""Requests to replay, by the generated codecs, and where in them and in their answers things stand."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from compat.bench.client import frame
from kbroker.protocol.generated.api_versions_request import ApiVersionsRequest
from kbroker.protocol.generated.fetch_request import FetchPartition, FetchRequest, FetchTopic
from kbroker.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from kbroker.protocol.generated.produce_request import PartitionProduceData, ProduceRequest, TopicProduceData
from kbroker.protocol.header import write_response_header
from kbroker.protocol.primitives import Message, Struct
from kbroker.records.batch import HEADER_SIZE, build_batch
from kbroker.records.compression import CODEC_NAMES
from kbroker.records.record import Record

# The newest versions that name topics by their names.
PRODUCE_VERSION: Final = 12
FETCH_VERSION: Final = 12
METADATA_VERSION: Final = 12
API_VERSIONS_VERSION: Final = 3

KIB: Final = 1024
# What surrounds a value in a batch, at most.
_RECORD_OVERHEAD: Final = 10


@dataclass(frozen=True)
class Batch:
    """A record batch as producers send it."""

    data: bytes
    records: int


def small_batch() -> Batch:
    """One record of 100 bytes."""
    return _batch(1, 100, "none")


def batch(size: int, codec: str = "none") -> Batch:
    """As many records of 1 KiB as `size` bytes hold before they are compressed."""
    return _batch((size - HEADER_SIZE) // (KIB + _RECORD_OVERHEAD), KIB, codec)


def _batch(records: int, value_bytes: int, codec: str) -> Batch:
    numbers = random.Random(1)
    # What is to be compressed is compressible, by two to four.
    value = _orders if codec != "none" else random.Random.randbytes
    made = [Record(number, 0, None, value(numbers, value_bytes)) for number in range(records)]
    now_ms = int(time.time() * 1000)
    return Batch(bytes(build_batch(made, base_timestamp=now_ms, attributes=CODEC_NAMES[codec])), records)


def _orders(numbers: random.Random, size: int) -> bytes:
    text = b""
    while len(text) < size:
        text += b'{"customer": %d, "cents": %d, "state": "paid"},' % (
            numbers.randrange(1_000_000),
            numbers.randrange(10_000),
        )
    return text[:size]


def produce(topic: str, partition: int, sent: Batch, acks: int) -> bytes:
    """Produce of one batch."""
    data = [PartitionProduceData(partition, memoryview(sent.data))]
    return frame(
        ProduceRequest(None, acks, 30_000, [TopicProduceData(name=topic, partition_data=data)]),
        PRODUCE_VERSION,
    )


def fetch(topic: str, partition: int, offset: int, max_bytes: int, max_wait_ms: int = 500) -> bytes:
    """Fetch of `max_bytes` from one partition, without a session."""
    return frame(_fetch(topic, partition, offset, max_bytes, max_wait_ms), FETCH_VERSION)


def fetch_offset_at(topic: str) -> int:
    """Where the offset stands in `fetch`."""
    request = _fetch(topic, 0, 0, 1, 500)
    return place(lambda: frame(request, FETCH_VERSION), request.topics[0].partitions[0], "fetch_offset", 8)


def _fetch(topic: str, partition: int, offset: int, max_bytes: int, max_wait_ms: int) -> FetchRequest:
    wanted = FetchPartition(partition, fetch_offset=offset, partition_max_bytes=max_bytes)
    return FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=1,
        max_bytes=50 * KIB * KIB,
        topics=[FetchTopic(topic, partitions=[wanted])],
    )


def api_versions() -> bytes:
    """ApiVersions, with which every connection begins."""
    return frame(ApiVersionsRequest("bench", "1"), API_VERSIONS_VERSION)


def metadata(topic: str) -> bytes:
    """Metadata of one topic."""
    request = MetadataRequest([MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False)
    return frame(request, METADATA_VERSION)


def place(encoded: Callable[[], bytes], owner: Struct, field: str, width: int) -> int:
    """Where a field of a message stands in its bytes: those that change with it."""
    found = []
    for value in (0, int.from_bytes(b"\1" * width)):
        setattr(owner, field, value)
        found.append(encoded())
    changed = [at for at, (one, other) in enumerate(zip(*found, strict=True)) if one != other]
    assert changed == list(range(changed[0], changed[0] + width))
    return changed[0]


def answer_bytes(answer: Message, version: int) -> bytes:
    """An answer as it is sent, without its length."""
    parts: list[Any] = []
    write_response_header(parts, answer.API_KEY, version, 0)
    answer.write(parts, version)
    return b"".join(parts)
