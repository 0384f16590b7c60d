"""The parts of the measurements that need no broker: turns, frames, members of a group."""

import os
import signal
import struct
from pathlib import Path
from typing import Any

import pytest

from compat.bench import groups, kinds, librdkafka, lifecycle, rounds, sides
from compat.bench.client import frame, read_answer
from compat.bench.groups import Member
from compat.bench.report import Row
from compat.bench.sides import Side
from compat.bench.turns import directory, ended, turns
from compat.brokers import BrokerProcess
from kbroker.protocol.errors import MEMBER_ID_REQUIRED, REBALANCE_IN_PROGRESS
from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
from kbroker.protocol.generated.heartbeat_response import HeartbeatResponse
from kbroker.protocol.generated.join_group_request import JoinGroupRequest
from kbroker.protocol.generated.join_group_response import JoinGroupResponse, JoinGroupResponseMember
from kbroker.protocol.generated.leave_group_response import LeaveGroupResponse
from kbroker.protocol.generated.sync_group_request import SyncGroupRequest
from kbroker.protocol.generated.sync_group_response import SyncGroupResponse
from kbroker.protocol.header import read_request_header
from kbroker.protocol.primitives import Message
from kbroker.records.batch import HEADER_SIZE, batch_crc_ok, read_batch_header
from kbroker.records.record import walk_records


class FakeBroker(BrokerProcess):
    """Remembers what is done to it."""

    def __init__(self, kind: str, done: list[str]) -> None:
        self.kind = kind
        self._done = done

    @property
    def pid(self) -> int:
        return ord(self.kind)

    def start(self) -> None:
        self._done.append(f"start {self.kind}")

    def kill(self) -> None:
        self._done.append(f"kill {self.kind}")


class FakeClient:
    """Answers what it was given to answer, and remembers what was asked."""

    def __init__(self, *answers: Message) -> None:
        self.answers = list(answers)
        self.asked: list[Message] = []

    def send(self, request: Message, version: int) -> None:
        self.asked.append(request)

    def receive(self, api_key: int, version: int) -> Message:
        return self.answers.pop(0)

    def ask(self, request: Message, version: int) -> Message:
        self.send(request, version)
        return self.receive(request.API_KEY, version)


def test_brokers_take_turns() -> None:
    assert list(turns(["a", "b"], 3)) == ["a", "b", "b", "a", "a", "b"]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    done: list[str] = []
    path = tmp_path / "made"

    def failing() -> None:
        with directory(path), ended(FakeBroker("a", done)) as broker:
            path.joinpath("file").touch()
            broker.start()
            raise ValueError("a failure")

    with pytest.raises(ValueError, match="a failure"):
        failing()
    assert not path.exists()
    assert done == ["start a", "kill a"]


def test_rounds_warm_up_take_turns_and_fill_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(sides, "broker_of", lambda kind, *_: FakeBroker(kind, done))
    stopped: set[int] = set()

    def kill(pid: int, number: signal.Signals) -> None:
        (stopped.add if number == signal.SIGSTOP else stopped.discard)(pid)

    monkeypatch.setattr(os, "kill", kill)

    def one_round(side: Side) -> list[float]:
        done.append(f"round {side.kind}")
        # The other one stands still.
        assert len(stopped) == 1
        assert stopped.isdisjoint(side.pids)
        return [len(done), -len(done)]

    rows = [Row("one", "s"), Row("other", "s")]
    assert rounds.in_rounds(rows, one_round, ["a", "b"], 2, tmp_path / "folder") == rows
    assert not stopped
    warmed = ["start a", "start b", "round a", "round b"]
    assert done == [*warmed, "round a", "round b", "round b", "round a", "kill b", "kill a"]
    assert [row.values for row in rows] == [{"a": [5, 8], "b": [6, 7]}, {"a": [-5, -8], "b": [-6, -7]}]


def test_kfake_keeps_nothing() -> None:
    assert kinds.lasting(["kbroker", "kafka", "kfake"]) == ["kbroker", "kafka"]


@pytest.mark.parametrize("version", [0, 4])
def test_a_frame_is_read_as_it_was_meant(version: int) -> None:
    data = frame(HeartbeatRequest("group", 3, "member"), version)
    assert struct.unpack_from(">i", data)[0] == len(data) - 4
    api_key, api_version, *_, position = read_request_header(memoryview(data)[4:])
    assert (api_key, api_version) == (HeartbeatRequest.API_KEY, version)
    request, _ = HeartbeatRequest.read(memoryview(data)[4:], position, version)
    assert (request.group_id, request.generation_id, request.member_id) == ("group", 3, "member")


def test_an_answer_is_read_behind_its_header() -> None:
    # Correlation id and no tags, then throttle time, error code and no tags.
    data = struct.pack(">ib", 7, 0) + struct.pack(">ihb", 0, 27, 0)
    assert read_answer(data, HeartbeatRequest.API_KEY, 4).error_code == 27


def test_the_log_is_filled_with_a_sound_batch_as_large_as_topics_take() -> None:
    batch = memoryview(lifecycle.mib_batch())
    header = read_batch_header(batch)
    assert batch_crc_ok(batch)
    assert 1024 * 1000 < len(batch) <= 1_048_588
    assert len(list(walk_records(batch[HEADER_SIZE:], header.record_count))) == lifecycle.RECORDS


def test_values_are_of_one_size_and_not_the_same() -> None:
    values = librdkafka.texts()
    assert {len(value) for value in values} == {librdkafka.VALUE_BYTES}
    assert len(set(values)) == len(values)


def joined(generation: int, leader: str, **more: Any) -> JoinGroupResponse:
    return JoinGroupResponse(generation_id=generation, leader=leader, **more)


def test_a_leader_joins_again_with_its_id_and_assigns_all() -> None:
    both = [JoinGroupResponseMember(name) for name in ("me", "other")]
    client = FakeClient(
        JoinGroupResponse(error_code=MEMBER_ID_REQUIRED, member_id="me"),
        joined(1, "me", member_id="me", members=both),
        SyncGroupResponse(),
    )
    member = member_of(client)
    member.join()
    member.receive()
    assert [request.member_id for request in client.asked if isinstance(request, JoinGroupRequest)] == [
        "",
        "me",
    ]
    member.receive()
    sync = client.asked[-1]
    assert isinstance(sync, SyncGroupRequest)
    partitions = {entry.member_id: entry.assignment[-8:-4] for entry in sync.assignments}
    assert partitions == {"me": struct.pack(">i", 0), "other": struct.pack(">i", 1)}
    assert member.generation is None
    member.receive()
    assert member.generation == 1


def test_a_follower_assigns_nobody_and_joins_again_when_its_heartbeat_says_so() -> None:
    client = FakeClient(
        joined(1, "other"),
        SyncGroupResponse(),
        HeartbeatResponse(),
        HeartbeatResponse(error_code=REBALANCE_IN_PROGRESS),
    )
    member = member_of(client)
    member.join()
    member.receive()
    sync = client.asked[-1]
    assert isinstance(sync, SyncGroupRequest)
    assert not sync.assignments
    member.receive()
    member.beat(100.0)
    member.beat(200.0)
    assert len(client.asked) == 3  # One request at a time.
    member.receive()
    member.beat(100.0 + groups.HEARTBEAT_S / 2)
    assert len(client.asked) == 3  # Not yet.
    member.beat(200.0)
    assert member.generation == 1
    member.receive()
    assert member.generation is None
    assert isinstance(client.asked[-1], JoinGroupRequest)


def test_who_leaves_does_not_heed_a_heartbeat() -> None:
    client = FakeClient(HeartbeatResponse(error_code=REBALANCE_IN_PROGRESS), LeaveGroupResponse())
    member = member_of(client)
    member.beat(100.0)
    member.leave()
    assert not any(isinstance(request, JoinGroupRequest) for request in client.asked)
    assert not client.answers


def member_of(client: Any) -> Member:
    return Member(client, "group")
