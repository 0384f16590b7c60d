"""New partitions on chosen brokers: whether allowed, and the first ISR.

The first in-sync replica leads. Kafka: `ReplicationControlManager`.
"""

from __future__ import annotations

from collections.abc import Sequence

from kbroker.controller.state import ClusterState
from kbroker.metadata.image import UNASSIGNED_DIRECTORY, PartitionImage
from kbroker.protocol.errors import INVALID_REPLICA_ASSIGNMENT, KafkaError


def assigned(
    state: ClusterState, index: int, replicas: Sequence[int], replication_factor: int | None
) -> PartitionImage:
    """A partition on brokers that the client chose."""
    _check_assignment(state, replicas, replication_factor)
    if not any(state.is_active(replica) for replica in replicas):
        raise KafkaError(
            INVALID_REPLICA_ASSIGNMENT,
            f"All brokers specified in the manual partition assignment for partition {index} "
            "are fenced or in controlled shutdown.",
        )
    return _new_partition(state, replicas)


def _check_assignment(state: ClusterState, replicas: Sequence[int], replication_factor: int | None) -> None:
    def bad(why: str) -> KafkaError:
        return KafkaError(INVALID_REPLICA_ASSIGNMENT, f"The manual partition assignment includes {why}")

    if not replicas:
        raise bad("an empty replica list.")
    previous: int | None = None
    for replica in sorted(replicas):
        if replica not in state.image.brokers:
            raise bad(f"broker {replica}, but no such broker is registered.")
        if replica == previous:
            raise bad(f"the broker {replica} more than once.")
        previous = replica
    if replication_factor is not None and len(replicas) != replication_factor:
        raise bad(
            f"a partition with {len(replicas)} replica(s), but this is not consistent with previous "
            f"partitions, which have {replication_factor} replica(s)."
        )


def placed(state: ClusterState, replicas: Sequence[int]) -> PartitionImage:
    """A partition on brokers that the placement chose."""
    assert state.is_active(replicas[0])
    return _new_partition(state, replicas)


def _new_partition(state: ClusterState, replicas: Sequence[int]) -> PartitionImage:
    isr = tuple(replica for replica in replicas if state.is_active(replica))
    return PartitionImage(
        replicas=tuple(replicas),
        directories=tuple(_default_directory(state, replica) for replica in replicas),
        isr=isr,
        leader=isr[0],
    )


def _default_directory(state: ClusterState, broker_id: int) -> bytes:
    """A broker with one directory has no choice; one with several chooses itself."""
    directories = state.image.brokers[broker_id].directories
    return directories[0] if len(directories) == 1 else UNASSIGNED_DIRECTORY
