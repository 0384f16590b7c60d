"""Which brokers get the replicas of new partitions: striped over racks.

First goal: replicas on different racks. Second: load spread evenly, and not
always the same sets of brokers together, so that a broker's loss spreads over
all others. Unfenced brokers are taken before fenced ones, and a partition's
first replica, its leader, is never fenced.

    racks A B C, three brokers each   partition 0: A0 B0 C0
                                      partition 1: B1 C1 A1
                                      partition 2: C2 A2 B2

Kafka: `StripedReplicaPlacer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from kbroker.protocol.errors import INVALID_REPLICATION_FACTOR, KafkaError

if TYPE_CHECKING:
    from kbroker.environment import Random
    from kbroker.metadata.image import BrokerImage


class _Stripe:
    """Brokers of one rack in turn: each once per partition, the first one moving on."""

    __slots__ = ("_brokers", "_first", "_random")

    def __init__(self, brokers: list[int], random: Random) -> None:
        self._brokers = sorted(brokers)
        self._random = random
        self._first = random.below(len(brokers)) if brokers else 0

    def turn(self) -> list[int]:
        """The order for the next partition."""
        first = self._first
        if self._brokers:
            self._first = (first + 1) % len(self._brokers)
        return self._brokers[first:] + self._brokers[:first]

    def shuffle(self) -> None:
        _shuffle(self._brokers, self._random)


class _Rack:
    __slots__ = ("fenced", "unfenced")

    def __init__(self, brokers: list[BrokerImage], random: Random) -> None:
        self.fenced = _Stripe([broker.id for broker in brokers if broker.fenced], random)
        self.unfenced = _Stripe([broker.id for broker in brokers if not broker.fenced], random)


def place(
    brokers: Iterable[BrokerImage], partitions: int, replication_factor: int, random: Random
) -> list[list[int]]:
    """The replicas of each new partition, on those of `brokers` that stay and have room."""
    usable = [broker for broker in brokers if _is_usable(broker)]
    unfenced = sum(not broker.fenced for broker in usable)
    if not unfenced:
        raise _impossible("All brokers are currently fenced, or have all their log directories cordoned.")
    if replication_factor > len(usable):
        raise _impossible(
            f"The target replication factor of {replication_factor} cannot be reached because only "
            f"{len(usable)} broker(s) are registered or some brokers have all their log directories cordoned."
        )
    by_rack: dict[str | None, list[BrokerImage]] = {}
    for broker in usable:
        by_rack.setdefault(broker.rack, []).append(broker)
    names = sorted(by_rack, key=lambda name: (name is not None, name or ""))
    racks = [_Rack(by_rack[name], random) for name in names]
    return list(_stripes(racks, unfenced, partitions, replication_factor, random))


def _stripes(
    racks: list[_Rack], unfenced: int, partitions: int, replication_factor: int, random: Random
) -> Iterator[list[int]]:
    start = random.below(len(racks))
    for partition in range(partitions):
        # Every unfenced broker has led once: mix, lest the same sets repeat.
        if partition and unfenced > 1 and partition % unfenced == 0:
            _shuffle(racks, random)
            for rack in racks:
                rack.fenced.shuffle()
                rack.unfenced.shuffle()
        yield _replicas(racks[start:] + racks[:start], replication_factor)
        start = (start + 1) % len(racks)


def _replicas(racks: list[_Rack], replication_factor: int) -> list[int]:
    """One replica of each rack in turn until there are enough; the leader from the first that is alive."""
    turns = [(rack.unfenced.turn(), rack.fenced.turn()) for rack in racks]
    leader_rack = next(index for index, (unfenced, _) in enumerate(turns) if unfenced)
    chosen = [turns[leader_rack][0].pop(0)]
    queues = [unfenced + fenced for unfenced, fenced in turns]
    skip = leader_rack
    while len(chosen) < replication_factor:
        for index, queue in enumerate(queues):
            if index != skip and queue and len(chosen) < replication_factor:
                chosen.append(queue.pop(0))
        skip = -1
    return chosen


def _is_usable(broker: BrokerImage) -> bool:
    room = not broker.directories or set(broker.directories) - set(broker.cordoned_directories or ())
    return not broker.in_controlled_shutdown and bool(room)


def _shuffle(items: list[Any], random: Random) -> None:
    for last in range(len(items) - 1, 0, -1):
        other = random.below(last + 1)
        items[last], items[other] = items[other], items[last]


def _impossible(why: str) -> KafkaError:
    return KafkaError(INVALID_REPLICATION_FACTOR, why)
