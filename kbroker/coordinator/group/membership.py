"""JoinGroup, SyncGroup, Heartbeat and LeaveGroup on classic groups.

Every JoinGroup and SyncGroup is answered by a Reply to its token, at once or
when the group gets there.

Kafka: the classic half of `GroupMetadataManager`. KIP-62 (rebalance timeout),
KIP-345 (static members), KIP-394 (known member ids), KIP-814 (skip assignment).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.coordinator.group import group_records
from kbroker.coordinator.group.classic_group import (
    COMPLETING_REBALANCE,
    EMPTY,
    PREPARING_REBALANCE,
    STABLE,
    ClassicGroup,
)
from kbroker.coordinator.group.classic_member import ClassicMember, Protocols
from kbroker.coordinator.group.client import Client
from kbroker.coordinator.group.config import GroupCoordinatorConfig
from kbroker.coordinator.group.rebalance import Rebalance, join_answer, join_error
from kbroker.coordinator.shard import Now, Reply, Result
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.heartbeat_response import HeartbeatResponse
from kbroker.protocol.generated.join_group_response import JoinGroupResponse
from kbroker.protocol.generated.leave_group_response import LeaveGroupResponse, MemberResponse
from kbroker.protocol.generated.sync_group_response import SyncGroupResponse

if TYPE_CHECKING:
    from kbroker.environment import Random
    from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
    from kbroker.protocol.generated.join_group_request import JoinGroupRequest
    from kbroker.protocol.generated.leave_group_request import MemberIdentity
    from kbroker.protocol.generated.sync_group_request import SyncGroupRequest

_KNOWN_MEMBER_ID_FROM_VERSION = 4
_SKIP_ASSIGNMENT_FROM_VERSION = 9

# Kafka has no such bound: ids given out to clients that never come back.
_MAX_PENDING_MEMBERS = 10_000

# What a request is told when its own member asks the same again from elsewhere.
_SUPERSEDED = errors.REBALANCE_IN_PROGRESS


class Join:
    """One JoinGroup: the request, its sender and the token under which it is answered."""

    __slots__ = ("client", "protocols", "request", "token")

    def __init__(self, request: JoinGroupRequest, client: Client, token: object) -> None:
        self.request = request
        self.client = client
        self.token = token
        # A name given twice would be counted twice.
        unique: dict[str, bytes] = {}
        for protocol in request.protocols:
            unique.setdefault(protocol.name, protocol.metadata)
        self.protocols: Protocols = tuple(unique.items())

    def names(self) -> list[str]:
        return [name for name, _ in self.protocols]


class Membership:
    """Decides what a member's request does to its group."""

    __slots__ = ("_config", "_random", "_rebalance", "_replies")

    def __init__(
        self, config: GroupCoordinatorConfig, random: Random, rebalance: Rebalance, replies: list[Reply]
    ) -> None:
        self._config = config
        self._random = random
        self._rebalance = rebalance
        self._replies = replies

    # ── JoinGroup ────────────────────────────────────────────────────────────

    def join(self, group: ClassicGroup, join: Join, now: Now) -> Result[None] | None:
        member_id = join.request.member_id
        if not self._has_room_for(group, member_id):
            member = group.members.get(member_id)
            if member is not None:
                self._rebalance.drop_member(group, member)
            self._rebalance.drop_pending(group, member_id)
            return self._refuse(join, errors.GROUP_MAX_SIZE_REACHED)
        if not group.supports(join.request.protocol_type, join.names()):
            return self._refuse(join, errors.INCONSISTENT_GROUP_PROTOCOL, member_id)
        if member_id == "":
            return self._join_new(group, join, now)
        return self._join_known(group, join, now)

    def _has_room_for(self, group: ClassicGroup, member_id: str) -> bool:
        if group.state is EMPTY:
            return True
        member = group.members.get(member_id)
        if group.state is PREPARING_REBALANCE:
            # Whoever joins first may stay, also of a group that is too large.
            if member is not None and member.join_token is not None:
                return True
            return group.awaiting_join < self._config.max_size
        return member is not None or len(group.members) < self._config.max_size

    def _join_new(self, group: ClassicGroup, join: Join, now: Now) -> Result[None] | None:
        instance_id = join.request.group_instance_id
        prefix = join.client.client_id if instance_id is None else instance_id
        member_id = f"{prefix}-{_uuid_text(self._random.uuid())}"
        if instance_id is not None:
            owner = group.static_members.get(instance_id)
            if owner is not None:
                return self._replace_static(group, join, group.members[owner], member_id, now)
        elif join.client.api_version >= _KNOWN_MEMBER_ID_FROM_VERSION:
            if len(group.pending_members) >= _MAX_PENDING_MEMBERS:
                return self._refuse(join, errors.GROUP_MAX_SIZE_REACHED)
            self._rebalance.add_pending(group, member_id, join.request.session_timeout_ms, now)
            return self._refuse(join, errors.MEMBER_ID_REQUIRED, member_id)
        return self._add(group, join, member_id, now)

    def _join_known(self, group: ClassicGroup, join: Join, now: Now) -> Result[None] | None:
        request = join.request
        if request.member_id in group.pending_members:
            if request.group_instance_id is not None:
                # A pending id belongs to a dynamic member.
                return self._refuse(join, errors.UNKNOWN_MEMBER_ID, request.member_id)
            self._rebalance.drop_pending(group, request.member_id)
            return self._add(group, join, request.member_id, now)
        try:
            group.validate_member(request.member_id, request.group_instance_id)
        except KafkaError as error:
            return self._refuse(join, error.code, request.member_id)
        member = group.members[request.member_id]
        if group.state is PREPARING_REBALANCE:
            return self._update(group, join, member, now)
        same = member.protocols == join.protocols
        leads = group.is_leader(member.member_id)
        if group.state is COMPLETING_REBALANCE and same:
            # The answer was lost.
            return self._reply(join, join_answer(group, member.member_id, with_members=leads))
        if group.state is STABLE and same and not leads:
            return self._reply(join, join_answer(group, member.member_id))
        return self._update(group, join, member, now)

    def _add(self, group: ClassicGroup, join: Join, member_id: str, now: Now) -> Result[None] | None:
        request = join.request
        member = ClassicMember(
            member_id,
            request.group_instance_id,
            join.client.client_id,
            join.client.host,
            request.rebalance_timeout_ms,
            request.session_timeout_ms,
            request.protocol_type,
            join.protocols,
        )
        member.is_new = True
        if group.state is PREPARING_REBALANCE and group.previous_state is EMPTY:
            group.new_member_added = True
        group.add(member, join.token)
        # A new member does not heartbeat before its first join is answered, so
        # that a client which gave up is only noticed by this longer timeout.
        self._rebalance.refresh_session(group, member, now, self._config.new_member_join_timeout_ms)
        return self._rebalance.prepare_or_complete(group, now)

    def _update(
        self, group: ClassicGroup, join: Join, member: ClassicMember, now: Now
    ) -> Result[None] | None:
        self._take_join(group, join, member)
        return self._rebalance.prepare_or_complete(group, now)

    def _take_join(self, group: ClassicGroup, join: Join, member: ClassicMember) -> None:
        request = join.request
        self._rebalance.answer_join(group, member, join_error(_SUPERSEDED, member.member_id))
        group.update(
            member, join.protocols, request.rebalance_timeout_ms, request.session_timeout_ms, join.token
        )

    def _replace_static(
        self, group: ClassicGroup, join: Join, old: ClassicMember, member_id: str, now: Now
    ) -> Result[None] | None:
        """The owner of an instance id has come back without its member id."""
        old_leader_id = group.leader_id
        self._rebalance.answer_join(
            group,
            old,
            JoinGroupResponse(error_code=errors.FENCED_INSTANCE_ID, member_id=old.member_id),
        )
        self._rebalance.answer_sync(old, SyncGroupResponse(error_code=errors.FENCED_INSTANCE_ID))
        self._rebalance.stop_session(old)
        member = group.replace_static(old, member_id)
        self._take_join(group, join, member)
        self._rebalance.refresh_session(group, member, now)
        if group.state is PREPARING_REBALANCE:
            return self._rebalance.maybe_complete_join(group, now)
        if group.state is not STABLE or group.select_protocol() != group.protocol_name:
            return self._rebalance.prepare(group, now)
        # Nothing changes for the others: the new member inherits the assignment.
        assignments = {each.member_id: each.assignment for each in group.members.values()}

        def on_commit(code: int, now: Now) -> Result[None] | None:
            if member.join_token is not join.token:
                return None
            if code:
                self._undo_replacement(group, member, old, code, now)
            elif group.state is STABLE:
                answer = _inherited(group, member_id, join.client.api_version, old_leader_id)
                self._rebalance.answer_join(group, member, answer)
            # Else a rebalance has begun meanwhile and will answer.
            return None

        return Result(
            None, [group_records.group_metadata(group, assignments)], replay=False, on_commit=on_commit
        )

    def _undo_replacement(
        self, group: ClassicGroup, member: ClassicMember, old: ClassicMember, code: int, now: Now
    ) -> None:
        # The log does not know the new member id, so nobody may act under it.
        self._rebalance.answer_join(group, member, join_error(code))
        self._rebalance.stop_session(member)
        group.update(member, old.protocols, old.rebalance_timeout_ms, old.session_timeout_ms, None)
        self._rebalance.refresh_session(group, group.replace_static(member, old.member_id), now)

    # ── SyncGroup ────────────────────────────────────────────────────────────

    def sync(
        self, group: ClassicGroup, request: SyncGroupRequest, token: object, now: Now
    ) -> Result[None] | None:
        try:
            self._validate_sync(group, request)
        except KafkaError as error:
            self._replies.append(Reply(token, SyncGroupResponse(error_code=error.code)))
            return None
        member = group.members[request.member_id]
        self._rebalance.note_synced(group, member.member_id)
        self._rebalance.answer_sync(member, SyncGroupResponse(error_code=_SUPERSEDED))
        member.sync_token = token
        if group.state is STABLE:
            answer = SyncGroupResponse(
                protocol_type=group.protocol_type,
                protocol_name=group.protocol_name,
                assignment=member.assignment,
            )
            self._rebalance.answer_sync(member, answer)
            return None
        if not group.is_leader(member.member_id):
            return None
        given = {each.member_id: each.assignment for each in request.assignments}
        assignments = {member_id: given.get(member_id, b"") for member_id in group.members}
        generation_id = group.generation_id

        def on_commit(code: int, now: Now) -> Result[None] | None:
            # A rebalance may have begun while the record was on its way.
            if group.state is not COMPLETING_REBALANCE or group.generation_id != generation_id:
                return None
            if not code:
                self._rebalance.set_assignments(group, assignments, now)
                return None
            self._rebalance.reset_assignments(group, code, now)
            return self._rebalance.prepare(group, now)

        return Result(
            None, [group_records.group_metadata(group, assignments)], replay=False, on_commit=on_commit
        )

    def _validate_sync(self, group: ClassicGroup, request: SyncGroupRequest) -> None:
        group.validate_member(request.member_id, request.group_instance_id)
        if request.generation_id != group.generation_id:
            raise KafkaError(errors.ILLEGAL_GENERATION)
        if _differ(request.protocol_type, group.protocol_type) or _differ(
            request.protocol_name, group.protocol_name
        ):
            raise KafkaError(errors.INCONSISTENT_GROUP_PROTOCOL)
        if group.state is PREPARING_REBALANCE:
            raise KafkaError(errors.REBALANCE_IN_PROGRESS)

    # ── Heartbeat ────────────────────────────────────────────────────────────

    def heartbeat(self, group: ClassicGroup, request: HeartbeatRequest, now: Now) -> HeartbeatResponse:
        group.validate_member(request.member_id, request.group_instance_id)
        if request.generation_id != group.generation_id:
            raise KafkaError(errors.ILLEGAL_GENERATION)
        self._rebalance.refresh_session(group, group.members[request.member_id], now)
        if group.state is PREPARING_REBALANCE:
            return HeartbeatResponse(error_code=errors.REBALANCE_IN_PROGRESS)
        return HeartbeatResponse()

    # ── LeaveGroup ───────────────────────────────────────────────────────────

    def leave(
        self, group: ClassicGroup, members: list[MemberIdentity], now: Now
    ) -> Result[LeaveGroupResponse]:
        responses = []
        somebody_left = False
        for identity in members:
            code = errors.NONE
            try:
                self._leave_one(group, identity)
                somebody_left = True
            except KafkaError as error:
                code = error.code
            responses.append(
                MemberResponse(
                    member_id=identity.member_id,
                    group_instance_id=identity.group_instance_id,
                    error_code=code,
                )
            )
        following = None
        if somebody_left:
            if group.state is PREPARING_REBALANCE:
                following = self._rebalance.maybe_complete_join(group, now)
            elif group.state is not EMPTY:
                following = self._rebalance.prepare(group, now)
        response = LeaveGroupResponse(members=responses)
        if following is None:
            return Result(response)
        return Result(response, following.records, replay=following.replay, on_commit=following.on_commit)

    def _leave_one(self, group: ClassicGroup, identity: MemberIdentity) -> None:
        member_id = identity.member_id
        if member_id == "":
            # An administrator removes a static member whose id it cannot know.
            instance_id = identity.group_instance_id
            owner = None if instance_id is None else group.static_members.get(instance_id)
            if owner is None:
                raise KafkaError(errors.UNKNOWN_MEMBER_ID)
            member_id = owner
        elif member_id in group.pending_members:
            self._rebalance.drop_pending(group, member_id)
            return
        else:
            group.validate_member(member_id, identity.group_instance_id)
        self._rebalance.drop_member(group, group.members[member_id])

    # ── replies ──────────────────────────────────────────────────────────────

    def _reply(self, join: Join, response: JoinGroupResponse) -> Result[None] | None:
        self._replies.append(Reply(join.token, response))
        return None

    def _refuse(self, join: Join, code: int, member_id: str = "") -> Result[None] | None:
        return self._reply(join, join_error(code, member_id))


def _inherited(
    group: ClassicGroup, member_id: str, api_version: int, old_leader_id: str | None
) -> JoinGroupResponse:
    """What a replaced static member is told: its predecessor's place, nothing to assign."""
    if api_version >= _SKIP_ASSIGNMENT_FROM_VERSION:
        leads = group.is_leader(member_id)
        return join_answer(group, member_id, with_members=leads, skip_assignment=leads)
    # An older client must not take itself for the leader, or it would assign.
    return join_answer(group, member_id, leader_id=old_leader_id)


def _differ(given: str | None, of_group: str | None) -> bool:
    return given is not None and of_group is not None and given != of_group


def _uuid_text(uuid: bytes) -> str:
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
