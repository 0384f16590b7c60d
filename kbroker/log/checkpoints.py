"""The small text files beside the logs, as bytes in and values out.

    offsets            version 0, count, "topic partition offset" lines
    leader epochs      version 0, count, "epoch start_offset" lines
    partition.metadata "version: 0", "topic_id: <base64url>"
    meta.properties    Java properties: version, cluster.id, node.id, directory.id
    clean shutdown     JSON: version, brokerEpoch

Readers of what can be rebuilt never raise: a file that is torn, foreign or
bit-flipped reads as None, and the caller derives its content from the log.
"""

import json
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from itertools import pairwise

from kbroker.protocol.primitives import uuid_from_text, uuid_to_text

TopicPartition = tuple[str, int]


def _numbered_lines(data: bytes) -> list[list[str]] | None:
    """The fields of each line of a version 0 checkpoint with a true count; None if it is anything else."""
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError:
        return None
    # A file cut at a line's end would otherwise look whole.
    if len(lines) < 3 or lines[0] != "0" or lines[-1] != "" or lines[1] != str(len(lines) - 3):
        return None
    return [line.split(" ") for line in lines[2:-1]]


def _natural(text: str) -> int:
    if not text.isdecimal() or len(text) > 19:
        raise ValueError(text)
    return int(text)


def encode_offsets(offsets: Mapping[TopicPartition, int]) -> bytes:
    lines = [f"{topic} {partition} {offset}\n" for (topic, partition), offset in offsets.items()]
    return f"0\n{len(lines)}\n{''.join(lines)}".encode()


def decode_offsets(data: bytes) -> dict[TopicPartition, int] | None:
    lines = _numbered_lines(data)
    if lines is None:
        return None
    try:
        return {(topic, _natural(partition)): _natural(offset) for topic, partition, offset in lines}
    except ValueError:
        return None


def encode_epochs(entries: Iterable[tuple[int, int]]) -> bytes:
    lines = [f"{epoch} {start_offset}\n" for epoch, start_offset in entries]
    return f"0\n{len(lines)}\n{''.join(lines)}".encode()


def decode_epochs(data: bytes) -> list[tuple[int, int]] | None:
    """(epoch, start offset) entries; both strictly grow, or the file is corrupt."""
    lines = _numbered_lines(data)
    if lines is None:
        return None
    try:
        entries = [(_natural(epoch), _natural(start_offset)) for epoch, start_offset in lines]
    except ValueError:
        return None
    if any(a[0] >= b[0] or a[1] >= b[1] for a, b in pairwise(entries)):
        return None
    return entries


def encode_partition_metadata(topic_id: bytes) -> bytes:
    return f"version: 0\ntopic_id: {uuid_to_text(topic_id)}".encode()


def decode_partition_metadata(data: bytes) -> bytes | None:
    """The topic id; None if the file is corrupt."""
    try:
        fields = dict(line.split(": ") for line in data.decode("ascii").splitlines())
        return uuid_from_text(fields["topic_id"]) if fields["version"] == "0" else None
    except (UnicodeDecodeError, ValueError, KeyError, Base64Error):
        return None


def encode_properties(properties: Mapping[str, str]) -> bytes:
    return "".join(f"{key}={value}\n" for key, value in properties.items()).encode()


def decode_properties(data: bytes) -> dict[str, str]:
    """The plain subset of Java properties that Kafka writes to meta.properties."""
    properties = {}
    for line in data.decode("latin-1").splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith(("#", "!")):
            properties[key.strip()] = value.strip()
    return properties


def encode_clean_shutdown(broker_epoch: int) -> bytes:
    return json.dumps({"version": 0, "brokerEpoch": broker_epoch}, separators=(",", ":")).encode()


def decode_clean_shutdown(data: bytes) -> int:
    """The broker epoch of the clean stop, -1 where the marker does not say."""
    try:
        broker_epoch = json.loads(data)["brokerEpoch"]
    except (ValueError, KeyError, TypeError):
        return -1
    return broker_epoch if isinstance(broker_epoch, int) else -1
