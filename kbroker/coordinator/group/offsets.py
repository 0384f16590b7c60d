"""OffsetCommit, OffsetFetch, OffsetDelete, and the expiry of offsets.

Who may do it is decided by the group; here is what it does.
Kafka: `OffsetMetadataManager`. KIP-211 (expiry), KIP-1251, KIP-848 (topic ids).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from kbroker.coordinator.group import group_records
from kbroker.coordinator.group.classic_group import EMPTY, STABLE, ClassicGroup
from kbroker.coordinator.group.config import GroupCoordinatorConfig
from kbroker.coordinator.group.group_records import NO_TIMESTAMP
from kbroker.coordinator.group.offset_store import CommittedOffset, OffsetsByTopic, OffsetStore
from kbroker.coordinator.group.other_group import OtherGroup
from kbroker.coordinator.records import CoordinatorRecord
from kbroker.coordinator.shard import Now, Result
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.offset_commit_response import (
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from kbroker.protocol.generated.offset_fetch_response import (
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)
from kbroker.protocol.primitives import ZERO_UUID

if TYPE_CHECKING:
    from kbroker.protocol.generated.offset_commit_request import OffsetCommitRequest
    from kbroker.protocol.generated.offset_delete_request import OffsetDeleteRequest
    from kbroker.protocol.generated.offset_delete_response import OffsetDeleteResponse
    from kbroker.protocol.generated.offset_fetch_request import OffsetFetchRequestGroup

Group = ClassicGroup | OtherGroup

_DEFAULT_RETENTION = -1
_NEVER_MS = 2**63 - 1


class Offsets:
    """The offset operations of one shard."""

    __slots__ = ("_config", "store")

    def __init__(self, config: GroupCoordinatorConfig) -> None:
        self._config = config
        self.store = OffsetStore()

    # ── commit ───────────────────────────────────────────────────────────────

    def commit(self, request: OffsetCommitRequest, now: Now) -> Result[OffsetCommitResponse]:
        retention_ms = request.retention_time_ms
        expire_ms = (
            NO_TIMESTAMP if retention_ms == _DEFAULT_RETENTION else min(now.wall_ms + retention_ms, _NEVER_MS)
        )
        limit = self._config.offset_metadata_max_bytes
        records = []
        topics = []
        for topic in request.topics:
            partitions = []
            for partition in topic.partitions:
                metadata = partition.committed_metadata or ""
                if _is_longer(metadata, limit):
                    code = errors.OFFSET_METADATA_TOO_LARGE
                else:
                    code = errors.NONE
                    records.append(
                        group_records.offset_commit(
                            request.group_id,
                            topic.name,
                            partition.partition_index,
                            offset=partition.committed_offset,
                            leader_epoch=partition.committed_leader_epoch,
                            metadata=metadata,
                            commit_timestamp_ms=now.wall_ms,
                            expire_timestamp_ms=expire_ms,
                            topic_id=topic.topic_id,
                        )
                    )
                partitions.append(OffsetCommitResponsePartition(partition.partition_index, code))
            topics.append(OffsetCommitResponseTopic(topic.name, topic.topic_id, partitions))
        return Result(OffsetCommitResponse(0, topics), records)

    # ── fetch ────────────────────────────────────────────────────────────────

    def fetch(
        self, request: OffsetFetchRequestGroup, group: Group | None, *, require_stable: bool
    ) -> OffsetFetchResponseGroup:
        """The offsets asked for; all that there are when no topics are named."""
        committed = {} if group is None else self.store.committed.by_group.get(request.group_id, {})
        unstable: set[tuple[str, int]] = set()
        if require_stable and self.store.pending:
            unstable = self.store.pending_partitions(request.group_id)
        if request.topics is None:
            topics = [
                # The id that the topic has today is for the handler to find.
                OffsetFetchResponseTopics(
                    topic, ZERO_UUID, _fetched(topic, ZERO_UUID, of_topic, of_topic, unstable)
                )
                for topic, of_topic in committed.items()
            ]
        else:
            topics = [
                OffsetFetchResponseTopics(
                    topic.name,
                    topic.topic_id,
                    _fetched(
                        topic.name,
                        topic.topic_id,
                        topic.partition_indexes,
                        committed.get(topic.name, {}),
                        unstable,
                    ),
                )
                for topic in request.topics
            ]
        return OffsetFetchResponseGroup(request.group_id, topics)

    # ── delete ───────────────────────────────────────────────────────────────

    def delete(self, request: OffsetDeleteRequest, group: Group) -> Result[OffsetDeleteResponse]:
        # Administrators call this, not every client.
        from kbroker.protocol.generated.offset_delete_response import (
            OffsetDeleteResponse,
            OffsetDeleteResponsePartition,
            OffsetDeleteResponseTopic,
        )

        pending = self.store.pending_partitions(request.group_id)
        records = []
        topics = []
        for topic in request.topics:
            subscribed = isinstance(group, ClassicGroup) and group.is_subscribed_to(topic.name)
            code = errors.GROUP_SUBSCRIBED_TO_TOPIC if subscribed else errors.NONE
            for partition in topic.partitions:
                index = partition.partition_index
                exists = (
                    self.store.committed.get(request.group_id, topic.name, index) is not None
                    or (topic.name, index) in pending
                )
                if exists and not subscribed:
                    records.append(group_records.offset_commit_tombstone(request.group_id, topic.name, index))
            topics.append(
                OffsetDeleteResponseTopic(
                    topic.name,
                    [OffsetDeleteResponsePartition(each.partition_index, code) for each in topic.partitions],
                )
            )
        return Result(OffsetDeleteResponse(topics=topics), records)

    def tombstones_of_group(self, group_id: str) -> list[CoordinatorRecord]:
        """What deletes every offset of the group, pending ones too."""
        partitions = dict.fromkeys(
            (topic, partition)
            for topic, of_topic in self.store.committed.by_group.get(group_id, {}).items()
            for partition in of_topic
        )
        partitions.update(dict.fromkeys(sorted(self.store.pending_partitions(group_id))))
        return [group_records.offset_commit_tombstone(group_id, *partition) for partition in partitions]

    def tombstones_of_topic(self, topic: str, topic_id: bytes) -> list[CoordinatorRecord]:
        """What deletes every group's offsets for a topic that is no more."""
        found: dict[tuple[str, int], None] = {}
        for table in (self.store.committed, *self.store.pending.values()):
            for group_id, topics in table.by_group.items():
                for partition, offset in topics.get(topic, {}).items():
                    if offset.topic_id in (ZERO_UUID, topic_id):
                        found[group_id, partition] = None
        return [
            group_records.offset_commit_tombstone(group_id, topic, partition) for group_id, partition in found
        ]

    # ── expiry ───────────────────────────────────────────────────────────────

    def expire(self, group_id: str, group: Group, now: Now, records: list[CoordinatorRecord]) -> bool:
        """Add the tombstones of the group's expired offsets; True if nothing of it is left."""
        offsets = self.store.committed.by_group.get(group_id)
        pending = self.store.pending_partitions(group_id) if self.store.pending else set()
        if offsets is None:
            return not pending
        base_timestamp = _expiry_base(group)
        if base_timestamp is None:
            return False
        expired = [
            (topic, partition)
            for topic, partition, offset in _expirable(group, offsets)
            if (topic, partition) not in pending and self._is_expired(offset, base_timestamp, now.wall_ms)
        ]
        records.extend(group_records.offset_commit_tombstone(group_id, *each) for each in expired)
        return len(expired) == sum(map(len, offsets.values())) and not pending

    def _is_expired(
        self, offset: CommittedOffset, base_timestamp: Callable[[CommittedOffset], int], now_ms: int
    ) -> bool:
        if offset.expire_timestamp_ms != NO_TIMESTAMP:
            return now_ms >= offset.expire_timestamp_ms
        return now_ms - base_timestamp(offset) >= self._config.offsets_retention_ms


def validate_commit(group: Group | None, request: OffsetCommitRequest, api_version: int) -> None:
    """Raise what forbids this member, or this stranger, to commit."""
    generation_id = request.generation_id_or_member_epoch
    if group is None:
        # Without a generation this is a consumer that manages its partitions itself.
        if generation_id >= 0:
            known_since_version = 9
            raise KafkaError(
                errors.GROUP_ID_NOT_FOUND if api_version >= known_since_version else errors.ILLEGAL_GENERATION
            )
    elif isinstance(group, OtherGroup):
        group.validate_offset_commit(request.member_id, generation_id, api_version)
    elif generation_id >= 0 or group.state is not EMPTY:
        if generation_id < 0 and request.member_id == "" and request.group_instance_id is None:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        group.validate_member(request.member_id, request.group_instance_id)
        if generation_id != group.generation_id:
            raise KafkaError(errors.ILLEGAL_GENERATION)


def _expiry_base(group: Group) -> Callable[[CommittedOffset], int] | None:
    """From when on the retention counts; None while nothing may expire."""
    if isinstance(group, OtherGroup):
        # What its members subscribe to may be a regular expression: keep all while they live.
        return _committed_at if group.is_empty else None
    if group.protocol_type is None:
        return _committed_at
    if group.state is EMPTY:
        emptied_ms = group.state_timestamp_ms
        return _committed_at if emptied_ms is None else lambda _: emptied_ms
    if group.is_consumer_group and group.subscribed_topics is not None and group.state is STABLE:
        return _committed_at
    return None


def _committed_at(offset: CommittedOffset) -> int:
    return offset.commit_timestamp_ms


def _expirable(group: Group, offsets: OffsetsByTopic) -> Iterable[tuple[str, int, CommittedOffset]]:
    for topic, partitions in offsets.items():
        if isinstance(group, ClassicGroup) and group.is_subscribed_to(topic):
            continue
        for partition, offset in partitions.items():
            yield topic, partition, offset


def _fetched(
    topic: str,
    topic_id: bytes,
    partitions: Iterable[int],
    committed: dict[int, CommittedOffset],
    unstable: set[tuple[str, int]],
) -> list[OffsetFetchResponsePartitions]:
    responses = []
    for partition in partitions:
        offset = committed.get(partition)
        if unstable and (topic, partition) in unstable:
            response = OffsetFetchResponsePartitions(partition, -1, -1, "", errors.UNSTABLE_OFFSET_COMMIT)
        elif offset is None or ZERO_UUID != offset.topic_id != topic_id != ZERO_UUID:
            # Nothing committed, or for an earlier topic of the same name.
            response = OffsetFetchResponsePartitions(partition, -1, -1, "")
        else:
            response = OffsetFetchResponsePartitions(
                partition, offset.offset, offset.leader_epoch, offset.metadata
            )
        responses.append(response)
    return responses


def _is_longer(text: str, limit: int) -> bool:
    """Whether Java would count more than `limit` characters: UTF-16 units."""
    if len(text) * 2 <= limit:
        return False
    return len(text) > limit or len(text.encode("utf-16-le")) > limit * 2
