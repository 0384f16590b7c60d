"""What a schema says: messages, structs, fields, versions, defaults.

Plain facts with the questions the emitters ask of them. Kafka:
`MessageSpec`, `StructSpec`, `FieldSpec` of its message generator.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NEVER = 32767

# Wire types of fixed size: struct format character, size in bytes, Python type.
FIXED: dict[str, tuple[str, int, str]] = {
    "bool": ("?", 1, "bool"),
    "int8": ("b", 1, "int"),
    "int16": ("h", 2, "int"),
    "uint16": ("H", 2, "int"),
    "int32": ("i", 4, "int"),
    "uint32": ("I", 4, "int"),
    "int64": ("q", 8, "int"),
    "float64": ("d", 8, "float"),
    "uuid": ("16s", 16, "bytes"),
}


@dataclass(frozen=True)
class Versions:
    """A closed range; empty when low > high."""

    low: int
    high: int

    def __contains__(self, version: int) -> bool:
        return self.low <= version <= self.high

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.low, self.high + 1))

    def intersect(self, other: "Versions") -> "Versions":
        return Versions(max(self.low, other.low), min(self.high, other.high))

    @property
    def empty(self) -> bool:
        return self.low > self.high


NO_VERSIONS = Versions(0, -1)


@dataclass(frozen=True)
class Field:
    """One field of a struct, in all its versions.

    `type` is a wire type of FIXED, "string", "bytes", "records", "struct" or
    "array"; an array's elements are of `element`. `default` is None (null), a
    bool, int, float, str, bytes, or EMPTY for an empty array or struct.
    """

    name: str
    type: str
    element: str
    struct: "Struct | None"
    versions: Versions
    nullable: Versions
    tagged: Versions
    tag: int
    default: Any
    ignorable: bool
    zero_copy: bool
    never_compact: bool

    @property
    def can_be_null(self) -> bool:
        return not self.nullable.empty


EMPTY = object()


@dataclass(frozen=True)
class Struct:
    """A class to generate: the message itself, or one nested in it."""

    name: str
    fields: tuple[Field, ...]

    def positional(self, version: int) -> list[Field]:
        return [f for f in self.fields if version in f.versions and version not in f.tagged]

    def tagged(self, version: int) -> list[Field]:
        return sorted((f for f in self.fields if version in f.tagged), key=lambda f: f.tag)

    def absent(self, version: int) -> list[Field]:
        return [f for f in self.fields if version not in f.versions]

    @property
    def immutable(self) -> bool:
        """No field holds a list or another struct."""
        return not any(f.type in ("array", "struct") for f in self.fields)


@dataclass(frozen=True)
class Message:
    """One schema."""

    name: str
    kind: str
    api_key: int
    versions: Versions
    flexible_from: int
    listeners: tuple[str, ...]
    latest_version_unstable: bool
    struct: Struct
    # Every struct of the message, each after those it contains.
    structs: tuple[Struct, ...]

    @property
    def module(self) -> str:
        return snake_case(self.name)


def snake_case(name: str) -> str:
    """`ResultsByTopicV3AndBelow` → `results_by_topic_v3_and_below`."""
    name = re.sub(r"[Kk]Raft", "Kraft", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
