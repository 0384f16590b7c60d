"""What a group of 50 costs: members of the classic protocol, each on its own connection.

They join one after another without waiting for each other, as they are told to
by the errors they get, and send heartbeats every 10 ms (a client's every 3 s
would be all that is seen). `group.initial.rebalance.delay.ms` is 0. It is timed
from the first JoinGroup until all are in one generation with assignments; then
from the LeaveGroup of one until the others are so again. CPU is the broker's for
both, and for all to leave. A round is the median of five groups.
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
from compat.bench.report import MANY, Row
from compat.bench.rounds import in_rounds
from compat.bench.sides import Side
from compat.bench.turns import cpu_s, seconds
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
    joined = Row("50 members: from the first JoinGroup until all are assigned", "ms", group=MANY)
    left = Row("50 members: from one's LeaveGroup until the others are assigned", "ms", group=MANY)
    cpu = Row("50 members: CPU for all of that", "ms", group=MANY)
    return in_rounds([joined, left, cpu], _one_round, kinds, rounds, folder / "group")


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
        """Gone when this returns."""
        if self._asked is not None:
            # A heartbeat's answer, which does not matter any more.
            self.client.receive(self._asked.API_KEY, _VERSIONS[self._asked])
            self._asked = None
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


def _one_round(side: Side) -> list[float]:
    """(joined, left, CPU) in ms; all members are gone afterwards."""
    (broker,) = side.brokers
    _await_coordinator(broker)
    joined, left = [], []
    before_s = cpu_s(broker.pid)
    for number in range(GROUPS):
        with ExitStack() as stack:
            clients = [stack.enter_context(Client(broker)) for _ in range(MEMBERS)]
            members = [Member(client, _group_id(number)) for client in clients]
            joined.append(join_all(members))
            left.append(leave_one(members))
            for member in members:
                member.leave()
    cpu_ms = (cpu_s(broker.pid) - before_s) * 1000 / GROUPS
    return [statistics.median(joined), statistics.median(left), cpu_ms]


def _await_coordinator(broker: BrokerProcess) -> None:
    """Apache Kafka's takes its time."""
    names = [_group_id(number) for number in range(GROUPS)]
    deadline = time.monotonic() + TIMEOUT_S
    with Client(broker) as client:
        while not _is_coordinator(client, names):
            assert time.monotonic() < deadline, "no coordinator"
            time.sleep(0.05)


def _is_coordinator(client: Client, names: list[str]) -> bool:
    # The question makes the topic of committed offsets.
    if client.ask(FindCoordinatorRequest(names[0]), 3).error_code != NONE:
        return False
    described = client.ask(DescribeGroupsRequest(names), 5)
    return all(group.error_code == NONE for group in described.groups)


def _group_id(number: int) -> str:
    return f"group-{number}"


def _assignment(partition: int) -> bytes:
    """Version 0: one partition of the topic, no data of the user."""
    return struct.pack(">hi", 0, 1) + _TOPIC_NAME + struct.pack(">iii", 1, partition, -1)


_TOPIC_NAME: Final = struct.pack(">h", len(_TOPIC)) + _TOPIC.encode()
_SUBSCRIPTION: Final = struct.pack(">hi", 0, 1) + _TOPIC_NAME + struct.pack(">i", -1)
