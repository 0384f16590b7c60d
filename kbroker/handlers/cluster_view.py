"""The cluster as one client sees it: through its own listener.

Built once per request, so that a request over ten thousand partitions asks
who is alive once and not ten thousand times. Kafka: `KRaftMetadataCache`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kbroker.handlers.context import RequestContext
    from kbroker.metadata.image import BrokerImage, MetadataImage, PartitionImage

NO_LEADER = -1

# Operations a client may be told of, as bits of Kafka's `AclOperation` codes. Without an
# authorizer everybody may do everything that the resource knows.
TOPIC_OPERATIONS = sum(1 << code for code in (3, 4, 5, 6, 7, 8, 10, 11))
GROUP_OPERATIONS = sum(1 << code for code in (3, 6, 8, 10, 11))
CLUSTER_OPERATIONS = sum(1 << code for code in (5, 7, 8, 9, 10, 11, 12))
# "Not asked for".
OPERATIONS_UNKNOWN = -(1 << 31)


class ClusterView:
    """One image through one listener."""

    __slots__ = ("_context", "_online", "_reachable", "image")

    def __init__(self, image: MetadataImage, context: RequestContext) -> None:
        self.image = image
        self._context = context
        # Brokers with an address on this listener; of these, those that are not fenced.
        self._reachable = frozenset(
            broker.id for broker in image.brokers.values() if context.endpoint_of(broker) is not None
        )
        self._online = frozenset(id_ for id_ in self._reachable if not image.brokers[id_].fenced)

    def brokers(self, *, with_fenced: bool = False) -> Iterator[tuple[BrokerImage, str, int]]:
        """Every broker a client can reach here, with host and port."""
        for broker in self.image.brokers.values():
            if broker.id in self._online or (with_fenced and broker.id in self._reachable):
                endpoint = self._context.endpoint_of(broker)
                assert endpoint is not None
                yield broker, endpoint[0], endpoint[1]

    def controller_id(self) -> int:
        """A random live broker: in KRaft any broker takes controller requests. -1 if there is none."""
        alive = [broker.id for broker in self.image.brokers.values() if not broker.fenced]
        if len(alive) < 2:
            return alive[0] if alive else -1
        return alive[self._context.services.environment.random.below(len(alive))]

    def leader_of(self, partition: PartitionImage) -> int:
        """The leader, if a client can reach it here."""
        return partition.leader if partition.leader in self._reachable else NO_LEADER

    def online(self, replicas: Iterable[int]) -> list[int]:
        """Those of `replicas` that are alive and reachable here."""
        return [replica for replica in replicas if replica in self._online]

    def offline_replicas(self, partition: PartitionImage) -> list[int]:
        """Replicas a client can't fetch from: broker gone, fenced, not on this listener, or disk failed."""
        return [
            replica
            for replica, directory in zip(partition.replicas, partition.directories, strict=True)
            if replica not in self._online or not directory_online(self.image.brokers[replica], directory)
        ]


_MIGRATING = bytes(16)
_UNASSIGNED = bytes(15) + b"\x01"
_LOST = bytes(15) + b"\x02"


def directory_online(broker: BrokerImage, directory: bytes) -> bool:
    """Whether `broker` still serves the log directory with this id. Kafka: `DirectoryId`."""
    if directory in broker.directories or directory in (_UNASSIGNED, _MIGRATING):
        return True
    return directory != _LOST and not broker.directories
