"""What idempotent and transactional producers wrote to one partition.

    per producer  epoch, the last five batches, open transaction's first offset
    open          transactions without a marker; the earliest bounds the last stable offset
    unreplicated  transactions whose marker is not below the high watermark yet; they bound it too

A batch is checked (`duplicate_of`, `check`) before it is written and noted
(`note`) after. Kafka: `ProducerStateManager`, `ProducerAppendInfo`.
"""

from struct import Struct
from struct import error as LayoutError

from kbroker.log.index import AbortedTransaction
from kbroker.protocol.errors import (
    INVALID_PRODUCER_EPOCH,
    INVALID_TXN_STATE,
    OUT_OF_ORDER_SEQUENCE_NUMBER,
    TRANSACTION_COORDINATOR_FENCED,
    KafkaError,
)
from kbroker.records.batch import NO_PRODUCER_EPOCH, NO_SEQUENCE, BatchHeader, add_sequence
from kbroker.records.crc import crc32c

BATCHES_KEPT = 5
NO_OFFSET = -1
NO_COORDINATOR_EPOCH = -1

_SNAPSHOT_VERSION = 1
_SNAPSHOT_HEADER = Struct(">hIi")
_SNAPSHOT_ENTRY = Struct(">qhiqiqiq")
_CRC_END = 6


class WrittenBatch:
    """One of a producer's last batches, as much as answering a repeated send takes."""

    __slots__ = ("last_offset", "last_sequence", "offset_delta", "timestamp")

    def __init__(self, last_sequence: int, last_offset: int, offset_delta: int, timestamp: int) -> None:
        self.last_sequence = last_sequence
        self.last_offset = last_offset
        self.offset_delta = offset_delta
        self.timestamp = timestamp

    @property
    def first_sequence(self) -> int:
        return add_sequence(self.last_sequence, -self.offset_delta)

    @property
    def first_offset(self) -> int:
        return self.last_offset - self.offset_delta


class ProducerState:
    """One producer id in one partition."""

    __slots__ = (
        "batches",
        "coordinator_epoch",
        "current_txn_first_offset",
        "last_timestamp",
        "producer_epoch",
        "producer_id",
    )

    def __init__(self, producer_id: int, producer_epoch: int = NO_PRODUCER_EPOCH) -> None:
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.coordinator_epoch = NO_COORDINATOR_EPOCH
        self.last_timestamp = -1
        self.current_txn_first_offset = NO_OFFSET
        self.batches: list[WrittenBatch] = []

    @property
    def last_sequence(self) -> int:
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE

    def enter_epoch(self, producer_epoch: int) -> None:
        """Sequences begin anew with each producer epoch."""
        if producer_epoch != self.producer_epoch:
            self.batches.clear()
            self.producer_epoch = producer_epoch


class ProducerStates:
    """All producers of one partition, up to `end_offset` of its log."""

    __slots__ = ("_open", "_producers", "end_offset", "unreplicated")

    def __init__(self, end_offset: int = 0) -> None:
        self.end_offset = end_offset
        self._producers: dict[int, ProducerState] = {}
        # First offset → producer id.
        self._open: dict[int, int] = {}
        # First offset → marker offset.
        self.unreplicated: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._producers)

    def get(self, producer_id: int) -> ProducerState | None:
        return self._producers.get(producer_id)

    def active(self) -> list[ProducerState]:
        return list(self._producers.values())

    # --- before the write

    def duplicate_of(self, header: BatchHeader) -> WrittenBatch | None:
        """The batch that `header` repeats, if it is one of the last five of its producer."""
        state = self._producers.get(header.producer_id)
        if state is None or state.producer_epoch != header.producer_epoch:
            return None
        last_sequence = header.last_sequence
        for batch in state.batches:
            if batch.last_sequence == last_sequence and batch.first_sequence == header.base_sequence:
                return batch
        return None

    def check(self, header: BatchHeader, *, check_sequence: bool) -> None:
        """Raise what keeps a data batch out: 47, 45 or 48."""
        state = self._producers.get(header.producer_id)
        if state is None:
            return
        self.check_epoch(state, header.producer_epoch)
        if check_sequence:
            self._check_sequence(state, header)
        if state.current_txn_first_offset != NO_OFFSET and not header.is_transactional:
            raise KafkaError(
                INVALID_TXN_STATE,
                f"Producer {header.producer_id} has an open transaction and sent a batch outside of it",
            )

    def check_epoch(self, state: ProducerState, producer_epoch: int) -> None:
        if producer_epoch < state.producer_epoch:
            raise KafkaError(
                INVALID_PRODUCER_EPOCH,
                f"Producer {state.producer_id} is at epoch {state.producer_epoch}, not {producer_epoch}",
            )

    def check_marker(self, producer_id: int, producer_epoch: int, coordinator_epoch: int) -> None:
        """Raise what keeps an end-of-transaction marker out."""
        state = self._producers.get(producer_id)
        if state is None:
            return
        self.check_epoch(state, producer_epoch)
        if coordinator_epoch < state.coordinator_epoch:
            raise KafkaError(
                TRANSACTION_COORDINATOR_FENCED,
                f"Coordinator epoch {coordinator_epoch} is older than {state.coordinator_epoch}",
            )

    def _check_sequence(self, state: ProducerState, header: BatchHeader) -> None:
        first = header.base_sequence
        if header.producer_epoch != state.producer_epoch:
            in_order = first == 0 or state.producer_epoch == NO_PRODUCER_EPOCH
        else:
            # Also right where nothing is known: 0 follows -1.
            in_order = first == (state.last_sequence + 1) & 0x7FFFFFFF
        if not in_order:
            raise KafkaError(
                OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Producer {header.producer_id} sent sequence {first} after {state.last_sequence} "
                f"(epochs {header.producer_epoch}, {state.producer_epoch})",
            )

    # --- after the write

    def note(self, header: BatchHeader) -> None:
        """A data batch with a producer id is in the log."""
        state = self._state(header.producer_id)
        state.enter_epoch(header.producer_epoch)
        delta = header.last_offset_delta
        state.batches.append(
            WrittenBatch(header.last_sequence, header.base_offset + delta, delta, header.max_timestamp)
        )
        if len(state.batches) > BATCHES_KEPT:
            del state.batches[0]
        state.last_timestamp = header.max_timestamp
        if header.is_transactional and state.current_txn_first_offset == NO_OFFSET:
            state.current_txn_first_offset = header.base_offset
            self._open[header.base_offset] = header.producer_id

    def note_marker(
        self, header: BatchHeader, coordinator_epoch: int, *, aborted: bool
    ) -> AbortedTransaction | None:
        """A marker is in the log; what the transaction index must take, if anything."""
        state = self._state(header.producer_id)
        first_offset = state.current_txn_first_offset
        state.enter_epoch(header.producer_epoch)
        state.coordinator_epoch = coordinator_epoch
        state.last_timestamp = header.max_timestamp
        state.current_txn_first_offset = NO_OFFSET
        if first_offset == NO_OFFSET:
            return None
        self._open.pop(first_offset, None)
        self.unreplicated[first_offset] = header.last_offset
        if not aborted:
            return None
        stable = min(self._open, default=header.last_offset + 1)
        return AbortedTransaction(header.producer_id, first_offset, header.last_offset, stable)

    def _state(self, producer_id: int) -> ProducerState:
        state = self._producers.get(producer_id)
        if state is None:
            state = self._producers[producer_id] = ProducerState(producer_id)
        return state

    def on_high_watermark(self, high_watermark: int) -> None:
        """Markers below the high watermark are replicated: they bound the last stable offset no more."""
        done = [first for first, marker in self.unreplicated.items() if marker < high_watermark]
        for first in done:
            del self.unreplicated[first]

    @property
    def first_unstable_offset(self) -> int | None:
        """Where read_committed must stop; None when nothing is undecided."""
        if not self._open and not self.unreplicated:
            return None
        return min((*self._open, *self.unreplicated))

    def remove_expired(self, now_ms: int, expiration_ms: int) -> None:
        expired = [state for state in self._producers.values() if _expired(state, now_ms, expiration_ms)]
        for state in expired:
            del self._producers[state.producer_id]

    # --- snapshots

    def encode_snapshot(self) -> bytes:
        """The newest batch of each producer, as `ProducerSnapshot` v1 with its CRC."""
        entries = []
        for state in self._producers.values():
            last = state.batches[-1] if state.batches else WrittenBatch(NO_SEQUENCE, NO_OFFSET, 0, -1)
            entries.append(
                _SNAPSHOT_ENTRY.pack(
                    state.producer_id,
                    state.producer_epoch,
                    last.last_sequence,
                    last.last_offset,
                    last.offset_delta,
                    state.last_timestamp,
                    state.coordinator_epoch,
                    state.current_txn_first_offset,
                )
            )
        out = bytearray(_SNAPSHOT_HEADER.pack(_SNAPSHOT_VERSION, 0, len(entries)))
        out += b"".join(entries)
        out[2:_CRC_END] = crc32c(bytes(out[_CRC_END:])).to_bytes(4, "big")
        return bytes(out)

    @classmethod
    def decode_snapshot(
        cls, data: bytes, end_offset: int, now_ms: int, expiration_ms: int
    ) -> "ProducerStates | None":
        """The state at `end_offset` without those expired since; None if `data` is corrupt."""
        try:
            version, crc, count = _SNAPSHOT_HEADER.unpack_from(data)
        except LayoutError:
            return None
        sized = len(data) == _SNAPSHOT_HEADER.size + count * _SNAPSHOT_ENTRY.size
        if version != _SNAPSHOT_VERSION or not sized or crc32c(data[_CRC_END:]) != crc:
            return None
        states = cls(end_offset)
        for entry in _SNAPSHOT_ENTRY.iter_unpack(data[_SNAPSHOT_HEADER.size :]):
            state = ProducerState(entry[0], entry[1])
            last_sequence, last_offset, offset_delta = entry[2:5]
            state.last_timestamp, state.coordinator_epoch, state.current_txn_first_offset = entry[5:]
            if last_offset >= 0:
                last = WrittenBatch(last_sequence, last_offset, offset_delta, state.last_timestamp)
                state.batches.append(last)
            if not _expired(state, now_ms, expiration_ms):
                states._restore(state)
        return states

    def _restore(self, state: ProducerState) -> None:
        self._producers[state.producer_id] = state
        if state.current_txn_first_offset != NO_OFFSET:
            self._open[state.current_txn_first_offset] = state.producer_id


def _expired(state: ProducerState, now_ms: int, expiration_ms: int) -> bool:
    return state.current_txn_first_offset == NO_OFFSET and now_ms - state.last_timestamp >= expiration_ms
