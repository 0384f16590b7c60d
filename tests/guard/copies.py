"""How often the bytes of a record batch are moved in user space.

In: each byte's address when the socket received it, against its address when
the batch is appended. Out: what of the records leaves as bytes, not from the
file. The peak of memory shows copies that were made besides.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from kbroker.broker.system import Data, OsFile
from tests.guard.broker import Client, running
from tests.guard.measures import Step, peak_bytes
from tests.guard.paths import SIZES, fetch, produce, records
from tests.handlers.support import FakeClock

# A step needs this much for the objects of a request, and never as much as a batch.
MOST_PEAK_BYTES = 16 << 10
_ROUNDS = 3
_READ = 64 << 10
# Longer than one connection may keep the loop.
_SLOW_MS = 10


@dataclass
class Arrival:
    """Produce requests sent in one go, and how they reach the broker."""

    name: str
    # The size of each request's batch.
    sizes: list[int]
    most_bytes: int = 1 << 30
    # Who send the same, a read each by turns.
    clients: int = 1
    # Each append takes so long that others get their turn after it.
    is_slow: bool = False


ARRIVALS = [
    Arrival("16 KiB", [16 << 10]),
    Arrival("100 KiB", [100 << 10]),
    Arrival("100 KiB in reads of 64 KiB", [100 << 10], _READ),
    Arrival("300 KiB", [300 << 10]),
    Arrival("1 MiB", [1 << 20]),
    Arrival("1 MiB in reads of 64 KiB", [1 << 20], _READ),
    Arrival("8 × 16 KiB ahead", [16 << 10] * 8),
    Arrival("8 × 16 KiB ahead in reads of 50,000", [16 << 10] * 8, 50_000),
    Arrival("8 × 100 KiB ahead", [100 << 10] * 8),
    Arrival("2 × 1 MiB ahead", [1 << 20] * 2),
    Arrival("16 KiB and 1 MiB in turn", [16 << 10, 1 << 20] * 2),
    Arrival("100 KiB in reads of 64 KiB, of 2 clients", [100 << 10], _READ, clients=2),
    Arrival("1 MiB in reads of 64 KiB, of 2 clients", [1 << 20], _READ, clients=2),
    Arrival("8 × 16 KiB ahead, each slow", [16 << 10] * 8, is_slow=True),
]


@dataclass
class Copies:
    """What a number of batches cost."""

    name: str
    batches: int = 0
    copied_batches: int = 0
    copied_bytes: int = 0
    peak_bytes: int = 0

    @property
    def is_fine(self) -> bool:
        return self.copied_bytes == 0 and self.peak_bytes <= MOST_PEAK_BYTES


def all_copies() -> Iterator[Copies]:
    """Of every way in and out."""
    yield from map(produced, ARRIVALS)
    for size in SIZES:
        yield from fetched(size)


# --- in


def produced(arrival: Arrival) -> Copies:
    """The copies of what arrives like this, again and again, on the same connections."""
    copies = Copies(f"Produce {arrival.name}")
    clock = FakeClock()
    watch = _Watch(copies, clock, _SLOW_MS if arrival.is_slow else 0)
    with running(clock, partial(_WatchedFile, watch)) as broker:
        topic_id = broker.create_topic("watched")
        senders = []
        for number in range(arrival.clients):
            batches = [records(size, number + at) for at, size in enumerate(arrival.sizes)]
            senders.append(_Sender(broker.connect(), topic_id, batches, arrival.most_bytes))
        step = partial(_send_by_turns, senders)
        for _ in range(_ROUNDS):
            step()
        copies.peak_bytes = peak_bytes([step] * 2 * _ROUNDS)
        for sender in senders:
            sender.client.socket.on_received = partial(watch.received, sender)
        for _ in range(_ROUNDS):
            watch.expect(senders)
            step()
            assert not watch.expected
    return copies


class _Sender:
    """A client and what it sends in one go."""

    def __init__(self, client: Client, topic_id: bytes, batches: list[bytearray], most_bytes: int) -> None:
        self.client = client
        # With the position of each in what is sent.
        self.batches: list[tuple[int, bytearray]] = []
        data = b""
        for batch in batches:
            made = produce(topic_id, batch)
            self.batches.append((len(data) + made.index(batch), batch))
            data += made
        self.reads = [data[at : at + most_bytes] for at in range(0, len(data), most_bytes)]


def _send_by_turns(senders: list[_Sender]) -> None:
    for reads in zip(*(sender.reads for sender in senders), strict=True):
        for sender, data in zip(senders, reads, strict=True):
            sender.client.say(data)


def _address(data: Data) -> int:
    """Where the first byte is; 0 for bytes that nobody could have received into."""
    view = memoryview(data)
    return 0 if view.readonly else ctypes.addressof(ctypes.c_char.from_buffer(view))


class _Watch:
    """Follows the bytes of batches from the socket to the file."""

    def __init__(self, copies: Copies, clock: FakeClock, append_ms: int) -> None:
        self._copies = copies
        self._clock = clock
        self._append_ms = append_ms
        # The batches still to come: who sends each, where in what is sent, and what it is.
        self.expected: list[tuple[_Sender, int, bytearray]] = []
        # Position, length and address of what each read got.
        self._reads: dict[_Sender, list[tuple[int, int, int]]] = {}

    def expect(self, senders: list[_Sender]) -> None:
        """These send once more; whoever comes first is done first."""
        self._reads = {sender: [] for sender in senders}
        self.expected = [
            (sender, position, batch) for sender in senders for position, batch in sender.batches
        ]

    def received(self, sender: _Sender, view: memoryview) -> None:
        reads = self._reads[sender]
        position = sum(reads[-1][:2]) if reads else 0
        reads.append((position, len(view), _address(view)))

    def appended(self, data: Data) -> None:
        self._clock.now_ms += self._append_ms
        if not self.expected:
            return
        sender, position, batch = self.expected.pop(0)
        # But for the offset and the leader epoch, which are the broker's.
        assert data[16:] == batch[16:]
        moved = len(data) - _stayed(self._reads[sender], position, len(data), _address(data))
        self._copies.batches += 1
        self._copies.copied_batches += moved > 0
        self._copies.copied_bytes += moved


def _stayed(reads: list[tuple[int, int, int]], begin: int, size: int, address: int) -> int:
    """How many of the bytes from `begin` on, which are at `address` now, were received just there."""
    stayed = 0
    for position, length, received_at in reads:
        if received_at - position == address - begin:
            stayed += max(0, min(begin + size, position + length) - max(begin, position))
    return stayed


class _WatchedFile(OsFile):
    """Tells where the bytes are that are appended."""

    __slots__ = ("_watch",)

    def __init__(self, watch: _Watch, path: str, create: bool) -> None:
        super().__init__(path, create)
        self._watch = watch

    def append(self, data: Data) -> None:
        self._watch.appended(data)
        super().append(data)

    def appendv(self, parts: list[Data]) -> None:
        for part in parts:
            self._watch.appended(part)
        super().appendv(parts)


# --- out


def fetched(name: str) -> Iterator[Copies]:
    """A batch of that size from the beginning, several at once, and the last one."""
    batch = records(SIZES[name])
    size = len(batch)
    with running(FakeClock()) as broker:
        topic_id = broker.create_topic("fetched")
        client = broker.connect()
        client.say(produce(topic_id, batch) * 8)
        end = broker.services.replicas.topics_by_id[topic_id].partitions[0].log.log_end_offset
        for what, offset, batches in (("", 0, 1), (" × 8", 0, 8), (", at the end", end * 7 // 8, 1)):
            ask = partial(client.say, fetch(topic_id, offset, batches * size))
            copied_bytes = _sent_as_bytes(client, ask, batches * size)
            yield Copies(
                f"Fetch {name}{what}",
                batches,
                -(-copied_bytes // size),
                copied_bytes,
                peak_bytes([ask] * 2 * _ROUNDS),
            )


def _sent_as_bytes(client: Client, ask: Step, expected: int) -> int:
    """How much of the records in an answer did not leave from the file."""
    before = client.socket.sent_bytes
    with client.hearing() as answers:
        ask()
    ((answer, size),) = answers
    (partition,) = answer.responses[0].partitions
    assert len(partition.records) == expected
    return client.socket.sent_bytes - before - (size - expected)
