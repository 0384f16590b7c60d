"""Committed offsets of one shard, and those of open transactions.

    invariant  only `put`, `remove` and the end of a transaction change anything,
               and they are called from replay alone
    invariant  an open transaction's partition has a pending offset of that producer

Kafka: the state inside `OffsetMetadataManager`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kbroker.coordinator.group.group_records import NO_TIMESTAMP
from kbroker.protocol.primitives import ZERO_UUID


class CommittedOffset:
    """What a consumer asked to be remembered for one partition."""

    __slots__ = (
        "commit_timestamp_ms",
        "expire_timestamp_ms",
        "leader_epoch",
        "metadata",
        "offset",
        "record_offset",
        "topic_id",
    )

    def __init__(
        self,
        offset: int,
        leader_epoch: int,
        metadata: str,
        commit_timestamp_ms: int,
        expire_timestamp_ms: int = NO_TIMESTAMP,
        topic_id: bytes = ZERO_UUID,
        record_offset: int = -1,
    ) -> None:
        self.offset = offset
        self.leader_epoch = leader_epoch
        self.metadata = metadata
        self.commit_timestamp_ms = commit_timestamp_ms
        self.expire_timestamp_ms = expire_timestamp_ms
        # Zero in records of Kafka versions that did not know topic ids there.
        self.topic_id = topic_id
        # Where in the coordinator's log the commit stands.
        self.record_offset = record_offset

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CommittedOffset):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __repr__(self) -> str:
        return f"CommittedOffset({self.offset} epoch {self.leader_epoch} {self.metadata!r})"


OffsetsByTopic = dict[str, dict[int, CommittedOffset]]


class OffsetTable:
    """Group → topic → partition → committed offset; no empty inner tables."""

    __slots__ = ("by_group",)

    def __init__(self) -> None:
        self.by_group: dict[str, OffsetsByTopic] = {}

    def get(self, group_id: str, topic: str, partition: int) -> CommittedOffset | None:
        topics = self.by_group.get(group_id)
        partitions = None if topics is None else topics.get(topic)
        return None if partitions is None else partitions.get(partition)

    def put(self, group_id: str, topic: str, partition: int, offset: CommittedOffset) -> None:
        self.by_group.setdefault(group_id, {}).setdefault(topic, {})[partition] = offset

    def remove(self, group_id: str, topic: str, partition: int) -> None:
        topics = self.by_group.get(group_id)
        partitions = None if topics is None else topics.get(topic)
        if topics is None or partitions is None or partitions.pop(partition, None) is None:
            return
        if not partitions:
            del topics[topic]
            if not topics:
                del self.by_group[group_id]

    def items(self) -> Iterator[tuple[str, str, int, CommittedOffset]]:
        for group_id, topics in self.by_group.items():
            for topic, partitions in topics.items():
                for partition, offset in partitions.items():
                    yield group_id, topic, partition, offset


class OffsetStore:
    """All offsets of one shard."""

    __slots__ = ("committed", "pending")

    def __init__(self) -> None:
        self.committed = OffsetTable()
        # Producer id → what its open transaction commits. Few are open at a time.
        self.pending: dict[int, OffsetTable] = {}

    def put(
        self, producer_id: int, group_id: str, topic: str, partition: int, offset: CommittedOffset
    ) -> None:
        table = self.committed if producer_id < 0 else self.pending.setdefault(producer_id, OffsetTable())
        table.put(group_id, topic, partition, offset)

    def remove(self, group_id: str, topic: str, partition: int) -> None:
        self.committed.remove(group_id, topic, partition)
        for table in self.pending.values():
            table.remove(group_id, topic, partition)

    def end_transaction(self, producer_id: int, *, committed: bool) -> None:
        table = self.pending.pop(producer_id, None)
        if table is None or not committed:
            return
        for group_id, topic, partition, offset in table.items():
            # A plain commit written later than the transaction's record wins:
            # after compaction nothing else would tell which was the newer one.
            present = self.committed.get(group_id, topic, partition)
            if present is None or offset.record_offset > present.record_offset:
                self.committed.put(group_id, topic, partition, offset)

    def pending_partitions(self, group_id: str) -> set[tuple[str, int]]:
        """What open transactions are about to commit for the group."""
        return {
            (topic, partition)
            for table in self.pending.values()
            for topic, partitions in table.by_group.get(group_id, {}).items()
            for partition in partitions
        }
