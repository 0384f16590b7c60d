"""Metadata records: types, framing, and the version each is written in.

A record's value is uvarint 1 (frame version), uvarint type, uvarint version,
body; its key is null. Kafka: `MetadataRecordSerde`, `MetadataRecordType`.
"""

from __future__ import annotations

from typing import NamedTuple

from kbroker.protocol.messages import metadata_record_class
from kbroker.protocol.primitives import DecodeError, Message, Part, read_uvarint, write_uvarint

_FRAME_VERSION = 1


class RecordType:
    """Type ids; 6, 13 and 16 were never released."""

    REGISTER_BROKER = 0
    UNREGISTER_BROKER = 1
    TOPIC = 2
    PARTITION = 3
    CONFIG = 4
    PARTITION_CHANGE = 5
    FENCE_BROKER = 7
    UNFENCE_BROKER = 8
    REMOVE_TOPIC = 9
    DELEGATION_TOKEN = 10
    USER_SCRAM_CREDENTIAL = 11
    FEATURE_LEVEL = 12
    CLIENT_QUOTA = 14
    PRODUCER_IDS = 15
    BROKER_REGISTRATION_CHANGE = 17
    ACCESS_CONTROL_ENTRY = 18
    REMOVE_ACCESS_CONTROL_ENTRY = 19
    NO_OP = 20
    ZK_MIGRATION_STATE = 21
    REMOVE_USER_SCRAM_CREDENTIAL = 22
    BEGIN_TRANSACTION = 23
    END_TRANSACTION = 24
    ABORT_TRANSACTION = 25
    REMOVE_DELEGATION_TOKEN = 26
    REGISTER_CONTROLLER = 27
    CLEAR_ELR = 28


class ApiMessageAndVersion(NamedTuple):
    """A metadata record and the version it stands, or shall stand, in the log."""

    message: Message
    version: int = 0


def message_bytes(message: Message, version: int) -> bytes:
    """The bare body of a generated message that holds no records."""
    out: list[Part] = []
    message.write(out, version)
    return b"".join(out)  # type: ignore[arg-type]  # no file regions among them


def encode_record(record: ApiMessageAndVersion) -> bytes:
    message, version = record
    frame = bytearray()
    for number in (_FRAME_VERSION, message.API_KEY, version):
        write_uvarint(frame, number)
    return bytes(frame) + message_bytes(message, version)


def decode_record(value: bytes | memoryview) -> ApiMessageAndVersion:
    """Raises `DecodeError` on anything that isn't exactly one known record."""
    view = memoryview(value)
    try:
        frame_version, position = read_uvarint(view, 0)
        record_type, position = read_uvarint(view, position)
        version, position = read_uvarint(view, position)
    except IndexError:
        raise DecodeError("metadata record cut short in its frame") from None
    if frame_version != _FRAME_VERSION:
        raise DecodeError(f"metadata record with frame version {frame_version}")
    try:
        record_class = metadata_record_class(record_type)
    except KeyError:
        raise DecodeError(f"metadata record of unknown type {record_type}") from None
    message, position = record_class.read(view, position, version)
    if position != len(view):
        raise DecodeError(f"{len(view) - position} bytes of garbage after a record of type {record_type}")
    return ApiMessageAndVersion(message, version)
