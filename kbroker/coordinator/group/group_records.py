"""What the group coordinator writes, and when in which version.

Kafka: `GroupCoordinatorRecordHelpers`.
"""

from __future__ import annotations

from collections.abc import Mapping

from kbroker.coordinator.group.classic_group import ClassicGroup
from kbroker.coordinator.records import CoordinatorRecord
from kbroker.protocol.generated.group_metadata_key import GroupMetadataKey
from kbroker.protocol.generated.group_metadata_value import GroupMetadataValue, MemberMetadata
from kbroker.protocol.generated.offset_commit_key import OffsetCommitKey
from kbroker.protocol.generated.offset_commit_value import OffsetCommitValue

_GROUP_METADATA_VERSION = 3
_OFFSET_COMMIT_VERSION = 4
# The only version that has a place for an expiry of its own.
_OFFSET_COMMIT_VERSION_WITH_EXPIRY = 1

NO_TIMESTAMP = -1


def group_metadata(group: ClassicGroup, assignments: Mapping[str, bytes]) -> CoordinatorRecord:
    """The group with the given assignments, which the group itself may not hold yet."""
    members = [
        MemberMetadata(
            member_id=member.member_id,
            group_instance_id=member.instance_id,
            client_id=member.client_id,
            client_host=member.client_host,
            rebalance_timeout=member.rebalance_timeout_ms,
            session_timeout=member.session_timeout_ms,
            subscription=member.metadata(group.protocol_name),
            assignment=assignments[member.member_id],
        )
        for member in group.members.values()
    ]
    value = GroupMetadataValue(
        protocol_type=group.protocol_type or "",
        generation=group.generation_id,
        protocol=group.protocol_name,
        leader=group.leader_id,
        current_state_timestamp=_timestamp(group),
        members=members,
    )
    return CoordinatorRecord(GroupMetadataKey(group=group.group_id), value, _GROUP_METADATA_VERSION)


def empty_group_metadata(group: ClassicGroup) -> CoordinatorRecord:
    """A group that somebody has begun to join."""
    value = GroupMetadataValue(
        protocol_type="",
        generation=0,
        protocol=None,
        leader=None,
        current_state_timestamp=_timestamp(group),
        members=[],
    )
    return CoordinatorRecord(GroupMetadataKey(group=group.group_id), value, _GROUP_METADATA_VERSION)


def group_metadata_tombstone(group_id: str) -> CoordinatorRecord:
    return CoordinatorRecord(GroupMetadataKey(group=group_id))


def offset_commit(
    group_id: str,
    topic: str,
    partition: int,
    *,
    offset: int,
    leader_epoch: int,
    metadata: str,
    commit_timestamp_ms: int,
    expire_timestamp_ms: int,
    topic_id: bytes,
) -> CoordinatorRecord:
    expires = expire_timestamp_ms != NO_TIMESTAMP
    value = OffsetCommitValue(
        offset=offset,
        leader_epoch=leader_epoch,
        metadata=metadata,
        commit_timestamp=commit_timestamp_ms,
        expire_timestamp=expire_timestamp_ms,
        topic_id=topic_id,
    )
    return CoordinatorRecord(
        OffsetCommitKey(group=group_id, topic=topic, partition=partition),
        value,
        _OFFSET_COMMIT_VERSION_WITH_EXPIRY if expires else _OFFSET_COMMIT_VERSION,
    )


def offset_commit_tombstone(group_id: str, topic: str, partition: int) -> CoordinatorRecord:
    return CoordinatorRecord(OffsetCommitKey(group=group_id, topic=topic, partition=partition))


def _timestamp(group: ClassicGroup) -> int:
    return NO_TIMESTAMP if group.state_timestamp_ms is None else group.state_timestamp_ms
