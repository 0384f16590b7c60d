"""The state machine of one `__consumer_offsets` partition.

    invariant  a group id is a classic group, or another protocol's, or nothing
    invariant  every group that has offsets exists

Requests come in as generated messages, JoinGroup and SyncGroup with a token
under which they are answered. What cannot be done raises KafkaError.

Kafka: `GroupCoordinatorShard`, `GroupMetadataManager`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kbroker.coordinator.group import group_records
from kbroker.coordinator.group.classic_group import (
    COMPLETING_REBALANCE,
    DEAD,
    EMPTY,
    STABLE,
    ClassicGroup,
)
from kbroker.coordinator.group.classic_member import ClassicMember
from kbroker.coordinator.group.client import Client
from kbroker.coordinator.group.config import GroupCoordinatorConfig
from kbroker.coordinator.group.membership import Join, Membership
from kbroker.coordinator.group.offset_store import CommittedOffset
from kbroker.coordinator.group.offsets import Group, Offsets, validate_commit
from kbroker.coordinator.group.other_group import TYPE_OF_RECORD, GroupType, OtherGroup
from kbroker.coordinator.group.rebalance import Rebalance, join_error
from kbroker.coordinator.records import CoordinatorRecord
from kbroker.coordinator.shard import Now, Reply, Result
from kbroker.coordinator.timers import Timer, Timers
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.sync_group_response import SyncGroupResponse

if TYPE_CHECKING:
    from kbroker.environment import Random
    from kbroker.protocol.generated.group_metadata_value import GroupMetadataValue
    from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
    from kbroker.protocol.generated.heartbeat_response import HeartbeatResponse
    from kbroker.protocol.generated.join_group_request import JoinGroupRequest
    from kbroker.protocol.generated.leave_group_request import MemberIdentity
    from kbroker.protocol.generated.leave_group_response import LeaveGroupResponse
    from kbroker.protocol.generated.offset_commit_request import OffsetCommitRequest
    from kbroker.protocol.generated.offset_commit_response import OffsetCommitResponse
    from kbroker.protocol.generated.offset_delete_request import OffsetDeleteRequest
    from kbroker.protocol.generated.offset_delete_response import OffsetDeleteResponse
    from kbroker.protocol.generated.offset_fetch_request import OffsetFetchRequestGroup
    from kbroker.protocol.generated.offset_fetch_response import OffsetFetchResponseGroup
    from kbroker.protocol.generated.sync_group_request import SyncGroupRequest

_log = logging.getLogger(__name__)

_LEGACY_OFFSET_COMMIT = 0
_OFFSET_COMMIT = 1
_GROUP_METADATA = 2


class GroupCoordinator:
    """All groups whose ids hash to one partition."""

    __slots__ = (
        "_config",
        "_expiry_timer",
        "_membership",
        "_rebalance",
        "_replies",
        "_timers",
        "groups",
        "offsets",
    )

    def __init__(self, config: GroupCoordinatorConfig, random: Random) -> None:
        self._config = config
        self._replies: list[Reply] = []
        self._timers = Timers()
        self._rebalance = Rebalance(config, self._timers, self._replies)
        self._membership = Membership(config, random, self._rebalance, self._replies)
        self._expiry_timer = Timer(self._clean_up)
        self.groups: dict[str, Group] = {}
        self.offsets = Offsets(config)

    # ── members ──────────────────────────────────────────────────────────────

    def join(self, request: JoinGroupRequest, client: Client, token: object, now: Now) -> Result[None]:
        join = Join(request, client, token)
        group = self.groups.get(request.group_id)
        records: list[CoordinatorRecord] = []
        if isinstance(group, OtherGroup):
            if not group.is_empty or group.group_type is GroupType.SHARE:
                return self._refuse_join(join, errors.INCONSISTENT_GROUP_PROTOCOL)
            if request.member_id != "":
                return self._refuse_join(join, errors.UNKNOWN_MEMBER_ID, request.member_id)
            # An empty group of another protocol makes way.
            records = group.tombstones()
            self._forget(group)
            group = None
        if group is not None:
            return self._membership.join(group, join, now) or Result(None)
        if request.member_id != "":
            return self._refuse_join(join, errors.UNKNOWN_MEMBER_ID, request.member_id)
        group = ClassicGroup(request.group_id, state_timestamp_ms=now.wall_ms)
        self.groups[request.group_id] = group
        result = self._membership.join(group, join, now)
        assert result is None
        records.append(group_records.empty_group_metadata(group))
        return Result(None, records, replay=False, on_commit=partial(self._after_creation, group, join.token))

    def _after_creation(self, group: ClassicGroup, token: object, code: int, now: Now) -> None:
        if code:
            for member in group.members.values():
                if member.join_token is token:
                    self._rebalance.answer_join(group, member, join_error(code, member.member_id))

    def _refuse_join(self, join: Join, code: int, member_id: str = "") -> Result[None]:
        self._replies.append(Reply(join.token, join_error(code, member_id)))
        return Result(None)

    def sync(self, request: SyncGroupRequest, token: object, now: Now) -> Result[None]:
        group = self.groups.get(request.group_id)
        if not isinstance(group, ClassicGroup):
            self._replies.append(Reply(token, SyncGroupResponse(error_code=errors.UNKNOWN_MEMBER_ID)))
            return Result(None)
        return self._membership.sync(group, request, token, now) or Result(None)

    def heartbeat(self, request: HeartbeatRequest, now: Now) -> HeartbeatResponse:
        group = self.groups.get(request.group_id)
        if not isinstance(group, ClassicGroup):
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        return self._membership.heartbeat(group, request, now)

    def leave(self, group_id: str, members: list[MemberIdentity], now: Now) -> Result[LeaveGroupResponse]:
        group = self.groups.get(group_id)
        if not isinstance(group, ClassicGroup):
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        return self._membership.leave(group, members, now)

    # ── offsets ──────────────────────────────────────────────────────────────

    def commit_offsets(
        self, request: OffsetCommitRequest, api_version: int, now: Now
    ) -> Result[OffsetCommitResponse]:
        """The topics must exist and carry both name and id."""
        group = self.groups.get(request.group_id)
        validate_commit(group, request, api_version)
        if isinstance(group, ClassicGroup) and request.generation_id_or_member_epoch >= 0:
            if group.state is COMPLETING_REBALANCE:
                # The member knows the new generation but not yet its partitions.
                raise KafkaError(errors.REBALANCE_IN_PROGRESS)
            self._rebalance.refresh_session(group, group.members[request.member_id], now)
        return self.offsets.commit(request, now)

    def fetch_offsets(
        self, request: OffsetFetchRequestGroup, *, require_stable: bool
    ) -> OffsetFetchResponseGroup:
        group = self.groups.get(request.group_id)
        if isinstance(group, OtherGroup):
            if group.group_type is GroupType.SHARE:
                group = None
            else:
                group.validate_offset_fetch(request.member_id, request.member_epoch)
        return self.offsets.fetch(request, group, require_stable=require_stable)

    def delete_offsets(self, request: OffsetDeleteRequest) -> Result[OffsetDeleteResponse]:
        group = self.groups.get(request.group_id)
        if group is None or (isinstance(group, OtherGroup) and group.group_type is GroupType.SHARE):
            raise KafkaError(errors.GROUP_ID_NOT_FOUND)
        if isinstance(group, ClassicGroup) and group.state is not EMPTY and not group.is_consumer_group:
            raise KafkaError(errors.NON_EMPTY_GROUP)
        return self.offsets.delete(request, group)

    def delete_topics(self, topics: Iterable[tuple[str, bytes]]) -> Result[None]:
        """Topics, each with the id it had, have been deleted."""
        records = [record for topic in topics for record in self.offsets.tombstones_of_topic(*topic)]
        return Result(None, records, atomic=False)

    # ── groups ───────────────────────────────────────────────────────────────

    def classic_group(self, group_id: str) -> ClassicGroup | None:
        group = self.groups.get(group_id)
        return group if isinstance(group, ClassicGroup) else None

    def delete_group(self, group_id: str) -> Result[None]:
        group = self.groups.get(group_id)
        if group is None:
            raise KafkaError(errors.GROUP_ID_NOT_FOUND)
        if isinstance(group, OtherGroup):
            if group.group_type is GroupType.SHARE:
                # Its offsets are in `__share_group_state`, which only Apache Kafka can clean up.
                raise KafkaError(errors.UNSUPPORTED_VERSION)
            not_empty = not group.is_empty
        else:
            not_empty = group.state is not EMPTY
        if not_empty:
            raise KafkaError(errors.NON_EMPTY_GROUP)
        return Result(None, [*self.offsets.tombstones_of_group(group_id), *_group_tombstones(group)])

    def _clean_up(self, now: Now) -> Result[None]:
        """Tombstone expired offsets, and groups of which nothing is left."""
        records: list[CoordinatorRecord] = []
        for group_id, group in self.groups.items():
            if isinstance(group, OtherGroup):
                if group.group_type is GroupType.SHARE:
                    continue
                empty = group.is_empty
            else:
                empty = group.state is EMPTY
            if self.offsets.expire(group_id, group, now, records) and empty:
                records.extend(_group_tombstones(group))
        if records:
            _log.info("Expiring offsets and groups: %d tombstones", len(records))
        self._start_expiry_timer(now)
        return Result(None, records, atomic=False)

    # ── replay ───────────────────────────────────────────────────────────────

    def replay(self, offset: int, producer_id: int, record: CoordinatorRecord) -> None:
        key = record.key
        record_type: int = key.API_KEY
        if record_type in (_OFFSET_COMMIT, _LEGACY_OFFSET_COMMIT):
            self._replay_offset(offset, producer_id, key, record.value)
        elif record_type == _GROUP_METADATA:
            self._replay_group(key.group, record.value)
        else:
            self._replay_other(key.group_id, TYPE_OF_RECORD[record_type], record)

    def replay_end_transaction_marker(self, producer_id: int, *, committed: bool) -> None:
        self.offsets.store.end_transaction(producer_id, committed=committed)

    def _replay_offset(self, record_offset: int, producer_id: int, key: Any, value: Any) -> None:
        if value is None:
            self.offsets.store.remove(key.group, key.topic, key.partition)
            return
        if key.group not in self.groups:
            self.groups[key.group] = ClassicGroup(key.group)
        committed = CommittedOffset(
            value.offset,
            # What the oldest layout of the value lacks.
            getattr(value, "leader_epoch", -1),
            value.metadata,
            value.commit_timestamp,
            getattr(value, "expire_timestamp", group_records.NO_TIMESTAMP),
            getattr(value, "topic_id", bytes(16)),
            record_offset,
        )
        self.offsets.store.put(producer_id, key.group, key.topic, key.partition, committed)

    def _replay_group(self, group_id: str, value: GroupMetadataValue | None) -> None:
        present = self.groups.get(group_id)
        if isinstance(present, ClassicGroup):
            self._forget(present)
        elif present is not None and value is None:
            return  # The id has passed to another protocol.
        if value is not None:
            self.groups[group_id] = _loaded_group(group_id, value)

    def _replay_other(self, group_id: str, group_type: GroupType, record: CoordinatorRecord) -> None:
        group = self.groups.get(group_id)
        if not isinstance(group, OtherGroup) or group.group_type is not group_type:
            if record.value is None:
                return
            group = self.groups[group_id] = OtherGroup(group_id, group_type)
        group.replay(record)
        if group.is_deleted:
            self._forget(group)

    def _forget(self, group: Group) -> None:
        if isinstance(group, ClassicGroup):
            self._rebalance.stop_timers(group)
            group.state = DEAD
        elif group.session_timer is not None:
            self._timers.stop(group.session_timer)
        del self.groups[group.group_id]

    # ── life ─────────────────────────────────────────────────────────────────

    def on_loaded(self, now: Now) -> None:
        self._start_expiry_timer(now)
        for group in self.groups.values():
            if isinstance(group, OtherGroup):
                if not group.is_empty:
                    group.session_timer = Timer(partial(self._expire_members, group))
                    self._timers.start(
                        group.session_timer, now.monotonic_ms + self._config.consumer_session_timeout_ms
                    )
                continue
            for member in group.members.values():
                self._rebalance.refresh_session(group, member, now)
            if len(group.members) > self._config.max_size:
                # Members commit while they rejoin; then the surplus is refused.
                self._rebalance.prepare(group, now)

    def _expire_members(self, group: OtherGroup, now: Now) -> None:
        group.expired = True

    def on_unloaded(self) -> None:
        for group in self.groups.values():
            if not isinstance(group, ClassicGroup):
                continue
            for member in group.members.values():
                response = join_error(errors.NOT_COORDINATOR, member.member_id)
                self._rebalance.answer_join(group, member, response)
                self._rebalance.answer_sync(member, SyncGroupResponse(error_code=errors.NOT_COORDINATOR))
            group.state = DEAD

    def next_deadline(self) -> int | None:
        return self._timers.next_deadline()

    def on_deadline(self, now: Now) -> Result[None] | None:
        timer = self._timers.pop_due(now.monotonic_ms)
        if timer is None:
            return None
        return timer.action(now) or Result(None)

    def take_replies(self) -> Sequence[Reply]:
        if not self._replies:
            return ()
        replies = self._replies.copy()
        self._replies.clear()
        return replies

    def _start_expiry_timer(self, now: Now) -> None:
        interval_ms = self._config.offsets_retention_check_interval_ms
        self._timers.start(self._expiry_timer, now.monotonic_ms + interval_ms)


def _group_tombstones(group: Group) -> list[CoordinatorRecord]:
    if isinstance(group, OtherGroup):
        return group.tombstones()
    return [group_records.group_metadata_tombstone(group.group_id)]


def _loaded_group(group_id: str, value: GroupMetadataValue) -> ClassicGroup:
    group = ClassicGroup(
        group_id,
        STABLE if value.members else EMPTY,
        generation_id=value.generation,
        protocol_type=value.protocol_type or None,
        protocol_name=(value.protocol or "") if value.members else value.protocol,
        state_timestamp_ms=None if value.current_state_timestamp == -1 else value.current_state_timestamp,
    )
    for each in value.members:
        if each.member_id in group.members or each.group_instance_id in group.static_members:
            _log.error("Group %s: dropping member %s, stored twice", group_id, each.member_id)
            continue
        member = ClassicMember(
            each.member_id,
            each.group_instance_id,
            each.client_id,
            each.client_host,
            each.session_timeout if each.rebalance_timeout == -1 else each.rebalance_timeout,
            each.session_timeout,
            value.protocol_type,
            # Of what the member supports only the chosen protocol is durable.
            ((value.protocol or "", each.subscription),),
            each.assignment,
        )
        group.add(member)
    if value.leader in group.members:
        group.leader_id = value.leader
    group.refresh_subscribed_topics()
    return group
