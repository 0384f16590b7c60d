"""What a group of 50 costs: members of the classic protocol, each on its own connection.

They join one after another without waiting for each other, as they are told to
by the errors they get, and send heartbeats every 10 ms (a client's every 3 s
would be all that is seen). `group.initial.rebalance.delay.ms` is 0. It is timed
from the first JoinGroup until all are in one generation with assignments; then
from the LeaveGroup of one until the others are so again. CPU is the broker's for
both. Each round is the median of several groups.
"""

import selectors
import statistics
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from compat.bench.client import TIMEOUT_S, Client
from compat.bench.kinds import broker_of
from compat.bench.report import Row
from compat.bench.turns import cpu_s, directory, ended, seconds, turns
from compat.brokers import BrokerProcess
from kbroker.protocol.errors import (
    ILLEGAL_GENERATION,
    MEMBER_ID_REQUIRED,
    NONE,
    REBALANCE_IN_PROGRESS,
)
from kbroker.protocol.generated.describe_groups_request import DescribeGroupsRequest
from kbroker.protocol.generated.find_coordinator_request import FindCoordinatorRequest
from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
from kbroker.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from kbroker.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from kbroker.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment
from kbroker.protocol.primitives import Message

MEMBERS: Final = 50
GROUPS: Final = 5
HEARTBEAT_S: Final = 0.01
_SESSION_MS: Final = 30_000
_TOPIC: Final = "grouped"
_VERSIONS: Final[Mapping[type[Message], int]] = {
    JoinGroupRequest: 5,
    SyncGroupRequest: 3,
    HeartbeatRequest: 3,
    LeaveGroupRequest: 3,
}


def group(kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    """Joining and leaving."""
    joined = Row("50 members: from the first JoinGroup until all are assigned", "ms")
    left = Row("50 members: from one's LeaveGroup until the others are assigned", "ms")
    cpu = Row("50 members: CPU for both", "ms")
    with ExitStack() as stack:
        home = stack.enter_context(directory(folder / "group"))
        brokers = {kind: stack.enter_context(ended(broker_of(kind, home / kind))) for kind in kinds}
        for broker in brokers.values():
            broker.start()
            _ready(broker)
            _one_round(broker)
        for kind in turns(kinds, rounds):
            before_s = cpu_s(brokers[kind].pid)
            figures = _one_round(brokers[kind])
            cpu.add(kind, (cpu_s(brokers[kind].pid) - before_s) * 1000 / GROUPS)
            for row, values in zip((joined, left), zip(*figures, strict=True), strict=True):
                row.add(kind, statistics.median(values))
    return [joined, left, cpu]


GROUP: Final[Mapping[str, Callable[[Sequence[str], int, Path], list[Row]]]] = {"group": group}


class Member:
    """One who does what a consumer's background thread does, one request at a time.

    joining ──▶ syncing ──▶ assigned ──(the group rebalances)──▶ joining
    """

    def __init__(self, client: Client, group_id: str) -> None:
        self.client = client
        self.member_id = ""
        # That in which it has its assignment, if it has.
        self.generation: int | None = None
        self._group_id = group_id
        self._joined_generation = -1
        self._asked: type[Message] | None = None
        self._beat_at_s = 0.0

    def join(self) -> None:
        self.generation = None
        protocols = [JoinGroupRequestProtocol("range", _SUBSCRIPTION)]
        self._send(
            JoinGroupRequest(
                self._group_id, _SESSION_MS, _SESSION_MS, self.member_id, None, "consumer", protocols
            )
        )

    def leave(self) -> None:
        """Gone when this returns; the next answer may be that of a heartbeat."""
        while self._asked is not None:
            self.receive()
        request = LeaveGroupRequest(self._group_id, members=[MemberIdentity(self.member_id)])
        answer = self.client.ask(request, _VERSIONS[LeaveGroupRequest])
        assert answer.error_code == NONE, f"leaving answered {answer.error_code}"

    def beat(self, now_s: float) -> None:
        """A heartbeat, if it is time."""
        if self._asked is None and now_s >= self._beat_at_s:
            self._beat_at_s = now_s + HEARTBEAT_S
            self._send(HeartbeatRequest(self._group_id, self._joined_generation, self.member_id))

    def receive(self) -> None:
        """One answer, and what follows from it."""
        assert self._asked is not None
        kind, self._asked = self._asked, None
        answer = self.client.receive(kind.API_KEY, _VERSIONS[kind])
        if answer.error_code == MEMBER_ID_REQUIRED:
            self.member_id = answer.member_id
            self.join()
        elif answer.error_code in (REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION):
            self.join()
        else:
            assert answer.error_code == NONE, f"{kind.__name__} was answered {answer.error_code}"
            if kind is JoinGroupRequest:
                self._sync(answer)
            elif kind is SyncGroupRequest:
                self.generation = self._joined_generation

    def _sync(self, joined: Any) -> None:
        """The leader gives one partition to each."""
        self._joined_generation = joined.generation_id
        assignments = []
        if joined.leader == self.member_id:
            assignments = [
                SyncGroupRequestAssignment(member.member_id, _assignment(number))
                for number, member in enumerate(joined.members)
            ]
        self._send(
            SyncGroupRequest(self._group_id, joined.generation_id, self.member_id, assignments=assignments)
        )

    def _send(self, request: Message) -> None:
        self._asked = type(request)
        self.client.send(request, _VERSIONS[type(request)])


def join_all(members: Sequence[Member]) -> float:
    """ms until all are in one generation with assignments."""

    def work() -> None:
        for member in members:
            member.join()
        _settle(members)

    return 1000 * seconds(work)


def leave_one(members: list[Member]) -> float:
    """ms until the rest is in one generation again."""
    former = members[0].generation
    leaving = members.pop()

    def work() -> None:
        leaving.leave()
        _settle(members, former)

    return 1000 * seconds(work)


def _settle(members: Sequence[Member], former: int | None = None) -> None:
    """Until all are assigned in one generation which is not the former."""
    deadline = time.monotonic() + TIMEOUT_S
    with selectors.DefaultSelector() as selector:
        for member in members:
            selector.register(member.client, selectors.EVENT_READ, member)
        while (generations := {member.generation for member in members}) & {None, former} or len(
            generations
        ) > 1:
            now_s = time.monotonic()
            assert now_s < deadline, f"not settled within {TIMEOUT_S:.0f} s"
            for member in members:
                member.beat(now_s)
            for key, _ in selector.select(HEARTBEAT_S):
                key.data.receive()


def _one_round(broker: BrokerProcess) -> list[tuple[float, float]]:
    """(joined, left) in ms for each group; all are gone afterwards."""
    figures = []
    for number in range(GROUPS):
        with ExitStack() as stack:
            members = [Member(stack.enter_context(Client(broker)), _group_id(number)) for _ in range(MEMBERS)]
            figures.append((join_all(members), leave_one(members)))
            _all_leave(members)
    return figures


def _all_leave(members: Sequence[Member]) -> None:
    for member in members:
        member.leave()


def _ready(broker: BrokerProcess) -> None:
    """The topic is there, and the groups have a coordinator: Apache Kafka's takes its time."""
    with Client(broker) as client:
        client.create({_TOPIC: MEMBERS})
        deadline = time.monotonic() + TIMEOUT_S
        names = [_group_id(number) for number in range(GROUPS)]
        while client.ask(FindCoordinatorRequest(names[0]), 3).error_code or any(
            found.error_code for found in client.ask(DescribeGroupsRequest(names), 5).groups
        ):
            assert time.monotonic() < deadline, "no coordinator"
            time.sleep(0.05)


def _group_id(number: int) -> str:
    return f"group-{number}"


def _assignment(partition: int) -> bytes:
    """Version 0: one partition of the topic, no data of the user."""
    return struct.pack(">hi", 0, 1) + _TOPIC_NAME + struct.pack(">iii", 1, partition, -1)


_TOPIC_NAME: Final = struct.pack(">h", len(_TOPIC)) + _TOPIC.encode()
_SUBSCRIPTION: Final = struct.pack(">hi", 0, 1) + _TOPIC_NAME + struct.pack(">i", -1)
