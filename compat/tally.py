"""What clients were told while the broker went away and came back, for programs in Python."""

from collections import defaultdict
from collections.abc import Callable

from compat.harness import check, equal, eventually

# The first so many records of a partition, as offset and value.
Read = Callable[[int, int], list[tuple[int, bytes]]]


class Tally:
    """Kept by producers of the numbers 0, 1, 2 …, in that order, and by a group that reads them."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        # Partition and offset of what the group has read.
        self.seen: set[tuple[int, int]] = set()
        self._acknowledged: dict[int, list[tuple[int, int | None]]] = defaultdict(list)

    def acknowledged(self, number: int, partition: int, offset: int | None) -> None:
        """The broker has taken a number; it may not know any more where it lies."""
        self._acknowledged[partition].append((number, offset))

    def progress(self, count: int) -> None:
        """Wait until so many more records are acknowledged and read by the group."""
        sent, seen = self._sent(), len(self.seen)
        eventually(
            lambda: (self._sent() >= sent + count and len(self.seen) >= seen + count) or self.errors,
            f"{count} more records are acknowledged and read",
            90,
        )

    def verify(self, read: Read) -> None:
        """Nothing failed; the log holds what was acknowledged, where it was, once, in order."""
        equal(self.errors, [], "errors of clients")
        for partition, acknowledged in self._acknowledged.items():
            found = read(partition, len(acknowledged))
            numbers = [number for number, _ in sorted(acknowledged)]
            equal([int(value) for _, value in found], numbers, f"records of partition {partition}")
            placed = {offset: int(value) for offset, value in found}
            for number, offset in acknowledged:
                check(
                    offset is None or placed[offset] == number, f"record {number} is not at offset {offset}"
                )

    def _sent(self) -> int:
        return sum(len(placed) for placed in self._acknowledged.values())
