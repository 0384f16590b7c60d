"""What every message is made of: varints, uuids, struct bases, limits.

The generated codecs do fixed-size fields and one-byte lengths inline; here
are the rarer paths. Every reader checks lengths and counts against the bytes
that remain before it allocates, and pays for what it builds out of a budget:

    budget = BUDGET_FACTOR × bytes of the message + BUDGET_BASE

in bytes of memory for objects whose number a few crafted bytes could inflate
(array elements, lists, views, tagged fields). So a small frame can't grow
into a large heap, while a legitimate message, whose elements carry data, can
be as long as it likes.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from struct import Struct as Layout
from struct import error as LayoutError
from struct import pack, unpack_from
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, TypeVar

if TYPE_CHECKING:
    from kbroker.environment import File

# A fetch of many topics with one partition each, the densest honest message,
# needs six times its bytes.
BUDGET_FACTOR = 6
BUDGET_BASE = 1 << 20
# Tagged fields of one struct. Nobody sends more than a few, so their number is
# read as a single byte: the first of a longer varint is already too large.
MAX_TAGGED_FIELDS = 127
TAGGED_FIELD_COST = 48
MAX_STRING_BYTES = 0x7FFF

ZERO_UUID = bytes(16)
EMPTY_VIEW = memoryview(b"")
# The id of `__cluster_metadata`.
METADATA_TOPIC_ID = bytes(15) + b"\x01"


class DecodeError(Exception):
    """The bytes are not the message they claim to be."""


class UnsupportedVersion(Exception):
    """The message has no such version, or that version can't carry what it was given."""


class FileRegion:
    """Bytes of a file that go out by sendfile instead of through memory."""

    __slots__ = ("file", "length", "position")

    def __init__(self, file: "File", position: int, length: int) -> None:
        self.file = file
        self.position = position
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __repr__(self) -> str:
        return f"FileRegion({self.file!r}, {self.position}, {self.length})"


Part: TypeAlias = bytes | bytearray | memoryview | FileRegion


# --- bases of the generated classes -------------------------------------------------------------


class Struct:
    """A generated class: FIELDS are its attributes, in the schema's order."""

    __slots__ = ()
    FIELDS: ClassVar[tuple[str, ...]] = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not (isinstance(other, type(self)) or isinstance(self, type(other))):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in self.FIELDS)

    def __repr__(self) -> str:
        fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in self.FIELDS)
        return f"{type(self).__name__}({fields})"


class Message(Struct):
    """A generated top-level class, in all its versions."""

    __slots__ = ()
    API_KEY: ClassVar[int] = -1
    MIN_VERSION: ClassVar[int]
    MAX_VERSION: ClassVar[int]
    # First version with compact lengths and tagged fields; 32767 when there is none.
    FLEXIBLE_FROM: ClassVar[int] = 32767
    READERS: ClassVar[dict[int, Callable[[memoryview, int], tuple[Any, int]]]]
    WRITERS: ClassVar[dict[int, Callable[[Any, list[Part], int], None]]]

    @classmethod
    def read(cls, buffer: memoryview, position: int, version: int) -> tuple[Self, int]:
        """The message at `position` and the position behind it.

        The message's bytes end where `buffer` ends, at the latest. Raises
        DecodeError, or UnsupportedVersion.
        """
        reader = cls.READERS.get(version)
        if reader is None:
            raise UnsupportedVersion(f"{cls.__name__} has no version {version}")
        try:
            return reader(buffer, position)
        except (LayoutError, IndexError):
            raise DecodeError(f"{cls.__name__} v{version} is cut short") from None
        except UnicodeDecodeError:
            raise DecodeError(f"{cls.__name__} v{version} has a string that is not UTF-8") from None

    def write(self, out: list[Part], version: int) -> None:
        """Append the message to `out`; records and zero-copy bytes as the very objects given."""
        writer = self.WRITERS.get(version)
        if writer is None:
            raise UnsupportedVersion(f"{type(self).__name__} has no version {version}")
        writer(self, out, version)


_S = TypeVar("_S", bound=Struct)

# Stands for "a fresh list or struct" in generated signatures.
UNSET: Any = object()


def _refuse(self: Struct, name: str, value: object) -> None:
    raise TypeError(
        f"this {type(self).__name__} is the default that all messages share: "
        f"assign a new one instead of setting its {name}"
    )


def shared(struct: _S) -> _S:
    """Make `struct`, the default of a field, refuse assignment, since all messages share it."""
    plain = type(struct)
    struct.__class__ = type(plain.__name__, (plain,), {"__slots__": (), "__setattr__": _refuse})
    return struct


# --- reading ------------------------------------------------------------------------------------


def read_uvarint(buffer: memoryview, position: int) -> tuple[int, int]:
    """An unsigned varint of at most 32 bits: (value, position behind it)."""
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > 0xFFFFFFFF:
                break
            return value, position
        shift += 7
        if shift > 28:
            break
    raise DecodeError("a varint is longer than 32 bits")


def read_varint(buffer: memoryview, position: int) -> tuple[int, int]:
    """A zig-zag varint of at most 32 bits."""
    value, position = read_uvarint(buffer, position)
    return (value >> 1) ^ -(value & 1), position


def read_varlong(buffer: memoryview, position: int) -> tuple[int, int]:
    """A zig-zag varint of at most 64 bits."""
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > 0xFFFFFFFFFFFFFFFF:
                break
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 63:
            break
    raise DecodeError("a varint is longer than 64 bits")


def read_string_length(buffer: memoryview, position: int) -> tuple[int, int]:
    """A compact string's length + 1 that took more than one byte."""
    value, position = read_uvarint(buffer, position)
    if value > MAX_STRING_BYTES + 1:
        raise DecodeError("a string is longer than 32767 bytes")
    return value, position


# Arrays of numbers are mostly a few replica ids: layouts made once, by count.
_INT32S = [Layout(f">{count}i") for count in range(17)]


def read_int32s(buffer: memoryview, position: int, count: int) -> list[int]:
    """`count` numbers; the caller has checked that they are there."""
    if count < 17:
        return list(_INT32S[count].unpack_from(buffer, position))
    return list(unpack_from(f">{count}i", buffer, position))


def read_numbers(buffer: memoryview, position: int, count: int, code: str) -> list[int]:
    """Like `read_int32s` for the struct format `code`."""
    return list(unpack_from(f">{count}{code}", buffer, position))


def read_uuids(buffer: memoryview, position: int, count: int) -> list[bytes]:
    """`count` uuids; the caller has checked that they are there."""
    return [buffer[at : at + 16].tobytes() for at in range(position, position + 16 * count, 16)]


def pay_for_tagged_fields(count: int, remaining: int, budget: int) -> int:
    """Bound a section's count of tagged fields; returns what is left of the budget."""
    if count > MAX_TAGGED_FIELDS or 2 * count > remaining:
        raise DecodeError("too many tagged fields")
    budget -= count * TAGGED_FIELD_COST
    if budget < 0:
        raise over_budget()
    return budget


def read_tag(buffer: memoryview, position: int, end: int) -> tuple[int, int, int]:
    """(tag, position of its value, end of its value)"""
    tag, position = read_uvarint(buffer, position)
    size, position = read_uvarint(buffer, position)
    stop = position + size
    if stop > end:
        raise DecodeError("a tagged field is longer than the message")
    return tag, position, stop


def skip_tagged_fields(
    buffer: memoryview, position: int, end: int, count: int, budget: int
) -> tuple[int, int]:
    """Pass over `count` unknown tagged fields, keeping nothing; returns (position, budget)."""
    budget = pay_for_tagged_fields(count, end - position, budget)
    for _ in range(count):
        _, _, position = read_tag(buffer, position, end)
    return position, budget


def over_budget() -> DecodeError:
    """The error for bytes that would need far more memory than they take."""
    return DecodeError("the message has too many elements for its size")


# --- writing ------------------------------------------------------------------------------------


# Lengths of one byte, by far the most.
ONE_BYTE = [bytes((value,)) for value in range(128)]


def uvarint(value: int) -> bytes:
    """The bytes of an unsigned varint."""
    out = bytearray()
    write_uvarint(out, value)
    return bytes(out)


def string_length(length: int) -> bytes:
    """A compact string's length + 1, where it needs more than one byte."""
    if length > MAX_STRING_BYTES + 1:
        raise ValueError(f"a string of {length - 1} bytes is too long to send")
    return uvarint(length)


def write_uvarint(out: bytearray, value: int) -> None:
    """Append an unsigned varint."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def write_varint(out: bytearray, value: int) -> None:
    """Append a zig-zag varint of 32 bits."""
    write_uvarint(out, (value << 1) ^ (value >> 31))


def write_varlong(out: bytearray, value: int) -> None:
    """Append a zig-zag varint of 64 bits."""
    write_uvarint(out, (value << 1) ^ (value >> 63))


def int32_array(values: list[int]) -> bytes:
    """A whole array with its count."""
    count = len(values)
    return _INT32S[count + 1].pack(count, *values) if count < 16 else pack(f">{count + 1}i", count, *values)


_COMPACT_INT32S = [Layout(f">B{count}i") for count in range(17)]


def compact_int32_array(values: list[int]) -> bytes:
    """A whole array with its count, in a flexible version."""
    count = len(values)
    if count < 17:
        return _COMPACT_INT32S[count].pack(count + 1, *values)
    return uvarint(count + 1) + pack(f">{count}i", *values)


def number_bytes(values: list[int], code: str) -> bytes:
    """The numbers of an array without its count, in the struct format `code`."""
    return pack(f">{len(values)}{code}", *values)


def size_of(parts: Iterable[Part]) -> int:
    """How many bytes `parts` are on the wire."""
    return sum(map(len, parts))


def missing_field(field: str, version: int) -> UnsupportedVersion:
    """The error for a value that this version of the message can't carry."""
    return UnsupportedVersion(f"{field} can't be sent in version {version}")


def null_field(field: str, version: int) -> UnsupportedVersion:
    """The error for a null that this version of the message can't carry."""
    return UnsupportedVersion(f"{field} can't be null in version {version}")


# --- uuids as text ------------------------------------------------------------------------------


def uuid_to_text(uuid: bytes) -> str:
    """Kafka's form of an id: 22 characters of URL-safe base64 without padding."""
    return urlsafe_b64encode(uuid).rstrip(b"=").decode()


def uuid_from_text(text: str) -> bytes:
    """The inverse of `uuid_to_text`; ValueError if it is none."""
    try:
        uuid = urlsafe_b64decode(text + "==")
    except ValueError:
        uuid = b""
    if len(uuid) != 16:
        raise ValueError(f"{text!r} is not an id of 22 base64 characters")
    return uuid
