"""What two brokers must call differently: ids of their own choice.

The n-th id of a kind that both are seen to give at the same place of the same
answer is the same thing, and gets one token, which stands for it from then on:
in answers, and in requests, where each broker is sent its own id. An id that
one broker has told before and the other has not is a difference.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from compat.diff.trees import Tree
from kbroker.protocol.primitives import ZERO_UUID, Struct

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

# Fields with an id that the broker made up. The values that mean "none" stay themselves.
_IDS: Final[Mapping[str, str]] = {
    "topic_id": "topic",
    "cluster_id": "cluster",
    "producer_id": "producer",
    "session_id": "session",
    "port": "port",
    "replica_directory_id": "directory id",
}
_MEMBERS: Final = frozenset({"member_id", "leader"})
# What is another number at every look.
_MOVING: Final = frozenset({"usable_bytes", "log_append_time_ms"})
_NONE: Final = (None, "", 0, -1, ZERO_UUID)


class Unnamed:
    """An id that has no token yet."""

    def __init__(self, kind: str, value: object) -> None:
        self.kind = kind
        self.value = value

    def __repr__(self) -> str:
        return f"<a new {self.kind}>"


class Names:
    """The tokens of one pair of brokers, 0 and 1."""

    def __init__(self) -> None:
        self._tokens: tuple[dict[object, Any], dict[object, Any]] = ({}, {})
        self._values: tuple[dict[object, Any], dict[object, Any]] = ({}, {})
        self._count = 0
        # Per side: text → what it is called instead wherever it occurs in a string.
        self._texts: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def call(self, name: str, texts: tuple[str, str]) -> None:
        """Say `name` for what each has in the midst of strings: a directory, an address."""
        for side in (0, 1):
            self._texts[side][texts[side]] = name

    def _plain(self, side: int, text: str) -> str:
        for own, name in self._texts[side].items():
            text = text.replace(own, name)
        return text

    def give(self, kind: str, values: tuple[Any, Any]) -> Any:
        """A token for a pair of ids."""
        self._count += 1
        token = _token(kind, values[0], self._count)
        for side in (0, 1):
            self._tokens[side][values[side]] = token
            self._values[side][token] = values[side]
        return token

    def named(self, side: int, tree: Tree, field: str = "") -> Tree:
        """A tree with tokens in the place of the ids known so far, `Unnamed` in that of others."""
        if isinstance(tree, dict):
            return {name: self.named(side, value, name) for name, value in tree.items()}
        if isinstance(tree, list):
            return [self.named(side, element, field) for element in tree]
        if field in _MOVING and tree not in _NONE:
            return f"<some {field}>"
        if isinstance(tree, str):
            tree = self._plain(side, tree)
        kind = _kind(field, tree)
        if kind is None:
            return tree
        return self._tokens[side].get(tree) or Unnamed(kind, tree)

    def agree(self, left: Tree, right: Tree) -> tuple[Tree, Tree]:
        """Give tokens to what is unnamed at the same place of both."""
        if isinstance(left, Unnamed) and isinstance(right, Unnamed) and left.kind == right.kind:
            token = self._tokens[0].get(left.value)
            if token is None and right.value not in self._tokens[1]:
                token = self.give(left.kind, (left.value, right.value))
            if token is not None and self._tokens[1].get(right.value) == token:
                return token, token
        if isinstance(left, dict) and isinstance(right, dict):
            pairs = {key: self.agree(left[key], right[key]) for key in left if key in right}
            return (
                {key: pairs[key][0] if key in pairs else value for key, value in left.items()},
                {key: pairs[key][1] if key in pairs else value for key, value in right.items()},
            )
        if isinstance(left, list) and isinstance(right, list):
            both = [self.agree(a, b) for a, b in zip(left, right, strict=False)]
            return (
                [a for a, _ in both] + left[len(both) :],
                [b for _, b in both] + right[len(both) :],
            )
        return left, right

    def own(self, side: int, value: Any) -> Any:
        """A request's value with the broker's own ids in the place of tokens."""
        if isinstance(value, OwnBytes):
            return value.of(lambda token: self.own(side, token))
        if isinstance(value, Struct):
            return self._own_struct(side, value)
        if isinstance(value, list):
            return [self.own(side, element) for element in value]
        if isinstance(value, str | bytes | int):
            return self._values[side].get(value, value)
        return value

    def _own_struct(self, side: int, struct: Struct) -> Struct:
        kind = type(struct)
        if "__setattr__" in vars(kind):
            return struct  # a default that all messages share
        copy = object.__new__(kind)
        for field in struct.FIELDS:
            setattr(copy, field, self.own(side, getattr(struct, field)))
        return copy


class OwnBytes:
    """Bytes that have to be made for each broker apart, because there are ids in them."""

    def of(self, own: Any) -> memoryview:
        """The bytes; `own` turns a token into the broker's id."""
        raise NotImplementedError


def _kind(field: str, value: object) -> str | None:
    if any(value is none or value == none for none in _NONE):
        return None
    if field in _MEMBERS and isinstance(value, str):
        match = _UUID.search(value)
        return f"{value[: match.start()]}member" if match else None
    return _IDS.get(field)


def _token(kind: str, value: object, number: int) -> Any:
    """Of the same type as the id, so that it can stand in a request."""
    if isinstance(value, int):
        return 2_000_000_000 + number
    if isinstance(value, bytes):
        return f"{kind:<9.9}{number:07}".encode()
    return f"<{kind} {number}>"
