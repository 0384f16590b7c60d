"""Answers as trees of dicts, lists and plain values, each field under its name.

Records become the batches they are: header, checksum right or wrong, and the
bytes of the records.
"""

from typing import Any, Final

from kbroker.protocol.primitives import Message, Struct
from kbroker.records.batch import HEADER_SIZE, batch_crc_ok, iterate_batches, read_batch_header

# Dict, list or plain value.
Tree = Any

_BATCH: Final = (
    "base_offset",
    "partition_leader_epoch",
    "magic",
    "attributes",
    "last_offset_delta",
    "base_timestamp",
    "max_timestamp",
    "producer_id",
    "producer_epoch",
    "base_sequence",
    "record_count",
)


def tree_of(value: object) -> Tree:
    """Any generated struct, and what stands in its fields."""
    if isinstance(value, Struct):
        return {field: _field(field, getattr(value, field)) for field in value.FIELDS}
    if isinstance(value, list):
        return [tree_of(element) for element in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return value


def answer_tree(response: type[Message], version: int, body: bytes) -> Tree:
    """A response's body; bytes behind it are part of the tree, for there should be none."""
    message, end = response.read(memoryview(body), 0, version)
    tree = tree_of(message)
    if end != len(body):
        tree["trailing bytes"] = len(body) - end
    return tree


def _field(name: str, value: object) -> Tree:
    if name == "records" and isinstance(value, bytes | bytearray | memoryview):
        return batches(bytes(value))
    return tree_of(value)


def batches(records: bytes) -> Tree:
    """Every whole batch, and how many bytes of a cut one follow."""
    view = memoryview(records)
    found: list[Tree] = []
    position = 0
    for batch in iterate_batches(view):
        header = read_batch_header(batch)
        tree = {name: getattr(header, name) for name in _BATCH}
        found.append({**tree, "crc ok": batch_crc_ok(batch), "payload": bytes(batch[HEADER_SIZE:])})
        position += len(batch)
    return {"batches": found, "cut bytes": len(records) - position}
