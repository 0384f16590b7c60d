"""Memory that requests are received into, used again and again.

    shared    what all connections receive into, one after the other
    length    four bytes, for a connection whose frames are large: it learns the
              size first and then receives straight into memory of that size

A frame of some size that is still incomplete when the shared buffer has to be
handed on takes that buffer over, and the others get a fresh one. So the
records of a request are moved once, by the kernel. Memory that was used
before is mapped already: a fresh megabyte costs more than its checksum.
"""

from __future__ import annotations

import mmap
from typing import Final

SHARED_BYTES: Final = 256 << 10
LENGTH_BYTES: Final = 4
# A frame around a batch of Kafka's default size limit.
_LARGE_BYTES: Final = (1 << 20) + (64 << 10)
# Above this a frame's memory comes from mmap, so that a declared but unsent frame costs no pages.
_LAZY_BYTES: Final = 4 << 20
# Smaller frames are copied: that is cheaper than another buffer.
_WORTH_LENDING_BYTES: Final = 4 << 10
# Shared buffers in the hands of single connections, and buffers that are kept for the next who needs one.
_MAX_LENT: Final = 32
_MAX_SPARE: Final = 16


class Buffers:
    """Shared by all connections of a broker; owned by the one loop."""

    __slots__ = ("_lent", "_spare_large", "_spare_shared", "length", "shared")

    def __init__(self) -> None:
        self.shared = memoryview(bytearray(SHARED_BYTES))
        self.length = memoryview(bytearray(LENGTH_BYTES))
        self._spare_shared: list[memoryview] = []
        self._spare_large: list[memoryview] = []
        self._lent = 0

    def lend_shared(self, size: int) -> bool:
        """Whether the shared buffer now belongs to a frame of `size` bytes in it, until it is given back."""
        if size < _WORTH_LENDING_BYTES or self._lent >= _MAX_LENT:
            return False
        self.shared = self._lend()
        return True

    def _lend(self) -> memoryview:
        self._lent += 1
        return self._spare_shared.pop() if self._spare_shared else memoryview(bytearray(SHARED_BYTES))

    def take(self, size: int) -> memoryview:
        """Memory for a frame of `size` bytes, or somewhat more."""
        if SHARED_BYTES < size <= _LARGE_BYTES:
            return self._spare_large.pop() if self._spare_large else memoryview(bytearray(_LARGE_BYTES))
        if size == SHARED_BYTES or (_WORTH_LENDING_BYTES <= size < SHARED_BYTES and self._lent < _MAX_LENT):
            return self._lend()
        return memoryview(mmap.mmap(-1, size) if size > _LAZY_BYTES else bytearray(size))

    def give_back(self, buffer: memoryview) -> None:
        """Nobody refers to its bytes any more."""
        if len(buffer) == SHARED_BYTES:
            self._lent -= 1
            spare = self._spare_shared
        elif len(buffer) == _LARGE_BYTES:
            spare = self._spare_large
        else:
            return
        if len(spare) < _MAX_SPARE:
            spare.append(buffer)
