"""Which leader epoch wrote from which offset on.

    invariant  epochs and start offsets both strictly grow

Followers and clients find out by it where histories diverge (KIP-101,
KIP-320), so it is kept exact across truncation, log start moves and restarts.
Kafka: `LeaderEpochFileCache`.
"""

from bisect import bisect_right
from collections.abc import Sequence

# (epoch, start offset)
Entry = tuple[int, int]

UNDEFINED_EPOCH = -1
UNDEFINED_OFFSET = -1


class LeaderEpochs:
    """The (epoch, start offset) entries of one log, and those that are written down."""

    __slots__ = ("_epochs", "_starts", "latest_epoch", "saved")

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self._epochs = [epoch for epoch, _ in entries]
        self._starts = [start_offset for _, start_offset in entries]
        self.latest_epoch = self._epochs[-1] if entries else UNDEFINED_EPOCH
        self.saved: Sequence[Entry] = entries

    @property
    def entries(self) -> list[Entry]:
        return list(zip(self._epochs, self._starts, strict=True))

    def unsaved(self, log_end_offset: int) -> list[Entry] | None:
        """All entries, if they differ from what is written down.

        An epoch that has no record yet need not survive: its leader would
        assign it again.
        """
        entries = [entry for entry in self.entries if entry[1] < log_end_offset]
        return None if entries == self.saved else entries

    @property
    def previous_epoch(self) -> int:
        """The one before the latest."""
        return self._epochs[-2] if len(self._epochs) > 1 else UNDEFINED_EPOCH

    def assign(self, epoch: int, start_offset: int) -> None:
        """`epoch` writes from `start_offset` on; whatever contradicts that goes."""
        if self._epochs and self._epochs[-1] == epoch and self._starts[-1] <= start_offset:
            return
        while self._epochs and (self._epochs[-1] >= epoch or self._starts[-1] >= start_offset):
            self._epochs.pop()
            self._starts.pop()
        self._epochs.append(epoch)
        self._starts.append(start_offset)
        self.latest_epoch = epoch

    def end_offset_for(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """The largest epoch up to `epoch` and where it ends, as OffsetForLeaderEpoch answers."""
        if epoch == UNDEFINED_EPOCH or not self._epochs or epoch > self._epochs[-1]:
            return UNDEFINED_EPOCH, UNDEFINED_OFFSET
        if epoch == self._epochs[-1]:
            return epoch, log_end_offset
        index = bisect_right(self._epochs, epoch)
        if index == 0:
            return epoch, self._starts[0]
        return self._epochs[index - 1], self._starts[index]

    def epoch_for_offset(self, offset: int) -> int:
        index = bisect_right(self._starts, offset)
        return self._epochs[index - 1] if index else UNDEFINED_EPOCH

    def truncate_from_end(self, end_offset: int) -> None:
        """Forget the epochs that begin at or behind `end_offset`."""
        while self._starts and self._starts[-1] >= end_offset:
            self._epochs.pop()
            self._starts.pop()
        self.latest_epoch = self._epochs[-1] if self._epochs else UNDEFINED_EPOCH

    def truncate_from_start(self, start_offset: int) -> None:
        """Forget the epochs that end before `start_offset`; the one it lies in begins there now."""
        index = bisect_right(self._starts, start_offset) - 1
        if index < 0 or (index == 0 and self._starts[0] == start_offset):
            return
        del self._epochs[:index], self._starts[:index]
        self._starts[0] = start_offset

    def clear(self) -> None:
        self._epochs.clear()
        self._starts.clear()
        self.latest_epoch = UNDEFINED_EPOCH
