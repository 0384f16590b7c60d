"""What takes bytes from strangers or from disk, each as a function of bytes.

A target returns, whatever it is given; anything it raises is a defect.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kbroker.config import properties
from kbroker.config.key import ConfigError
from kbroker.coordinator.records import decode as decode_coordinator_record
from kbroker.handlers.table import SUPPORTED
from kbroker.metadata.delta import CorruptMetadata
from kbroker.metadata.records import decode_record
from kbroker.metadata.replay import Replay
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.header import read_request_header
from kbroker.protocol.messages import request_class
from kbroker.protocol.primitives import DecodeError, UnsupportedVersion
from kbroker.records.batch import HEADER_SIZE, batch_crc_ok, iterate_batches
from kbroker.records.compression import compress, decompress
from kbroker.records.crc import crc32c
from kbroker.records.record import walk_outlines, walk_records
from kbroker.records.validation import ValidationRules, validate_produced
from tests.fakes.world import make_environment
from tests.log.support import LOG_PATH, NOW_MS, append, batch_of, new_log, read_all, reopen
from tests.protocol.samples import encode, messages, sample
from tests.wire.requests import PAIRS, request_name
from tests.wire.world import WireWorld, drain, frame

_MAX_PLAIN_BYTES = 1 << 20
_SEGMENT = f"{LOG_PATH}/{0:020}.log"


class Target(NamedTuple):
    """A function of any bytes, and whole inputs to begin with."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]


# --- requests -------------------------------------------------------------------------------------


def request_decode(data: bytes) -> None:
    """A frame's header and body; what is read can be written, and read again."""
    try:
        api_key, version, _, _, position = read_request_header(memoryview(data))
        supported = SUPPORTED.get(api_key)
        if supported is None or not supported[1] <= version <= supported[2]:
            return
        read = request_class(api_key).read
        request, _ = read(memoryview(data), position, version)
    except DecodeError:
        return
    again = encode(request, version)
    assert encode(read(memoryview(again), 0, version)[0], version) == again


def requests() -> Iterator[bytes]:
    for api_key, version in PAIRS:
        body = encode(sample(request_name(api_key), version, "small", version), version)
        yield frame(api_key, version, body)[4:]


_worlds: list[WireWorld] = []


def whole_broker(data: bytes) -> None:
    """A client's whole stream through a broker: no defect, and every answer whole."""
    # What clients create stays; a new broker now and then keeps a finding small.
    if not _worlds or len(_worlds[0].services.metadata.image.topics) > 50:
        _worlds[:] = [WireWorld()]
    (world,) = _worlds
    connection = world.connect()
    world.send(connection, data)
    assert not world.defects, world.defects
    drain(connection)
    connection.abandon()


def streams() -> Iterator[bytes]:
    rng = random.Random(5)
    whole = [struct.pack(">i", len(data)) + data for data in requests()]
    yield from whole
    for _ in range(50):
        yield b"".join(rng.sample(whole, 3))


# --- records --------------------------------------------------------------------------------------

_RULES = [
    ValidationRules(),
    ValidationRules(compacted=True, max_decompressed_bytes=_MAX_PLAIN_BYTES),
    ValidationRules(timestamp_before_max_ms=1000, max_decompressed_bytes=_MAX_PLAIN_BYTES),
    ValidationRules(compression_type=2, log_append_time=True, max_decompressed_bytes=_MAX_PLAIN_BYTES),
]


def record_batch(data: bytes) -> None:
    """The first byte chooses the topic's rules; the CRC is set right, so that more than it is looked at."""
    if len(data) < HEADER_SIZE + 1:
        return
    batch = bytearray(data[1:])
    struct.pack_into(">I", batch, 17, crc32c(batch[21:]))
    view = memoryview(batch)
    try:
        accepted, header = validate_produced(view, _RULES[data[0] % len(_RULES)], NOW_MS, 13)
    except KafkaError:
        return
    assert batch_crc_ok(accepted)
    assert header.record_count > 0
    try:
        plain = decompress(header.compression, accepted[HEADER_SIZE:], _MAX_PLAIN_BYTES)
        found = [record.offset_delta for record in walk_records(plain, header.record_count)]
        assert len(found) == len(list(walk_outlines(plain, header.record_count)))
    except KafkaError:
        return


def batches() -> Iterator[bytes]:
    for codec in range(5):
        for rules in range(len(_RULES)):
            plain = bytes(batch_of([b"one", b"two" * 30], key=b"k", timestamp=NOW_MS))
            packed = bytearray(plain[:HEADER_SIZE] + compress(codec, plain[HEADER_SIZE:]))
            struct.pack_into(">i", packed, 8, len(packed) - 12)
            packed[22] = codec
            yield bytes([rules]) + bytes(packed)


def decompressors(data: bytes) -> None:
    """The first byte chooses the codec; never more than was asked for."""
    if not data:
        return
    try:
        plain = decompress(data[0] % 5, memoryview(data)[1:], _MAX_PLAIN_BYTES)
    except KafkaError:
        return
    assert len(plain) <= _MAX_PLAIN_BYTES


def compressed() -> Iterator[bytes]:
    for codec in range(5):
        for plain in (b"", b"a", b"some text " * 100, bytes(100_000)):
            yield bytes([codec]) + compress(codec, plain)


# --- what stands on disk --------------------------------------------------------------------------


def metadata_records(data: bytes) -> None:
    """Records, each behind its length in one byte, replayed onto an empty image."""
    replay = Replay()
    decoded = []
    while data:
        value, data = data[1 : 1 + data[0]], data[1 + data[0] :]
        try:
            decoded.append(decode_record(value).message)
        except (DecodeError, UnsupportedVersion):
            continue
    for offset, message in enumerate(decoded):
        try:
            replay.load([message], offset, 1)
        except CorruptMetadata:
            return
    replay.publish()


def _in_a_row(values: list[bytes]) -> bytes:
    return b"".join(bytes([len(value)]) + value for value in values if len(value) < 256)


def metadata_seeds() -> Iterator[bytes]:
    rows = []
    for name, message in messages().items():
        if message.kind == "metadata":
            for version in message.versions:
                body = encode(sample(name, version, "small"), version)
                assert message.api_key is not None
                rows.append(bytes([1, message.api_key, version]) + body)
    yield from (_in_a_row([row]) for row in rows)
    yield _in_a_row(rows)


def coordinator_records(data: bytes) -> None:
    """The first byte says how long the key is."""
    if data:
        key, value = data[1 : 1 + data[0]], data[1 + data[0] :]
        decode_coordinator_record(key, value)
        decode_coordinator_record(key, None)


def coordinator_seeds() -> Iterator[bytes]:
    for key_name, value_name, record_type in (
        ("OffsetCommitKey", "OffsetCommitValue", 1),
        ("GroupMetadataKey", "GroupMetadataValue", 2),
    ):
        key = struct.pack(">h", record_type) + encode(sample(key_name, 0, "small"), 0)
        for version in messages()[value_name].versions:
            value = struct.pack(">h", version) + encode(sample(value_name, version, "small"), version)
            yield bytes([len(key)]) + key + value


def segment_recovery(data: bytes) -> None:
    """A segment of any bytes after a crash: the log opens, serves what is whole, and takes more."""
    log, _, disk = new_log()
    append(log, b"x")
    disk.kill()
    segment = disk.open(_SEGMENT)
    segment.truncate(0)
    segment.append(data)
    log, _ = reopen(make_environment(disk))
    for batch in read_all(log):
        assert batch_crc_ok(batch)
    end = log.log_end_offset
    info = append(log, b"more", epoch=max(log.latest_epoch or 0, 1))
    assert info.first_offset == end


def segments() -> Iterator[bytes]:
    log, _, disk = new_log()
    for number in range(6):
        append(
            log,
            b"value %d" % number,
            epoch=number // 2,
            producer_id=5,
            producer_epoch=0,
            base_sequence=number,
        )
    whole = disk.read_bytes(_SEGMENT)
    yield whole
    yield whole[:-7]
    yield b"".join(bytes(batch) for batch in list(iterate_batches(memoryview(whole)))[::-1])


def properties_file(data: bytes) -> None:
    """Text of a server.properties."""
    try:
        parsed = properties.parse(data.decode("latin-1"))
    except ConfigError:
        return
    assert all(isinstance(name, str) for name in parsed)


def property_files() -> Iterator[bytes]:
    yield b"# comment\nnode.id=1\nlisteners = PLAINTEXT://:9092\n! other\n"
    yield b"a\\ b : c\\u0041\\\n   continued\nempty\n\\=x=\\t\\n"


TARGETS = {
    "request decode": Target(request_decode, requests),
    "whole broker": Target(whole_broker, streams),
    "record batch": Target(record_batch, batches),
    "decompressors": Target(decompressors, compressed),
    "metadata records": Target(metadata_records, metadata_seeds),
    "coordinator records": Target(coordinator_records, coordinator_seeds),
    "segment recovery": Target(segment_recovery, segments),
    "properties file": Target(properties_file, property_files),
}
