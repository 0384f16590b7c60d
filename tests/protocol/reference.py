"""A slow second encoder, which walks the schema and marks what it writes.

It shares nothing with the generated writers but the model, so it checks them;
and its pieces tell the tests where every length, count and tagged section is.
"""

import struct
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from codegen.model import FIXED, Field, Message, Struct
from kbroker.protocol.primitives import uvarint

# What a crafted message would change: a length or count of 2 or 4 bytes, one
# as a varint, the number of tagged fields, the size of a tagged field.
Kind = Literal["value", "short", "int", "compact", "tags", "size"]


class Piece(NamedTuple):
    """Some bytes of a message."""

    kind: Kind
    data: bytes


def pieces(message: Message, version: int, value: object, unknown_tag: bytes = b"") -> list[Piece]:
    """The message in pieces; `unknown_tag` goes into every tagged section, as tag 9999."""
    return list(_Walk(message, version, unknown_tag).struct(message.struct, value))


def join(parts: list[Piece]) -> bytes:
    """The bytes of all pieces."""
    return b"".join(piece.data for piece in parts)


class _Walk:
    def __init__(self, message: Message, version: int, unknown_tag: bytes) -> None:
        self._version = version
        self._flexible = version >= message.flexible_from
        self._unknown_tag = unknown_tag

    def struct(self, shape: Struct, value: object) -> Iterator[Piece]:
        for field in shape.positional(self._version):
            yield from self._field(field, getattr(value, field.name), False)
        if self._flexible:
            yield from self._tags(shape, value)

    def _tags(self, shape: Struct, value: object) -> Iterator[Piece]:
        fields = [(f, getattr(value, f.name)) for f in shape.tagged(self._version)]
        known = [(f, inner) for f, inner in fields if inner != getattr(type(value)(), f.name)]
        yield Piece("tags", uvarint(len(known) + bool(self._unknown_tag)))
        for field, inner in known:
            payload = list(self._field(field, inner, True))
            yield Piece("value", uvarint(field.tag))
            yield Piece("size", uvarint(len(join(payload))))
            yield from payload
        if self._unknown_tag:
            yield Piece("value", uvarint(9999))
            yield Piece("size", uvarint(len(self._unknown_tag)))
            yield Piece("value", self._unknown_tag)

    def _field(self, field: Field, value: Any, tagged: bool) -> Iterator[Piece]:
        if field.type == "array":
            yield self._length(field, None if value is None else len(value))
            for item in value or ():
                yield from self._one(field, field.element, item)
        elif field.type == "struct" and field.can_be_null:
            null = b"\x00" if tagged else b"\xff"
            yield Piece("value", null if value is None else b"\x01")
            if value is not None:
                yield from self._one(field, field.type, value)
        else:
            yield from self._one(field, field.type, value)

    def _one(self, field: Field, kind: str, value: Any) -> Iterator[Piece]:
        if kind in FIXED:
            yield Piece("value", struct.pack(f">{FIXED[kind][0]}", value))
        elif kind == "struct":
            assert field.struct is not None
            yield from self.struct(field.struct, value)
        else:
            data = value.encode() if isinstance(value, str) else value
            yield self._length(field, None if data is None else len(data), kind == "string")
            yield Piece("value", bytes(data or b""))

    def _length(self, field: Field, length: int | None, string: bool = False) -> Piece:
        if self._flexible and not field.never_compact:
            return Piece("compact", uvarint(0 if length is None else length + 1))
        code = ">h" if string else ">i"
        return Piece("short" if string else "int", struct.pack(code, -1 if length is None else length))
