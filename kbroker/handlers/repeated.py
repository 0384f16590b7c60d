"""Requests that come again with little changed: what is remembered.

A request is known by its bytes but for those that change; its answer but for its
offsets is made once, from the generated writer, with marks where those stand.
`repeated_produce.py` and `repeated_fetch.py` say what changes.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kbroker.protocol.header import write_response_header

if TYPE_CHECKING:
    from kbroker.metadata.image import MetadataImage
    from kbroker.protocol.primitives import Message

Key = TypeVar("Key")
Kind = TypeVar("Kind")

SIZE = Struct(">i")
OFFSET = Struct(">q")
# The numbers of an answer's partition that change; the last one, a log start offset, in later versions only.
OFFSETS = Struct(">qqq")
OLD_OFFSETS = Struct(">qq")
FIRST_WITH_LOG_START = 5
# In place of one of them.
MARK = 0x5EED_0FF5_E7B1_7E55
# API key and version stand before the correlation id, the rest of the header behind it.
BEHIND_CORRELATION = 8
# A client id can be 32 KiB long, and another one each time.
MAX_KEY_BYTES = 1024
_MAX_KEPT = 4096


class Remembered(Generic[Key, Kind]):
    """Kinds of requests, a bounded number; all are forgotten when the metadata changes."""

    __slots__ = ("_image", "_known")

    def __init__(self) -> None:
        self._image: MetadataImage | None = None
        self._known: dict[Key, Kind] = {}

    def _see(self, image: MetadataImage) -> None:
        """What is remembered from now on follows from `image`."""
        if image is not self._image:
            self._image = image
            self._forget()

    def _remember(self, key: Key, kind: Kind) -> None:
        if len(self._known) >= _MAX_KEPT:
            self._forget()
        self._known[key] = kind

    def _forget(self) -> None:
        self._known.clear()


def offsets_of(version: int) -> Struct:
    """The layout of the numbers that change, in answers of this version of Produce or Fetch."""
    return OFFSETS if version >= FIRST_WITH_LOG_START else OLD_OFFSETS


def split_at_offsets(api_key: int, version: int, response: Message) -> tuple[bytes, bytes]:
    """What stands between correlation id and marked offsets of an answer, and behind those."""
    parts: list[Any] = []
    write_response_header(parts, api_key, version, 0)
    response.write(parts, version)
    marks = OFFSET.pack(MARK) * (offsets_of(version).size // OFFSET.size)
    before, _, after = b"".join(parts).partition(marks)
    return before[SIZE.size :], after
