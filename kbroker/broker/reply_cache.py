"""Answers kept as bytes, for what is asked often and changes seldom.

ApiVersions and Metadata follow from the request, the connection's listener
and address, who asks, and the metadata image, and from nothing else. So
a request that comes again, byte for byte, gets the bytes of its last answer,
until another image is published. What an answer waited for (topics being
created) is not kept.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from kbroker.handlers import table
from kbroker.protocol.primitives import FileRegion

if TYPE_CHECKING:
    from kbroker.handlers.context import ConnectionFacts
    from kbroker.metadata.image import MetadataImage
    from kbroker.protocol.primitives import Part

# How requests begin whose answers are kept: API key and version.
_HEADS = frozenset(
    Struct(">hh").pack(api_key, version)
    for api_key in table.FROM_IMAGE
    for version in range(table.SUPPORTED[api_key][1], table.SUPPORTED[api_key][2] + 1)
)
_SIZE = Struct(">i")
_CORRELATION = slice(4, 8)
# A request that names hundreds of topics is rare, and its answer large.
_MAX_REQUEST_BYTES = 2048
_MAX_BYTES = 8 << 20

Key = tuple[bytes, bytes, str, tuple[str, int], str]


class ReplyCache:
    """Shared by all connections of a broker; at most `_MAX_BYTES` of requests and answers."""

    __slots__ = ("_answers", "_bytes", "_image")

    def __init__(self) -> None:
        self._image: MetadataImage | None = None
        self._answers: dict[Key, bytes] = {}
        self._bytes = 0

    def key(self, frame: memoryview, facts: ConnectionFacts) -> Key | None:
        """What the answer follows from; None for a request whose answer is not kept."""
        head = bytes(frame[:4])
        if head not in _HEADS or len(frame) > _MAX_REQUEST_BYTES:
            return None
        return head, bytes(frame[8:]), facts.listener_name, facts.local, facts.principal

    def find(self, key: Key, frame: memoryview, image: MetadataImage) -> bytes | None:
        """The whole answer to a request that came before, under this one's correlation id."""
        if image is not self._image:
            self._image = image
            self._answers.clear()
            self._bytes = 0
            return None
        rest = self._answers.get(key)
        if rest is None:
            return None
        return b"".join((_SIZE.pack(len(rest) + 4), frame[_CORRELATION], rest))

    def keep(self, key: Key, parts: list[Part]) -> None:
        """Keep an answer that was made from the image `find` has just seen."""
        (part,) = parts
        assert not isinstance(part, FileRegion)
        size = len(part) + len(key[1])
        if self._bytes + size > _MAX_BYTES:
            self._answers.clear()
            self._bytes = 0
        if size <= _MAX_BYTES // 8:
            self._answers[key] = bytes(part[8:])
            self._bytes += size
