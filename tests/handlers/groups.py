"""A broker in memory with its group coordinator and a clock that can be moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kbroker.broker.group_coordinators import GroupCoordinators
from kbroker.broker.pending import WaitingRoom
from kbroker.handlers.context import Pending
from kbroker.metadata.delta import MetadataDelta
from kbroker.metadata.topic_names import GROUP_METADATA_TOPIC
from kbroker.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from kbroker.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kbroker.protocol.generated.offset_fetch_request import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from kbroker.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment
from tests.handlers.support import DeferringDisk, World, now


class GroupWorld(World):
    """Broker 1, coordinating groups on the `__consumer_offsets` it is given."""

    def __init__(self, settings: Mapping[str, str] | None = None, disk: DeferringDisk | None = None) -> None:
        super().__init__(settings, disk)
        self.room = WaitingRoom(self.clock)
        self.services.waiting = self.room
        self.groups = GroupCoordinators(self.services)
        self.services.groups = self.groups

    def change(self, *records: Any) -> None:
        before = self.published.image
        super().change(*records)
        delta = MetadataDelta(before)
        for record in records:
            delta.replay(record, before.offset + 1)
        self.groups.apply(delta.build(before.offset + 1, before.epoch), delta)

    def finish_turn(self) -> None:
        self.room.wake(self.replicas.take_woken())

    def create_offsets_topic(self, partitions: int = 3, **topic: Any) -> None:
        self.create_topic(GROUP_METADATA_TOPIC, partitions, {"cleanup.policy": "compact"}, **topic)

    def pass_time(self, duration_ms: int) -> None:
        """Let time pass, firing timers at their very moment."""
        end_ms = self.clock.now_ms + duration_ms
        while (deadline_ms := self.room.next_deadline_ms()) is not None and deadline_ms <= end_ms:
            self.clock.now_ms = max(deadline_ms, self.clock.now_ms)
            self.room.run_due()
            self.finish_turn()
        self.clock.now_ms = end_ms

    # --- requests

    def join(self, member_id: str = "", group_id: str = "g", version: int = 9, **request: Any) -> Any:
        wanted = JoinGroupRequest(
            group_id=group_id,
            session_timeout_ms=request.pop("session_timeout_ms", 10_000),
            rebalance_timeout_ms=60_000,
            member_id=member_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol("range", b"")],
            **request,
        )
        return self.call(wanted, version)

    def sync(self, member_id: str, generation_id: int, assignment: bytes = b"", version: int = 5) -> Any:
        given = [SyncGroupRequestAssignment(member_id, assignment)] if assignment else []
        request = SyncGroupRequest("g", generation_id, member_id, None, "consumer", "range", given)
        return self.call(request, version)

    def stable_member(self) -> tuple[str, int]:
        """The only member of a Stable group: its id and generation."""
        member_id = now(self.join()).member_id
        joined = self.join(member_id)
        self.pass_time(1)
        generation_id = now(joined).generation_id
        now(self.sync(member_id, generation_id, b"mine"))
        return member_id, generation_id

    def commit(
        self,
        offset: int,
        member_id: str = "",
        generation_id: int = -1,
        *,
        group_id: str = "g",
        topic: str = "t",
        version: int = 9,
    ) -> Any:
        topic_id = self.published.image.topics[topic].id if version >= 10 else bytes(16)
        partition = OffsetCommitRequestPartition(0, offset, committed_metadata="why")
        wanted = OffsetCommitRequestTopic("" if version >= 10 else topic, topic_id, [partition])
        request = OffsetCommitRequest(group_id, generation_id, member_id, topics=[wanted])
        return self.call(request, version)

    def committed(self, group_id: str = "g", topic: str = "t") -> int:
        wanted = OffsetFetchRequestGroup(
            group_id, topics=[OffsetFetchRequestTopics(topic, partition_indexes=[0])]
        )
        response = now(self.call(OffsetFetchRequest(groups=[wanted]), 9))
        assert response.groups[0].error_code == 0
        offset: int = response.groups[0].topics[0].partitions[0].committed_offset
        return offset


def error_of(answer: Any) -> int:
    """The error code, wherever this kind of response has it."""
    response = now(answer)
    if hasattr(response, "error_code"):
        code: int = response.error_code
        return code
    code = response.topics[0].partitions[0].error_code
    return code


def waits(answer: Any) -> bool:
    return isinstance(answer, Pending) and not answer.done
