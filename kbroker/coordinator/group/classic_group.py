"""One classic group: its state, members, generation and protocol.

    Empty ──join──▶ PreparingRebalance ──all joined, or timeout──▶ CompletingRebalance
      ▲                ▲   │                                          │          │
      └──nobody joined─┼───┘◀──join with news, leave, member failed───┘          │
                       │                                     leader's assignment │
                       └──────join with news, leave, member failed──── Stable ◀──┘
    any ──unloaded or deleted──▶ Dead

    invariant  the generation never decreases
    invariant  the leader, when there is one, is a member
    invariant  awaiting_join = members whose JoinGroup is parked

This class keeps the books; `rebalance` and `membership` decide.
Kafka: `ClassicGroup`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

from kbroker.coordinator.group.classic_member import ClassicMember, Protocols
from kbroker.coordinator.group.subscription import subscribed_topics
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError

if TYPE_CHECKING:
    from kbroker.coordinator.timers import Timer

CONSUMER_PROTOCOL_TYPE = "consumer"


class GroupState(Enum):
    """The value is the text that clients see."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


EMPTY = GroupState.EMPTY
PREPARING_REBALANCE = GroupState.PREPARING_REBALANCE
COMPLETING_REBALANCE = GroupState.COMPLETING_REBALANCE
STABLE = GroupState.STABLE
DEAD = GroupState.DEAD

_PREVIOUS: dict[GroupState, frozenset[GroupState]] = {
    EMPTY: frozenset({PREPARING_REBALANCE}),
    PREPARING_REBALANCE: frozenset({STABLE, COMPLETING_REBALANCE, EMPTY}),
    COMPLETING_REBALANCE: frozenset({PREPARING_REBALANCE}),
    STABLE: frozenset({COMPLETING_REBALANCE}),
    DEAD: frozenset(GroupState),
}


class ClassicGroup:
    """The books of one group."""

    __slots__ = (
        "awaiting_join",
        "generation_id",
        "group_id",
        "join_timer",
        "leader_id",
        "members",
        "new_member_added",
        "pending_members",
        "pending_sync",
        "previous_state",
        "protocol_name",
        "protocol_type",
        "state",
        "state_timestamp_ms",
        "static_members",
        "subscribed_topics",
        "supported_protocols",
        "sync_timer",
    )

    def __init__(
        self,
        group_id: str,
        state: GroupState = EMPTY,
        *,
        generation_id: int = 0,
        protocol_type: str | None = None,
        protocol_name: str | None = None,
        leader_id: str | None = None,
        state_timestamp_ms: int | None = None,
    ) -> None:
        self.group_id = group_id
        self.state = state
        self.previous_state = DEAD
        self.generation_id = generation_id
        # None: a simple group, which has only ever committed offsets.
        self.protocol_type = protocol_type
        self.protocol_name = protocol_name
        self.leader_id = leader_id
        # Wall clock; None in records of old Kafka versions.
        self.state_timestamp_ms = state_timestamp_ms
        self.members: dict[str, ClassicMember] = {}
        self.static_members: dict[str, str] = {}  # instance id → member id
        # Ids given out with MEMBER_ID_REQUIRED, each with the timer that forgets it.
        self.pending_members: dict[str, Timer] = {}
        self.pending_sync: set[str] = set()
        self.awaiting_join = 0
        self.supported_protocols: dict[str, int] = {}  # name → how many members support it
        # None: unknown, or not a consumer group.
        self.subscribed_topics: frozenset[str] | None = None
        # Whether somebody joined during the initial delay, which prolongs it.
        self.new_member_added = False
        self.join_timer: Timer | None = None
        self.sync_timer: Timer | None = None

    # ── questions ────────────────────────────────────────────────────────────

    @property
    def is_consumer_group(self) -> bool:
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    @property
    def is_simple(self) -> bool:
        """Whether the group has only ever been used to commit offsets."""
        return self.protocol_type is None and self.state is EMPTY and not self.pending_members

    @property
    def member_count(self) -> int:
        return len(self.members)

    def is_leader(self, member_id: str) -> bool:
        return self.leader_id == member_id

    def has_all_members_joined(self) -> bool:
        return self.awaiting_join == len(self.members) and not self.pending_members

    def rebalance_timeout_ms(self) -> int:
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    def supports(self, protocol_type: str, names: Iterable[str]) -> bool:
        """Whether a member of that type, supporting these protocols, may join."""
        if self.state is EMPTY:
            return bool(protocol_type) and any(True for _ in names)
        if self.protocol_type is None or self.protocol_type != protocol_type:
            return False
        supported, size = self.supported_protocols, len(self.members)
        return any(supported.get(name, 0) == size for name in names)

    def select_protocol(self) -> str:
        """The protocol that most members like best among those that all support."""
        size = len(self.members)
        candidates = {name for name, count in self.supported_protocols.items() if count == size}
        votes: dict[str, int] = {}
        for member in self.members.values():
            name = member.vote(candidates)
            votes[name] = votes.get(name, 0) + 1
        return max(votes, key=votes.__getitem__)

    def validate_member(self, member_id: str, instance_id: str | None) -> None:
        """Raise UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID when another member owns the instance id."""
        if instance_id is not None:
            owner = self.static_members.get(instance_id)
            if owner is None:
                raise KafkaError(errors.UNKNOWN_MEMBER_ID)
            if owner != member_id:
                raise KafkaError(errors.FENCED_INSTANCE_ID)
        if member_id not in self.members:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)

    def is_subscribed_to(self, topic: str) -> bool:
        if self.subscribed_topics is None:
            # A consumer group whose subscriptions cannot be read may be subscribed to anything.
            return self.is_consumer_group
        return topic in self.subscribed_topics

    # ── books ────────────────────────────────────────────────────────────────

    def transition_to(self, state: GroupState, wall_ms: int) -> None:
        assert self.state in _PREVIOUS[state], f"{self.group_id}: {self.state} → {state}"
        self.previous_state = self.state
        self.state = state
        self.state_timestamp_ms = wall_ms

    def next_generation(self, wall_ms: int) -> None:
        """Enter CompletingRebalance with whoever is here, or Empty with nobody."""
        self.generation_id += 1
        self.protocol_name = self.select_protocol() if self.members else None
        self.refresh_subscribed_topics()
        self.transition_to(COMPLETING_REBALANCE if self.members else EMPTY, wall_ms)
        self.pending_sync.clear()

    def add(self, member: ClassicMember, join_token: object = None) -> None:
        if member.instance_id is not None:
            assert member.instance_id not in self.static_members
            self.static_members[member.instance_id] = member.member_id
        if not self.members:
            self.protocol_type = member.protocol_type
        if self.leader_id is None:
            self.leader_id = member.member_id
        self.members[member.member_id] = member
        self._count_protocols(member, 1)
        self.set_join_token(member, join_token)
        self.pending_members.pop(member.member_id, None)

    def remove(self, member_id: str) -> ClassicMember | None:
        member = self.members.pop(member_id, None)
        if member is not None:
            self._count_protocols(member, -1)
            self.set_join_token(member, None)
            if member.instance_id is not None:
                del self.static_members[member.instance_id]
        if self.leader_id == member_id:
            self.leader_id = next(iter(self.members), None)
        self.pending_sync.discard(member_id)
        return member

    def replace_static(self, member: ClassicMember, new_member_id: str) -> ClassicMember:
        """Give the static member's place to a new member id."""
        assert member.instance_id is not None
        assert member.join_token is None
        replacement = ClassicMember(
            new_member_id,
            member.instance_id,
            member.client_id,
            member.client_host,
            member.rebalance_timeout_ms,
            member.session_timeout_ms,
            member.protocol_type,
            member.protocols,
            member.assignment,
        )
        del self.members[member.member_id]
        self.members[new_member_id] = replacement
        self.static_members[member.instance_id] = new_member_id
        if self.leader_id == member.member_id:
            self.leader_id = new_member_id
        self.pending_sync.discard(member.member_id)
        return replacement

    def update(
        self,
        member: ClassicMember,
        protocols: Protocols,
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        join_token: object,
    ) -> None:
        self._count_protocols(member, -1)
        member.protocols = protocols
        self._count_protocols(member, 1)
        member.rebalance_timeout_ms = rebalance_timeout_ms
        member.session_timeout_ms = session_timeout_ms
        self.set_join_token(member, join_token)

    def set_join_token(self, member: ClassicMember, token: object) -> None:
        """The only place where `join_token` changes, so that the count is right."""
        self.awaiting_join += (token is not None) - (member.join_token is not None)
        member.join_token = token

    def elect_joined_leader(self) -> bool:
        """Make sure that the leader takes part in the next generation; False if nobody does."""
        if self.leader_id is None:
            return False
        if self.members[self.leader_id].join_token is not None:
            return True
        for member in self.members.values():
            if member.join_token is not None:
                self.leader_id = member.member_id
                return True
        return False

    def refresh_subscribed_topics(self) -> None:
        self.subscribed_topics = self._compute_subscribed_topics()

    def _compute_subscribed_topics(self) -> frozenset[str] | None:
        if not self.is_consumer_group:
            return None
        if not self.members:
            return frozenset()
        if self.protocol_name is None:
            return None
        topics: set[str] = set()
        for member in self.members.values():
            of_member = subscribed_topics(member.metadata(self.protocol_name))
            if of_member is None:
                return None
            topics |= of_member
        return frozenset(topics)

    def _count_protocols(self, member: ClassicMember, change: int) -> None:
        counts = self.supported_protocols
        for name, _ in member.protocols:
            count = counts.get(name, 0) + change
            if count:
                counts[name] = count
            else:
                counts.pop(name, None)
