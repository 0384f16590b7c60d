"""A log of metadata records in, images out.

    outside a transaction   every batch makes a new image
    inside one              records gather; End publishes them, Abort drops them

A transaction may span batches (KIP-868). Kafka: `MetadataBatchLoader`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kbroker.metadata.delta import CorruptMetadata, MetadataDelta
from kbroker.metadata.image import EMPTY, MetadataImage
from kbroker.metadata.records import RecordType


class Publication:
    """An image and what led to it."""

    __slots__ = ("delta", "image")

    def __init__(self, image: MetadataImage, delta: MetadataDelta) -> None:
        self.image = image
        self.delta = delta


class Replay:
    """The state of one reader of the log; `image` is the last one outside a transaction."""

    __slots__ = ("_delta", "_epoch", "_offset", "image", "transaction_start_offset")

    def __init__(self, image: MetadataImage = EMPTY) -> None:
        self.image = image
        self.transaction_start_offset: int | None = None
        self._delta = MetadataDelta(image)
        self._offset = image.offset
        self._epoch = image.epoch

    @property
    def next_offset(self) -> int:
        """Where the next record stands."""
        return self._offset + 1

    def load(self, messages: Iterable[Any], first_offset: int, epoch: int) -> list[Publication]:
        """Take in records at successive offsets without making an image of each batch.

        Returns only what a transaction's borders forced out.
        """
        published: list[Publication] = []
        self._epoch = epoch
        offset = first_offset - 1
        for offset, message in enumerate(messages, first_offset):
            record_type = message.API_KEY
            if RecordType.BEGIN_TRANSACTION <= record_type <= RecordType.ABORT_TRANSACTION:
                self._border(record_type, offset, published)
            else:
                self._delta.replay(message, offset)
            self._offset = offset
        return published

    def skip(self, offset: int, epoch: int) -> None:
        """A control batch that ends at `offset` passed by."""
        self._offset = offset
        self._epoch = epoch

    def publish(self) -> Publication | None:
        """An image of everything so far; None inside a transaction."""
        if self.transaction_start_offset is not None:
            return None
        delta = self._delta
        self.image = delta.build(self._offset, self._epoch)
        self._delta = MetadataDelta(self.image)
        return Publication(self.image, delta)

    def apply(self, messages: Iterable[Any], first_offset: int, epoch: int) -> list[Publication]:
        """`load` one batch and `publish`; usually one publication comes out."""
        published = self.load(messages, first_offset, epoch)
        last = self.publish()
        return published if last is None else [*published, last]

    def _border(self, record_type: int, offset: int, published: list[Publication]) -> None:
        inside = self.transaction_start_offset is not None
        if inside == (record_type == RecordType.BEGIN_TRANSACTION):
            raise CorruptMetadata(f"transaction border of type {record_type} out of place at offset {offset}")
        if record_type == RecordType.BEGIN_TRANSACTION:
            before = self.publish()
            if before is not None and not before.delta.is_empty:
                published.append(before)
            self.transaction_start_offset = offset
        else:
            if record_type == RecordType.ABORT_TRANSACTION:
                self._delta = MetadataDelta(self.image)
            self.transaction_start_offset = None
