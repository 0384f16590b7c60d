"""How a classic group gets from one generation to the next.

    prepare ──▶ every member's JoinGroup is parked, or the timeout ──▶ complete_join
    complete_join answers all joins; SyncGroups are awaited until the sync timer

    invariant  in CompletingRebalance nobody's JoinGroup is parked; in Stable only that of a
               static member whose replacement is being committed
    invariant  in Empty, PreparingRebalance and Stable nobody's SyncGroup is parked

Kafka: the classic half of `GroupMetadataManager`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

from kbroker.coordinator.group import group_records
from kbroker.coordinator.group.classic_group import (
    COMPLETING_REBALANCE,
    DEAD,
    EMPTY,
    PREPARING_REBALANCE,
    STABLE,
    ClassicGroup,
)
from kbroker.coordinator.group.classic_member import ClassicMember
from kbroker.coordinator.group.config import GroupCoordinatorConfig
from kbroker.coordinator.shard import Now, Reply, Result
from kbroker.coordinator.timers import Timer, Timers
from kbroker.protocol import errors
from kbroker.protocol.generated.join_group_response import JoinGroupResponse, JoinGroupResponseMember
from kbroker.protocol.generated.sync_group_response import SyncGroupResponse

_log = logging.getLogger(__name__)


def join_error(code: int, member_id: str = "") -> JoinGroupResponse:
    return JoinGroupResponse(error_code=code, member_id=member_id)


def current_members(group: ClassicGroup) -> list[JoinGroupResponseMember]:
    """All members with their metadata, for the leader to assign."""
    return [
        JoinGroupResponseMember(
            member_id=member.member_id,
            group_instance_id=member.instance_id,
            metadata=member.metadata(group.protocol_name),
        )
        for member in group.members.values()
    ]


def join_answer(
    group: ClassicGroup,
    member_id: str,
    *,
    with_members: bool = False,
    leader_id: str | None = None,
    skip_assignment: bool = False,
) -> JoinGroupResponse:
    """The group's current generation, as one member's JoinGroup is told."""
    leader = group.leader_id if leader_id is None else leader_id
    return JoinGroupResponse(
        generation_id=group.generation_id,
        protocol_type=group.protocol_type,
        protocol_name=group.protocol_name,
        leader="" if leader is None else leader,
        skip_assignment=skip_assignment,
        member_id=member_id,
        members=current_members(group) if with_members else [],
    )


class Rebalance:
    """Moves groups through their states and answers those who wait."""

    __slots__ = ("_config", "_replies", "_timers")

    def __init__(self, config: GroupCoordinatorConfig, timers: Timers, replies: list[Reply]) -> None:
        self._config = config
        self._timers = timers
        self._replies = replies

    # ── answers ──────────────────────────────────────────────────────────────

    def answer_join(self, group: ClassicGroup, member: ClassicMember, response: JoinGroupResponse) -> None:
        """Answer the member's parked JoinGroup, if there is one."""
        if member.join_token is not None:
            self._replies.append(Reply(member.join_token, response))
            group.set_join_token(member, None)

    def answer_sync(self, member: ClassicMember, response: SyncGroupResponse) -> bool:
        """Answer the member's parked SyncGroup, if there is one."""
        if member.sync_token is None:
            return False
        self._replies.append(Reply(member.sync_token, response))
        member.sync_token = None
        return True

    # ── sessions ─────────────────────────────────────────────────────────────

    def refresh_session(
        self, group: ClassicGroup, member: ClassicMember, now: Now, timeout_ms: int | None = None
    ) -> None:
        """The member has shown a sign of life."""
        timer = member.session_timer
        if timer is None:
            timer = member.session_timer = Timer(partial(self._expire_session, group, member))
        if timeout_ms is None:
            timeout_ms = member.session_timeout_ms
        self._timers.start(timer, now.monotonic_ms + timeout_ms)

    def add_pending(self, group: ClassicGroup, member_id: str, timeout_ms: int, now: Now) -> None:
        """Remember a member id that was given out, until its owner comes back with it."""
        timer = Timer(partial(self._expire_pending, group, member_id))
        group.pending_members[member_id] = timer
        self._timers.start(timer, now.monotonic_ms + timeout_ms)

    def drop_pending(self, group: ClassicGroup, member_id: str) -> None:
        timer = group.pending_members.pop(member_id, None)
        if timer is not None:
            self._timers.stop(timer)

    def stop_session(self, member: ClassicMember) -> None:
        if member.session_timer is not None:
            self._timers.stop(member.session_timer)

    def drop_member(self, group: ClassicGroup, member: ClassicMember) -> None:
        """Take the member out; what it waits for is answered UNKNOWN_MEMBER_ID."""
        self.stop_session(member)
        self.answer_join(group, member, join_error(errors.UNKNOWN_MEMBER_ID))
        self.answer_sync(member, SyncGroupResponse(error_code=errors.UNKNOWN_MEMBER_ID))
        group.remove(member.member_id)

    def stop_timers(self, group: ClassicGroup) -> None:
        """The group is going away."""
        for timer in (group.join_timer, group.sync_timer, *group.pending_members.values()):
            if timer is not None:
                self._timers.stop(timer)
        for member in group.members.values():
            self.stop_session(member)

    def _expire_session(self, group: ClassicGroup, member: ClassicMember, now: Now) -> Result[None] | None:
        if group.state is DEAD or group.members.get(member.member_id) is not member:
            return None
        if member.is_held_by_a_request():
            return None
        _log.info("Group %s: member %s has not been heard of in time", group.group_id, member.member_id)
        self.drop_member(group, member)
        return self.after_removal(group, now)

    def _expire_pending(self, group: ClassicGroup, member_id: str, now: Now) -> Result[None] | None:
        if group.pending_members.pop(member_id, None) is None:
            return None
        return self.after_pending_removal(group, now)

    # ── transitions ──────────────────────────────────────────────────────────

    def after_removal(self, group: ClassicGroup, now: Now) -> Result[None] | None:
        """A member has gone: rebalance, or finish the one that waited for it."""
        if group.state is STABLE or group.state is COMPLETING_REBALANCE:
            return self.prepare(group, now)
        return self.after_pending_removal(group, now)

    def after_pending_removal(self, group: ClassicGroup, now: Now) -> Result[None] | None:
        if group.state is PREPARING_REBALANCE and group.has_all_members_joined():
            return self.complete_join(group, now)
        return None

    def prepare_or_complete(self, group: ClassicGroup, now: Now) -> Result[None] | None:
        """Begin a rebalance, or see whether the one under way can complete."""
        if group.state is PREPARING_REBALANCE:
            return self.maybe_complete_join(group, now)
        return self.prepare(group, now)

    def prepare(self, group: ClassicGroup, now: Now) -> Result[None] | None:
        """Enter PreparingRebalance: every member has to join again."""
        if group.state is COMPLETING_REBALANCE:
            self.reset_assignments(group, errors.REBALANCE_IN_PROGRESS, now)
        group.pending_sync.clear()
        if group.sync_timer is not None:
            self._timers.stop(group.sync_timer)
        initial = group.state is EMPTY
        group.transition_to(PREPARING_REBALANCE, now.wall_ms)
        if initial:
            group.new_member_added = False
            delay_ms = self._config.initial_rebalance_delay_ms
            remaining_ms = max(group.rebalance_timeout_ms() - delay_ms, 0)
            self._start_initial_delay(group, delay_ms, remaining_ms, now)
            return None
        if group.has_all_members_joined():
            return self.complete_join(group, now)
        self._start_join_timer(group, now)
        return None

    def maybe_complete_join(self, group: ClassicGroup, now: Now) -> Result[None] | None:
        # The first rebalance of an empty group ends by its timer alone.
        if (
            group.state is PREPARING_REBALANCE
            and group.previous_state is not EMPTY
            and group.has_all_members_joined()
        ):
            return self.complete_join(group, now)
        return None

    def complete_join(self, group: ClassicGroup, now: Now) -> Result[None] | None:
        """Begin the next generation with those who have joined, and with absent static members."""
        if group.join_timer is not None:
            self._timers.stop(group.join_timer)
        for member in list(group.members.values()):
            if member.join_token is None and member.instance_id is None:
                self.drop_member(group, member)
        if not group.elect_joined_leader() and group.members:
            # Only absent static members are left; they may come back.
            self._start_join_timer(group, now)
            return None
        group.next_generation(now.wall_ms)
        if group.state is EMPTY:
            return Result(None, [group_records.group_metadata(group, {})], replay=False)
        for member in group.members.values():
            answer = join_answer(group, member.member_id, with_members=group.is_leader(member.member_id))
            self.answer_join(group, member, answer)
            self.refresh_session(group, member, now)
            member.is_new = False
            group.pending_sync.add(member.member_id)
        group.sync_timer = Timer(partial(self._expire_sync, group, group.generation_id))
        self._timers.start(group.sync_timer, now.monotonic_ms + group.rebalance_timeout_ms())
        _log.info(
            "Group %s: generation %d, members: %d",
            group.group_id,
            group.generation_id,
            len(group.members),
        )
        return None

    def set_assignments(self, group: ClassicGroup, assignments: Mapping[str, bytes], now: Now) -> None:
        """The leader's assignment is committed: hand it out."""
        for member in group.members.values():
            member.assignment = assignments.get(member.member_id, b"")
        group.transition_to(STABLE, now.wall_ms)
        for member in group.members.values():
            answered = self.answer_sync(
                member,
                SyncGroupResponse(
                    protocol_type=group.protocol_type,
                    protocol_name=group.protocol_name,
                    assignment=member.assignment,
                ),
            )
            if answered:
                self.refresh_session(group, member, now)

    def reset_assignments(self, group: ClassicGroup, code: int, now: Now) -> None:
        """The assignment will not come: tell those who wait for it."""
        for member in group.members.values():
            member.assignment = b""
            if self.answer_sync(member, SyncGroupResponse(error_code=code)):
                self.refresh_session(group, member, now)

    def note_synced(self, group: ClassicGroup, member_id: str) -> None:
        group.pending_sync.discard(member_id)
        if not group.pending_sync and group.sync_timer is not None:
            self._timers.stop(group.sync_timer)

    # ── timers ───────────────────────────────────────────────────────────────

    def _start_join_timer(self, group: ClassicGroup, now: Now) -> None:
        self._replace_join_timer(group, Timer(partial(self.complete_join, group)))
        assert group.join_timer is not None
        self._timers.start(group.join_timer, now.monotonic_ms + group.rebalance_timeout_ms())

    def _start_initial_delay(self, group: ClassicGroup, delay_ms: int, remaining_ms: int, now: Now) -> None:
        timer = Timer(partial(self._end_initial_delay, group, delay_ms, remaining_ms))
        self._replace_join_timer(group, timer)
        self._timers.start(timer, now.monotonic_ms + delay_ms)

    def _replace_join_timer(self, group: ClassicGroup, timer: Timer) -> None:
        if group.join_timer is not None:
            self._timers.stop(group.join_timer)
        group.join_timer = timer

    def _end_initial_delay(
        self, group: ClassicGroup, delay_ms: int, remaining_ms: int, now: Now
    ) -> Result[None] | None:
        if group.new_member_added and remaining_ms:
            # More may be on their way; wait again, within the rebalance timeout.
            group.new_member_added = False
            next_delay_ms = min(self._config.initial_rebalance_delay_ms, remaining_ms)
            self._start_initial_delay(group, next_delay_ms, max(remaining_ms - delay_ms, 0), now)
            return None
        return self.complete_join(group, now)

    def _expire_sync(self, group: ClassicGroup, generation_id: int, now: Now) -> Result[None] | None:
        """Members that took the generation but never asked for their assignment are gone."""
        waiting = group.state is COMPLETING_REBALANCE or group.state is STABLE
        if not waiting or group.generation_id != generation_id or not group.pending_sync:
            return None
        _log.info("Group %s: no SyncGroup in time from %s", group.group_id, sorted(group.pending_sync))
        for member_id in list(group.pending_sync):
            member = group.members.get(member_id)
            if member is not None:
                self.drop_member(group, member)
        return self.prepare(group, now)
