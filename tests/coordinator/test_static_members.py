"""Static members of classic groups: who comes back, who is fenced (KIP-345)."""

from __future__ import annotations

import pytest

from kbroker.coordinator.group.classic_group import GroupState
from kbroker.protocol import errors
from tests.coordinator.bench import Bench, subscription

TWO_PROTOCOLS = {"range": subscription("t"), "roundrobin": subscription("t")}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def static_group(bench: Bench, **join: object) -> list[str]:
    """Two static members, i0 (leading) and i1, in a Stable group."""
    tokens = [bench.join(instance_id=f"i{index}", **join) for index in range(2)]  # type: ignore[arg-type]
    bench.pass_time(6_000)
    members = [bench.answers[token].member_id for token in tokens]
    bench.sync(members[1], 1, instance_id="i1")
    bench.sync(members[0], 1, {each: each.encode() for each in members}, instance_id="i0")
    return members


def test_a_restarted_static_follower_takes_its_old_place(bench: Bench) -> None:
    leader, follower = static_group(bench)
    bench.take_records()
    answer = bench.answers[bench.join(instance_id="i1")]
    assert (answer.error_code, answer.generation_id, answer.leader) == (0, 1, leader)
    assert not answer.skip_assignment
    assert answer.members == []
    assert answer.member_id != follower
    assert bench.group().state is GroupState.STABLE
    synced = bench.answers[bench.sync(answer.member_id, 1, instance_id="i1")]
    assert synced.assignment == follower.encode()
    (record,) = bench.take_records()
    assert [member.member_id for member in record.value.members] == [leader, answer.member_id]


def test_a_restarted_static_leader_is_told_not_to_assign(bench: Bench) -> None:
    leader, follower = static_group(bench)
    answer = bench.answers[bench.join(instance_id="i0", version=9)]
    assert answer.skip_assignment
    assert answer.leader == answer.member_id != leader
    assert {member.member_id for member in answer.members} == {answer.member_id, follower}


def test_a_restarted_static_leader_of_an_older_version_is_not_told_that_it_leads(bench: Bench) -> None:
    leader, _ = static_group(bench)
    answer = bench.answers[bench.join(instance_id="i0", version=8)]
    assert (answer.leader, answer.members, answer.skip_assignment) == (leader, [], False)
    assert bench.group().leader_id == answer.member_id


def test_the_old_member_id_is_fenced(bench: Bench) -> None:
    _, follower = static_group(bench)
    bench.join(instance_id="i1")
    fenced = errors.FENCED_INSTANCE_ID
    assert bench.heartbeat(follower, 1, instance_id="i1") == fenced
    assert bench.answers[bench.sync(follower, 1, instance_id="i1")].error_code == fenced
    assert bench.answers[bench.join(follower, instance_id="i1")].error_code == fenced
    assert bench.commit_offset(1, follower, 1, instance_id="i1") == fenced
    assert bench.leave((follower, "i1")).members[0].error_code == fenced
    # Without the instance id it is just unknown.
    assert bench.heartbeat(follower, 1) == errors.UNKNOWN_MEMBER_ID


def test_what_the_old_member_waits_for_is_fenced(bench: Bench) -> None:
    first = bench.join(instance_id="i0")
    second = bench.join(instance_id="i0")
    assert bench.answers[first].error_code == errors.FENCED_INSTANCE_ID
    bench.join(instance_id="i1")
    bench.pass_time(6_000)
    follower = bench.group().static_members["i1"]
    waiting = bench.sync(follower, 1, instance_id="i1")
    bench.join(instance_id="i1")
    assert bench.answers[waiting].error_code == errors.FENCED_INSTANCE_ID
    assert bench.answers[second].error_code == errors.NONE
    assert bench.group().state is GroupState.PREPARING_REBALANCE


def test_a_static_member_that_changes_the_chosen_protocol_causes_a_rebalance(bench: Bench) -> None:
    static_group(bench, protocols=TWO_PROTOCOLS)
    token = bench.join(instance_id="i1", protocols={"roundrobin": b""})
    assert token not in bench.answers
    assert bench.group().state is GroupState.PREPARING_REBALANCE


def test_a_replacement_that_cannot_be_written_is_undone(bench: Bench) -> None:
    _, follower = static_group(bench)
    bench.append_error = errors.NOT_COORDINATOR
    answer = bench.answers[bench.join(instance_id="i1")]
    assert answer.error_code == errors.NOT_COORDINATOR
    assert bench.heartbeat(follower, 1, instance_id="i1") == errors.NONE
    assert bench.group().static_members["i1"] == follower


def test_a_replacement_overtaken_by_a_rebalance_is_answered_by_it(bench: Bench) -> None:
    leader, _ = static_group(bench)
    bench.hold_commits = True
    token = bench.join(instance_id="i1")
    assert token not in bench.answers
    bench.join(leader, instance_id="i0")
    assert bench.answers[token].generation_id == 2
    bench.commit()


def test_absent_static_members_stay_but_do_not_lead(bench: Bench) -> None:
    leader, follower = static_group(bench, session_timeout_ms=1_000_000)
    token = bench.join(follower, instance_id="i1", protocols={"range": subscription("u")})
    bench.pass_time(60_000)
    answer = bench.answers[token]
    assert answer.leader == follower
    assert {member.member_id for member in answer.members} == {leader, follower}


def test_a_rebalance_that_only_absent_static_members_could_complete_waits_on(bench: Bench) -> None:
    leader, _ = static_group(bench, session_timeout_ms=1_000_000)
    dynamic, _ = bench.member()
    bench.leave(dynamic)
    bench.pass_time(120_000)
    assert bench.group().state is GroupState.PREPARING_REBALANCE
    token = bench.join(leader, instance_id="i0")
    bench.pass_time(60_000)
    assert bench.answers[token].error_code == errors.NONE


def test_an_instance_id_that_nobody_has(bench: Bench) -> None:
    leader, _ = bench.stable_group()
    assert bench.heartbeat(leader, 1, instance_id="i") == errors.UNKNOWN_MEMBER_ID


def test_an_administrator_removes_a_static_member_by_its_instance(bench: Bench) -> None:
    static_group(bench)
    response = bench.leave(("", "i1"), ("", "nobody"), ("", None), ("stranger", None))
    unknown = errors.UNKNOWN_MEMBER_ID
    assert [member.error_code for member in response.members] == [0, unknown, unknown, unknown]
    assert set(bench.group().static_members) == {"i0"}
