"""Random valid messages, for every message and version.

Made from the schemas, so that they know nothing of the generated code but its
constructors. The same seed gives the same message.

    rich    everything is present: no nulls, every tag set, several elements
    edge    extreme numbers, nulls, empty and long strings, some tags
    small   few elements, ordinary values: what the fuzzers mutate
"""

import random
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

from codegen.model import Field, Message, Struct
from codegen.parse import parse
from codegen.vendor import SPECS
from kbroker.protocol import primitives
from kbroker.protocol.messages import message_class

Profile = Literal["rich", "edge", "small"]
PROFILES: tuple[Profile, ...] = ("rich", "edge", "small")

_INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
_TEXT = "abcdefghijklmnopqrstuvwxyz0123456789-_.ßλ猫😀"


@cache
def messages() -> dict[str, Message]:
    """The model of every message, by name."""
    return {message.name: message for message in parse(SPECS / "messages.json")}


def pairs() -> Iterator[tuple[str, int]]:
    """Every message in each of its versions."""
    for message in messages().values():
        for version in message.versions:
            yield message.name, version


def sample(name: str, version: int, profile: Profile, seed: int = 0) -> primitives.Message:
    """A random message of that class which the version can carry."""
    maker = _Maker(name, version, profile, random.Random(f"{name} {version} {profile} {seed}"))
    made = maker.struct(messages()[name].struct, 0)
    assert isinstance(made, primitives.Message)
    return made


def encode(message: primitives.Message, version: int) -> bytes:
    """The message as one piece."""
    out: list[primitives.Part] = []
    message.write(out, version)
    return b"".join(bytes(part) for part in out if not isinstance(part, primitives.FileRegion))


class _Maker:
    def __init__(self, name: str, version: int, profile: Profile, rng: random.Random) -> None:
        self._module = vars(__import__(message_class(name).__module__, fromlist=["*"]))
        self._version = version
        self._profile = profile
        self._rng = rng

    def struct(self, struct: Struct, depth: int) -> Any:
        names = [field.name for field in struct.fields if self._given(field)]
        fields = {field.name: field for field in struct.fields}
        return self._module[struct.name](**{name: self._value(fields[name], depth) for name in names})

    def _given(self, field: Field) -> bool:
        if self._version not in field.versions:
            return False
        return self._version not in field.tagged or self._profile == "rich" or self._rng.random() < 0.4

    def _value(self, field: Field, depth: int) -> Any:
        null = {"rich": 0.0, "edge": 0.4, "small": 0.2}[self._profile]
        if self._version in field.nullable and self._rng.random() < null:
            return None
        if field.type == "array":
            count = self._count(depth)
            return [self._one(field.element, field.struct, depth + 1) for _ in range(count)]
        return self._one("records" if field.zero_copy else field.type, field.struct, depth + 1)

    def _count(self, depth: int) -> int:
        if self._profile == "rich":
            return 2 if depth == 0 else 1
        return self._rng.choice((0, 1, 1, 2)) if depth < 2 else self._rng.choice((0, 1))

    def _one(self, kind: str, struct: Struct | None, depth: int) -> Any:
        if struct is not None:
            return self.struct(struct, depth)
        if kind in _INTEGERS:
            return self._integer(*_INTEGERS[kind])
        if kind == "string":
            return self._string()
        return self._other(kind)

    def _other(self, kind: str) -> Any:
        rng = self._rng
        if kind == "bool":
            return self._profile == "rich" or rng.random() < 0.5
        if kind == "float64":
            return rng.choice((0.0, -1.5, 1e300)) if self._profile == "edge" else rng.randrange(1, 1000) / 8
        if kind == "uuid":
            return rng.choice((bytes(16), b"\xff" * 16)) if self._profile == "edge" else rng.randbytes(16)
        data = rng.randbytes(rng.choice((0, 1, 126, 127)) if self._profile == "edge" else rng.randrange(1, 9))
        return memoryview(data) if kind == "records" else data

    def _integer(self, low: int, high: int) -> int:
        if self._profile == "edge":
            return self._rng.choice((low, high, 0, 1, max(low, -1)))
        if self._profile == "small":
            return self._rng.randrange(min(high, 100))
        return self._rng.randrange(max(low, -(2**40)), min(high, 2**40))

    def _string(self) -> str:
        if self._profile == "edge" and self._rng.random() < 0.5:
            return "x" * self._rng.choice((0, 1, 126, 127, 128, 300))
        return "".join(self._rng.choice(_TEXT) for _ in range(self._rng.randrange(1, 9)))
