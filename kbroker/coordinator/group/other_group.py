"""A group of another protocol, found in a log of Apache Kafka.

It is not run here: its records stay in the log untouched, its offsets are
served, and it is listed with its type. Its members cannot heartbeat, so after
their session timeout they count as gone, as Kafka would fence them; nothing is
written for that. A classic group may then take the id, which tombstones it.

Kafka: `ConsumerGroup` (KIP-848), `ShareGroup` (KIP-932), `StreamsGroup` (KIP-1071).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from kbroker.coordinator.records import CoordinatorRecord
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError

if TYPE_CHECKING:
    from kbroker.coordinator.timers import Timer

_FIRST_VERSION_WITH_MEMBER_EPOCHS = 9
_MEMBER_IS_STABLE = 0


class GroupType(Enum):
    """The value is the text that clients see; it is the protocol type too."""

    CONSUMER = "consumer"
    SHARE = "share"
    STREAMS = "streams"


class _RecordTypes:
    """Which record says what about a group, and in which order Kafka deletes them."""

    __slots__ = ("assignment_epoch", "deletion_order", "epoch", "member", "member_epoch")

    def __init__(
        self,
        epoch: int,
        member: int,
        assignment_epoch: int,
        member_epoch: int,
        deletion_order: tuple[int, ...],
    ) -> None:
        self.epoch = epoch
        self.member = member
        self.assignment_epoch = assignment_epoch
        self.member_epoch = member_epoch
        self.deletion_order = deletion_order


_RECORD_TYPES = {
    GroupType.CONSUMER: _RecordTypes(3, 5, 6, 8, (8, 7, 6, 5, 16, 4, 3)),
    GroupType.SHARE: _RecordTypes(11, 10, 12, 14, (14, 13, 12, 10, 15, 11)),
    GroupType.STREAMS: _RecordTypes(17, 19, 20, 22, (22, 21, 20, 19, 17, 23)),
}
TYPE_OF_RECORD = {
    record_type: group_type
    for group_type, types in _RECORD_TYPES.items()
    for record_type in types.deletion_order
}


class OtherGroup:
    """The records of one group, and the little that is read from them."""

    __slots__ = (
        "_keys",
        "_member_epochs",
        "_types",
        "assignment_epoch",
        "classic_members",
        "expired",
        "group_epoch",
        "group_id",
        "group_type",
        "session_timer",
        "unreconciled",
    )

    def __init__(self, group_id: str, group_type: GroupType) -> None:
        self.group_id = group_id
        self.group_type = group_type
        self._types = _RECORD_TYPES[group_type]
        # (record type, member id or regex) → key message
        self._keys: dict[tuple[int, str], Any] = {}
        self._member_epochs: dict[str, int] = {}
        self.classic_members: set[str] = set()
        self.unreconciled: set[str] = set()
        # None once it is deleted.
        self.group_epoch: int | None = 0
        self.assignment_epoch = 0
        # Set when no member can be alive any more.
        self.expired = False
        self.session_timer: Timer | None = None

    @property
    def is_deleted(self) -> bool:
        """Whether the record without which there is no group was tombstoned, or nothing is left."""
        return not self._keys or self.group_epoch is None

    @property
    def member_count(self) -> int:
        if self.expired:
            return 0
        return sum(record_type == self._types.member for record_type, _ in self._keys)

    @property
    def is_empty(self) -> bool:
        return self.member_count == 0

    def state_text(self) -> str:
        if self.is_empty:
            return "Empty"
        if (self.group_epoch or 0) > self.assignment_epoch:
            return "Assigning"
        behind = any(epoch != self.assignment_epoch for epoch in self._member_epochs.values())
        return "Reconciling" if behind or self.unreconciled else "Stable"

    def replay(self, record: CoordinatorRecord) -> None:
        key, value = record.key, record.value
        member_id = getattr(key, "member_id", "")
        identity = (key.API_KEY, member_id or getattr(key, "regular_expression", ""))
        if value is None:
            self._keys.pop(identity, None)
        else:
            self._keys[identity] = key
        record_type, types = key.API_KEY, self._types
        if record_type == types.epoch:
            self.group_epoch = None if value is None else value.epoch
        elif record_type == types.assignment_epoch:
            self.assignment_epoch = 0 if value is None else value.assignment_epoch
        elif record_type == types.member:
            self._set(self.classic_members, member_id, getattr(value, "classic_member_metadata", None))
        elif record_type == types.member_epoch:
            self._replay_member_epoch(member_id, value)

    def _replay_member_epoch(self, member_id: str, value: Any) -> None:
        if value is None:
            self._member_epochs.pop(member_id, None)
        else:
            self._member_epochs[member_id] = value.member_epoch
        self._set(self.unreconciled, member_id, value is not None and value.state != _MEMBER_IS_STABLE)

    @staticmethod
    def _set(members: set[str], member_id: str, present: object) -> None:
        if present:
            members.add(member_id)
        else:
            members.discard(member_id)

    def tombstones(self) -> list[CoordinatorRecord]:
        """What deletes the group."""
        order = {record_type: rank for rank, record_type in enumerate(self._types.deletion_order)}
        keys = sorted(self._keys.items(), key=lambda item: order[item[0][0]])
        return [CoordinatorRecord(key) for _, key in keys]

    def validate_offset_commit(self, member_id: str, member_epoch: int, api_version: int) -> None:
        if self.group_type is GroupType.SHARE:
            raise KafkaError(errors.GROUP_ID_NOT_FOUND)
        if member_epoch < 0 and self.is_empty:
            return
        self._validate_member(member_id)
        if member_id not in self.classic_members and api_version < _FIRST_VERSION_WITH_MEMBER_EPOCHS:
            raise KafkaError(errors.UNSUPPORTED_VERSION)
        self._validate_epoch(member_id, member_epoch)

    def validate_offset_fetch(self, member_id: str | None, member_epoch: int) -> None:
        if self.group_type is GroupType.SHARE:
            raise KafkaError(errors.GROUP_ID_NOT_FOUND)
        if member_id is None and member_epoch < 0:
            return
        self._validate_member(member_id)
        self._validate_epoch(member_id or "", member_epoch)

    def _validate_member(self, member_id: str | None) -> None:
        if self.expired or member_id not in self._member_epochs:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)

    def _validate_epoch(self, member_id: str, member_epoch: int) -> None:
        if member_epoch != self._member_epochs[member_id]:
            classic = member_id in self.classic_members
            raise KafkaError(errors.ILLEGAL_GENERATION if classic else errors.STALE_MEMBER_EPOCH)
