"""A shard with a log in memory: what the driver does, without a broker.

Every record goes through its bytes, and `replayed()` builds a second shard from
the log alone, so tests can compare what was decided with what would survive.
"""

from __future__ import annotations

from itertools import count
from typing import Any, TypeVar

from kbroker.coordinator.group.classic_group import ClassicGroup, GroupState
from kbroker.coordinator.group.client import Client
from kbroker.coordinator.group.config import GroupCoordinatorConfig
from kbroker.coordinator.group.group_coordinator import GroupCoordinator
from kbroker.coordinator.records import CoordinatorRecord, decode, encode
from kbroker.coordinator.shard import Now, Result
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
from kbroker.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from kbroker.protocol.generated.leave_group_request import MemberIdentity
from kbroker.protocol.generated.leave_group_response import LeaveGroupResponse
from kbroker.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kbroker.protocol.generated.offset_commit_response import OffsetCommitResponse
from kbroker.protocol.generated.offset_fetch_request import OffsetFetchRequestGroup, OffsetFetchRequestTopics
from kbroker.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment

R = TypeVar("R")

WALL_START_MS = 1_700_000_000_000
TOPIC_ID = bytes(range(16))


class CountingRandom:
    """UUIDs that count up, so that member ids can be told in a test."""

    def __init__(self) -> None:
        self._next = 0

    def uuid(self) -> bytes:
        self._next += 1
        return self._next.to_bytes(16, "big")

    def below(self, limit: int) -> int:
        return 0


def generated_id(prefix: str, number: int) -> str:
    """The member id made of the `number`th UUID."""
    return f"{prefix}-00000000-0000-0000-0000-{number:012x}"


def subscription(*topics: str) -> bytes:
    """What a consumer sends as metadata: version 1 of ConsumerProtocolSubscription."""
    names = b"".join(len(topic).to_bytes(2, "big") + topic.encode() for topic in topics)
    no_user_data, no_owned_partitions = b"\xff\xff\xff\xff", b"\x00\x00\x00\x00"
    return b"\x00\x01" + len(topics).to_bytes(4, "big") + names + no_user_data + no_owned_partitions


class Bench:
    """One shard and its log."""

    def __init__(self, **config: int) -> None:
        self.config = GroupCoordinatorConfig(**config)
        self.random = CountingRandom()
        self.shard = GroupCoordinator(self.config, self.random)
        self.log: list[tuple[int, bytes, bytes | None]] = []  # producer id, key, value
        self.answers: dict[Any, Any] = {}
        self.elapsed_ms = 0
        # Set to a code to let the next append fail with it.
        self.append_error = 0
        # While True, records are appended but not committed until `commit` is called.
        self.hold_commits = False
        self.held: list[Result[Any]] = []
        # Whether records are in the log whose commit failed: nobody knows what becomes of them.
        self.failed_commits = False
        self._tokens = count(1)
        self.shard.on_loaded(self.now)

    @property
    def now(self) -> Now:
        return Now(WALL_START_MS + self.elapsed_ms, self.elapsed_ms)

    # ── the driver's part ────────────────────────────────────────────────────

    def carry_out(self, result: Result[R]) -> R:
        error, self.append_error = (self.append_error, 0) if result.records else (0, self.append_error)
        if not error:
            for record in result.records:
                self.append(record, replay=result.replay)
        if self.hold_commits and result.records and not error:
            self.held.append(result)
        else:
            self._complete(result, error)
        self._collect()
        if error and result.replay:
            raise KafkaError(error)
        return result.response

    def commit(self, error: int = 0) -> None:
        """Let the high watermark pass everything that was held."""
        held, self.held = self.held, []
        self.failed_commits |= bool(held) and error != 0
        for result in held:
            self._complete(result, error)
        self._collect()

    def _complete(self, result: Result[Any], error: int) -> None:
        if result.on_commit is not None:
            following = result.on_commit(error, self.now)
            if following is not None:
                self.carry_out(following)

    def _collect(self) -> None:
        for reply in self.shard.take_replies():
            assert reply.token not in self.answers, "answered twice"
            self.answers[reply.token] = reply.response

    def append(self, record: CoordinatorRecord, *, producer_id: int = -1, replay: bool = True) -> None:
        key, value = encode(record)
        self.log.append((producer_id, key, value))
        decoded = decode(key, value)
        assert decoded is not None
        if replay:
            self.shard.replay(len(self.log) - 1, producer_id, decoded)

    def pass_time(self, duration_ms: int) -> None:
        """Let time pass, firing timers at their very moment."""
        end_ms = self.elapsed_ms + duration_ms
        while True:
            deadline_ms = self.shard.next_deadline()
            if deadline_ms is None or deadline_ms > end_ms:
                break
            self.elapsed_ms = max(self.elapsed_ms, deadline_ms)
            result = self.shard.on_deadline(self.now)
            assert result is not None
            self.carry_out(result)
        self.elapsed_ms = end_ms

    def records(self) -> list[CoordinatorRecord]:
        return [record for _, key, value in self.log if (record := decode(key, value)) is not None]

    def take_records(self) -> list[CoordinatorRecord]:
        """The records since the last call; they stay in nobody's log."""
        records = self.records()
        self.log.clear()
        return records

    def replayed(self) -> Bench:
        """A bench whose shard was loaded from this one's log."""
        other = Bench.__new__(Bench)
        other.__dict__.update(self.__dict__, answers={}, held=[], log=list(self.log), append_error=0)
        other.shard = GroupCoordinator(self.config, self.random)
        for offset, (producer_id, key, value) in enumerate(self.log):
            record = decode(key, value)
            if record is not None:
                other.shard.replay(offset, producer_id, record)
        other.shard.on_loaded(other.now)
        return other

    # ── requests ─────────────────────────────────────────────────────────────

    def join(
        self,
        member_id: str = "",
        *,
        group_id: str = "g",
        client_id: str = "c",
        instance_id: str | None = None,
        protocols: dict[str, bytes] | None = None,
        protocol_type: str = "consumer",
        session_timeout_ms: int = 10_000,
        rebalance_timeout_ms: int = 60_000,
        version: int = 9,
    ) -> int:
        """Returns the token under which `answers` will hold the response."""
        token = next(self._tokens)
        offered = {"range": subscription("t")} if protocols is None else protocols
        request = JoinGroupRequest(
            group_id=group_id,
            session_timeout_ms=session_timeout_ms,
            rebalance_timeout_ms=rebalance_timeout_ms,
            member_id=member_id,
            group_instance_id=instance_id,
            protocol_type=protocol_type,
            protocols=[JoinGroupRequestProtocol(name, metadata) for name, metadata in offered.items()],
        )
        self.carry_out(self.shard.join(request, Client(client_id, "/127.0.0.1", version), token, self.now))
        return token

    def member(self, **join: Any) -> tuple[str, int]:
        """A dynamic member that asks for its id and joins with it: (member id, token)."""
        refused = self.answers[self.join(**join)]
        return refused.member_id, self.join(refused.member_id, **join)

    def sync(
        self,
        member_id: str,
        generation_id: int,
        assignments: dict[str, bytes] | None = None,
        *,
        group_id: str = "g",
        instance_id: str | None = None,
        protocol_type: str | None = "consumer",
        protocol_name: str | None = "range",
    ) -> int:
        token = next(self._tokens)
        request = SyncGroupRequest(
            group_id=group_id,
            generation_id=generation_id,
            member_id=member_id,
            group_instance_id=instance_id,
            protocol_type=protocol_type,
            protocol_name=protocol_name,
            assignments=[
                SyncGroupRequestAssignment(member, given) for member, given in (assignments or {}).items()
            ],
        )
        self.carry_out(self.shard.sync(request, token, self.now))
        return token

    def heartbeat(
        self, member_id: str, generation_id: int, *, group_id: str = "g", instance_id: str | None = None
    ) -> int:
        """The error code."""
        request = HeartbeatRequest(group_id, generation_id, member_id, instance_id)
        try:
            code: int = self.shard.heartbeat(request, self.now).error_code
        except KafkaError as error:
            return error.code
        return code

    def leave(self, *members: str | tuple[str, str | None], group_id: str = "g") -> LeaveGroupResponse:
        identities = [
            MemberIdentity(member) if isinstance(member, str) else MemberIdentity(*member)
            for member in members
        ]
        return self.carry_out(self.shard.leave(group_id, identities, self.now))

    def commit_offset(
        self,
        offset: int,
        member_id: str = "",
        generation_id: int = -1,
        *,
        group_id: str = "g",
        instance_id: str | None = None,
        topic: str = "t",
        partition: int = 0,
        metadata: str | None = "",
        retention_ms: int = -1,
        version: int = 9,
    ) -> int:
        """The error code of the partition, or of the whole."""
        try:
            response = self.commit_offsets(
                OffsetCommitRequest(
                    group_id,
                    generation_id,
                    member_id,
                    instance_id,
                    retention_ms,
                    [
                        OffsetCommitRequestTopic(
                            topic, TOPIC_ID, [OffsetCommitRequestPartition(partition, offset, 5, metadata)]
                        )
                    ],
                ),
                version,
            )
        except KafkaError as error:
            return error.code
        code: int = response.topics[0].partitions[0].error_code
        return code

    def commit_offsets(self, request: OffsetCommitRequest, version: int) -> OffsetCommitResponse:
        return self.carry_out(self.shard.commit_offsets(request, version, self.now))

    def fetch_offset(
        self, topic: str = "t", partition: int = 0, *, group_id: str = "g", topic_id: bytes = TOPIC_ID
    ) -> int:
        request = OffsetFetchRequestGroup(
            group_id, topics=[OffsetFetchRequestTopics(topic, topic_id, [partition])]
        )
        response = self.shard.fetch_offsets(request, require_stable=True)
        offset: int = response.topics[0].partitions[0].committed_offset
        return offset

    # ── shortcuts ────────────────────────────────────────────────────────────

    def group(self, group_id: str = "g") -> ClassicGroup:
        group = self.shard.groups[group_id]
        assert isinstance(group, ClassicGroup)
        return group

    def stable_group(self, size: int = 2, **join: Any) -> list[str]:
        """A Stable group of dynamic members; the first one leads. Each is assigned its own number."""
        tokens = dict(self.member(**join) for _ in range(size))
        self.pass_time(self.config.initial_rebalance_delay_ms * 2)
        members = list(tokens)
        generation = self.answers[tokens[members[0]]].generation_id
        protocol_type = join.get("protocol_type", "consumer")
        assignments = {each: b"%d" % index for index, each in enumerate(members)}
        for follower in members[1:]:
            self.sync(follower, generation, protocol_type=protocol_type)
        self.sync(members[0], generation, assignments, protocol_type=protocol_type)
        assert self.group(join.get("group_id", "g")).state is GroupState.STABLE
        return members
