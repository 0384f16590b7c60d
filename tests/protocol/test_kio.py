"""Another implementation, kio, reads what we write and writes what we read."""

import datetime
import io
import uuid
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from kio.index import UnknownEntity, load_entity_schema
from kio.serial import entity_reader, entity_writer
from kio.static.constants import EntityType

from codegen.model import Message, Struct
from kbroker.protocol.messages import message_class
from kbroker.protocol.primitives import ZERO_UUID
from tests.protocol.samples import encode, messages, sample

KINDS: dict[str, Any] = {
    "request": EntityType.request,
    "response": EntityType.response,
    "header": EntityType.header,
    "data": EntityType.data,
}
MILLISECOND = datetime.timedelta(milliseconds=1)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def kio_class(message: Message, version: int) -> Any:
    """None where kio lacks the message or the version."""
    suffix = "" if message.kind in ("header", "data") else f"_{message.kind}"
    name = message.module.removesuffix(suffix).replace("kraft", "k_raft")
    try:
        return load_entity_schema(name, version, KINDS[message.kind])
    except UnknownEntity:
        return None


def plain(value: Any) -> Any:
    """kio's richer types as we have them; a struct as the list of its fields."""
    if is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime.timedelta):
        return value // MILLISECOND
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // MILLISECOND
    if isinstance(value, uuid.UUID):
        return value.bytes if value.int else None
    return value


def ours(struct: Struct, version: int, value: Any) -> Any:
    """Our message in the same form."""
    return [
        [_one(field.struct, version, item) for item in inner]
        if isinstance(inner := getattr(value, field.name), list)
        else _one(field.struct, version, inner)
        for field in struct.fields
        if version in field.versions
    ]


def _one(struct: Struct | None, version: int, value: Any) -> Any:
    if struct is not None and value is not None:
        return ours(struct, version, value)
    if value == ZERO_UUID:
        # kio sometimes reads it as None.
        return None
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.mark.parametrize("name", [name for name, message in messages().items() if message.kind in KINDS])
def test_kio_agrees(name: str) -> None:
    message = messages()[name]
    for version in message.versions:
        other = kio_class(message, version)
        if other is None:
            continue
        for seed in range(2):
            given = sample(name, version, "small", seed)
            data = encode(given, version)
            theirs, size = entity_reader(other)(data, 0)
            assert plain(theirs) == ours(message.struct, version, given)
            assert size == len(data)
            out = io.BytesIO()
            entity_writer(other)(out, theirs)
            assert out.getvalue() == data
            decoded, _ = message_class(name).read(memoryview(out.getvalue()), 0, version)
            assert decoded == given


def test_kio_knows_most_of_them() -> None:
    known = [
        (name, version)
        for name, message in messages().items()
        if message.kind in KINDS
        for version in message.versions
        if kio_class(message, version)
    ]
    assert len(known) > 500
