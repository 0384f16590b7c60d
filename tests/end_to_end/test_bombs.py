"""X3: batches that hold far more than they weigh, sent to a real broker.

To topics whose records are opened: compacted ones, and those that look at
timestamps. Refused, quickly, and the broker grows by little.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cramjam
import pytest

from kbroker.protocol.errors import CORRUPT_MESSAGE, INVALID_RECORD, NONE
from kbroker.protocol.generated.create_topics_request import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from kbroker.protocol.generated.produce_request import PartitionProduceData, ProduceRequest, TopicProduceData
from kbroker.records.batch import HEADER_SIZE
from kbroker.records.compression import GZIP, LZ4, SNAPPY, ZSTD, compress
from kbroker.records.crc import crc32c
from tests.end_to_end.attacks import memory_bytes
from tests.end_to_end.conftest import StartBroker
from tests.end_to_end.plain_client import PlainClient
from tests.log.support import batch_of

PRODUCE, CREATE_TOPICS = 0, 19
MAX_GROWTH_BYTES = 64 << 20
MEBIBYTE = 1 << 20
CODECS = {"gzip": GZIP, "snappy": SNAPPY, "lz4": LZ4, "zstd": ZSTD}
TOPICS = {
    "compacted": {"cleanup.policy": "compact"},
    "timestamps": {"message.timestamp.before.max.ms": "9000000000000"},
    "recompressed": {"compression.type": "lz4"},
}


def gzip_bomb(size: int) -> bytes:
    """`size` bytes of zeros: one deflate block of a mebibyte, over and over."""
    stream = zlib.compressobj(9, wbits=31)
    head = stream.compress(bytes(MEBIBYTE)) + stream.flush(zlib.Z_FULL_FLUSH)
    block = stream.compress(bytes(MEBIBYTE)) + stream.flush(zlib.Z_FULL_FLUSH)
    return head + block * (size // MEBIBYTE - 1) + stream.flush()


def lz4_bomb(size: int) -> bytes:
    return bytes(cramjam.lz4.compress(bytes(size)))


def zstd_bomb(size: int) -> bytes:
    """Frames one behind the other: a reader takes them for one stream."""
    return bytes(cramjam.zstd.compress(bytes(16 * MEBIBYTE))) * (size // (16 * MEBIBYTE))


def snappy_bomb(size: int) -> bytes:
    return bytes(cramjam.snappy.compress_raw(bytes(size)))


def snappy_claim(size: int) -> bytes:
    """A block that only claims its size."""
    number = size
    claim = bytearray()
    while number >= 0x80:
        claim.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(claim) + bytes([number, 0, 0])


# As much as fits into a message of a mebibyte, up to a gibibyte.
BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzip_bomb(1000 * MEBIBYTE),
    "snappy": lambda: snappy_bomb(20 * MEBIBYTE),
    "lz4": lambda: lz4_bomb(230 * MEBIBYTE),
    "zstd": lambda: zstd_bomb(1024 * MEBIBYTE),
}


def damaged(codec: int) -> dict[str, bytes]:
    """Honest records, dishonestly packed; each must be refused as corrupt."""
    plain = bytes(batch_of([b"value %d" % n for n in range(50)], key=b"k"))[HEADER_SIZE:]
    packed = compress(codec, plain)
    return {
        "truncated": packed[: len(packed) // 2],
        "empty": b"",
        "nested": compress(codec, packed),
        "another codec": compress(ZSTD if codec != ZSTD else GZIP, plain),
        "short of records": compress(codec, plain[: len(plain) // 2]),
        "a record too long": compress(codec, b"\xfe\xff\xff\xff\x0f" + plain),
    }


def batch(codec: int, payload: bytes, count: int = 50) -> memoryview:
    """A batch with a right CRC around any payload."""
    data = bytearray(bytes(batch_of([b""]))[:HEADER_SIZE] + payload)
    struct.pack_into(">i", data, 8, len(data) - 12)
    struct.pack_into(">h", data, 21, codec)
    struct.pack_into(">i", data, 23, count - 1)
    struct.pack_into(">i", data, 57, count)
    struct.pack_into(">I", data, 17, crc32c(data[21:]))
    return memoryview(bytes(data))


def create(client: PlainClient) -> None:
    topics = [
        CreatableTopic(name, 1, 1, configs=[CreatableTopicConfig(*item) for item in configs.items()])
        for name, configs in TOPICS.items()
    ]
    answer = client.ask(CREATE_TOPICS, 5, CreateTopicsRequest(topics=topics, timeout_ms=30_000))
    assert {topic.error_code for topic in answer.topics} == {NONE}


def produce(client: PlainClient, topic: str, records: memoryview) -> int:
    data = [TopicProduceData(name=topic, partition_data=[PartitionProduceData(index=0, records=records)])]
    answer = client.ask(PRODUCE, 9, ProduceRequest(acks=1, timeout_ms=10_000, topic_data=data))
    code: int = answer.responses[0].partition_responses[0].error_code
    return code


@pytest.mark.parametrize("name", CODECS)
def test_bombs_and_damage(start_broker: StartBroker, name: str) -> None:
    codec = CODECS[name]
    broker = start_broker()
    with PlainClient(broker.port, timeout_s=60) as client:
        create(client)
        good = bytes(batch_of([b"good"], key=b"k"))
        for topic in TOPICS:
            assert produce(client, topic, memoryview(good)) == NONE
        before = memory_bytes(broker.pid)
        bomb = BOMBS[name]()
        assert len(bomb) < MEBIBYTE
        payloads = {"bomb": bomb, "half a bomb": bomb[: len(bomb) // 2], **damaged(codec)}
        if codec == SNAPPY:
            payloads["a claim"] = snappy_claim((1 << 32) - 1)
        for topic in TOPICS:
            for what, payload in payloads.items():
                if topic == "recompressed" and codec == LZ4:
                    continue  # already as the topic wants it, so it is not opened
                code = produce(client, topic, batch(codec, payload))
                assert code in (CORRUPT_MESSAGE, INVALID_RECORD), (topic, what, code)
        assert memory_bytes(broker.pid) - before <= MAX_GROWTH_BYTES
        for topic in TOPICS:
            assert produce(client, topic, memoryview(good)) == NONE
    assert broker.stop() == 0
    assert "Internal error" not in broker.output
