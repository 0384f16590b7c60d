"""Record batches for requests: good ones, and ones that are broken in one place."""

import struct
from collections.abc import Mapping
from typing import Any, Final

from compat.diff.names import OwnBytes
from kbroker.records.batch import build_batch
from kbroker.records.crc import crc32c
from kbroker.records.record import Record

# The same for every batch, so that both brokers store the same bytes.
TIME_MS: Final = 1_700_000_000_000

# Header field: (position, layout).
_FIELDS: Final[Mapping[str, tuple[int, str]]] = {
    "base_offset": (0, ">q"),
    "batch_length": (8, ">i"),
    "partition_leader_epoch": (12, ">i"),
    "magic": (16, ">b"),
    "crc": (17, ">I"),
    "attributes": (21, ">h"),
    "last_offset_delta": (23, ">i"),
    "base_timestamp": (27, ">q"),
    "max_timestamp": (35, ">q"),
    "producer_id": (43, ">q"),
    "producer_epoch": (51, ">h"),
    "base_sequence": (53, ">i"),
    "record_count": (57, ">i"),
}


class Batch(OwnBytes):
    """One batch, made for each broker because of the producer id in it."""

    def __init__(
        self,
        records: int | list[Record] = 1,
        *,
        codec: int = 0,
        producer: tuple[int, int, int] = (-1, -1, -1),
        behind: bytes = b"",
        cut: int = 0,
        payload: bytes | None = None,
        **header: int,
    ) -> None:
        self.records = plain_records(records) if isinstance(records, int) else records
        self.codec = codec
        self.producer = producer
        self.header = header
        self.behind = behind
        self.cut = cut
        self.payload = payload

    def of(self, own: Any) -> memoryview:
        producer_id, epoch, sequence = self.producer
        data = build_batch(
            self.records,
            base_timestamp=TIME_MS,
            producer_id=own(producer_id),
            producer_epoch=epoch,
            base_sequence=sequence,
            attributes=self.codec,
        )
        if self.payload is not None:
            data[61:] = self.payload
            struct.pack_into(">i", data, 8, len(data) - 12)
        for name, value in self.header.items():
            position, layout = _FIELDS[name]
            struct.pack_into(layout, data, position, value)
        if "crc" not in self.header:
            struct.pack_into(">I", data, 17, crc32c(bytes(data[21:])))
        whole = bytes(data) + self.behind
        return memoryview(whole[: len(whole) - self.cut])

    def __repr__(self) -> str:
        told = {
            "codec": self.codec,
            "producer": self.producer,
            "behind": self.behind,
            "cut": self.cut,
            "payload": self.payload,
            **self.header,
        }
        shown = ", ".join(f"{name}={value!r}" for name, value in told.items() if value not in (0, b"", None))
        return f"Batch({len(self.records)} records, {shown})"


class Joined(OwnBytes):
    """Several batches one behind the other."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = batches

    def of(self, own: Any) -> memoryview:
        return memoryview(b"".join(bytes(batch.of(own)) for batch in self.batches))

    def __repr__(self) -> str:
        return f"Joined{self.batches}"


def plain_records(count: int, *, key: bool = True) -> list[Record]:
    """Records whose content tells their number; each a second younger than the one before."""
    return [
        Record(number, number * 1000, b"key %d" % number if key else None, b"value %d" % number)
        for number in range(count)
    ]


def records(count: int | list[Record] = 1, **how: Any) -> Any:
    """What stands in a request's `records`; Any, because it becomes bytes only when it is sent."""
    return Batch(count, **how)
