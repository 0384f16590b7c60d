"""JoinGroup, SyncGroup, Heartbeat and LeaveGroup: each rule of the classic protocol."""

from __future__ import annotations

import pytest

from kbroker.coordinator.group import membership
from kbroker.coordinator.group.classic_group import GroupState
from kbroker.protocol import errors
from tests.coordinator.bench import WALL_START_MS, Bench, generated_id, subscription

TWO_PROTOCOLS = {"range": subscription("t"), "roundrobin": subscription("t")}


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ── JoinGroup: new members ───────────────────────────────────────────────────


def test_a_dynamic_member_is_given_an_id_to_come_back_with(bench: Bench) -> None:
    refused = bench.answers[bench.join(client_id="client")]
    assert refused.error_code == errors.MEMBER_ID_REQUIRED
    assert refused.member_id == generated_id("client", 1)
    joined = bench.join(refused.member_id)
    assert joined not in bench.answers
    bench.pass_time(3_000)
    assert bench.answers[joined].error_code == errors.NONE


def test_an_old_client_joins_at_once(bench: Bench) -> None:
    token = bench.join(version=3)
    bench.pass_time(3_000)
    assert bench.answers[token].member_id == generated_id("c", 1)


def test_an_id_that_nobody_comes_back_with_is_forgotten(bench: Bench) -> None:
    member_id = bench.answers[bench.join(session_timeout_ms=8_000)].member_id
    bench.pass_time(7_999)
    assert list(bench.group().pending_members) == [member_id]
    bench.pass_time(1)
    assert bench.answers[bench.join(member_id)].error_code == errors.UNKNOWN_MEMBER_ID


def test_ids_that_nobody_comes_back_with_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "_MAX_PENDING_MEMBERS", 3)
    codes = [bench.answers[bench.join()].error_code for _ in range(4)]
    assert codes == [errors.MEMBER_ID_REQUIRED] * 3 + [errors.GROUP_MAX_SIZE_REACHED]


def test_a_static_member_joins_at_once(bench: Bench) -> None:
    token = bench.join(instance_id="instance")
    bench.pass_time(3_000)
    assert bench.answers[token].member_id == generated_id("instance", 1)
    assert bench.answers[token].members[0].group_instance_id == "instance"


def test_an_unknown_id_in_an_unknown_group(bench: Bench) -> None:
    answer = bench.answers[bench.join("stranger")]
    assert (answer.error_code, answer.member_id) == (errors.UNKNOWN_MEMBER_ID, "stranger")
    assert "g" not in bench.shard.groups
    assert bench.log == []


def test_an_unknown_id_in_a_known_group(bench: Bench) -> None:
    bench.stable_group()
    assert bench.answers[bench.join("stranger")].error_code == errors.UNKNOWN_MEMBER_ID


def test_a_pending_id_is_not_for_static_members(bench: Bench) -> None:
    member_id = bench.answers[bench.join()].member_id
    answer = bench.answers[bench.join(member_id, instance_id="i")]
    assert answer.error_code == errors.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize(
    ("protocol_type", "protocols"), [("", {"range": b""}), ("consumer", {})], ids=["no type", "no protocols"]
)
def test_the_first_member_must_name_type_and_protocols(
    bench: Bench, protocol_type: str, protocols: dict[str, bytes]
) -> None:
    answer = bench.answers[bench.join(protocol_type=protocol_type, protocols=protocols)]
    assert answer.error_code == errors.INCONSISTENT_GROUP_PROTOCOL


@pytest.mark.parametrize(
    ("protocol_type", "protocols"), [("connect", {"range": b""}), ("consumer", {"sticky": b""})]
)
def test_all_members_must_have_a_protocol_in_common(
    bench: Bench, protocol_type: str, protocols: dict[str, bytes]
) -> None:
    leader, _ = bench.stable_group()
    for member_id in ("", leader):
        answer = bench.answers[bench.join(member_id, protocol_type=protocol_type, protocols=protocols)]
        assert answer.error_code == errors.INCONSISTENT_GROUP_PROTOCOL
    assert bench.group().state is GroupState.STABLE


def test_a_protocol_named_twice_counts_once(bench: Bench) -> None:
    from kbroker.coordinator.group.client import Client
    from kbroker.coordinator.group.membership import Join
    from kbroker.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol

    request = JoinGroupRequest(
        protocols=[JoinGroupRequestProtocol("range", b"1"), JoinGroupRequestProtocol("range", b"2")]
    )
    assert Join(request, Client("c", "/h", 3), None).protocols == (("range", b"1"),)


def test_a_group_that_is_full(bench: Bench) -> None:
    bench = Bench(max_size=2)
    members = bench.stable_group(2)
    answer = bench.answers[bench.join()]
    assert (answer.error_code, answer.member_id) == (errors.GROUP_MAX_SIZE_REACHED, "")
    # Members themselves may rejoin.
    bench.join(members[0])
    assert bench.group().state is GroupState.PREPARING_REBALANCE
    # While a rebalance waits, those who have joined count.
    _, token = bench.member()
    bench.join(members[1])
    codes = [bench.answers[each].error_code for each in bench.answers]
    assert codes.count(errors.GROUP_MAX_SIZE_REACHED) == 2
    bench.pass_time(60_000)
    assert len(bench.group().members) == 2
    assert bench.answers[token].error_code == errors.NONE


# ── JoinGroup: the first rebalance ───────────────────────────────────────────


def test_the_first_rebalance_waits_a_little_for_others(bench: Bench) -> None:
    _, first = bench.member()
    bench.pass_time(2_999)
    assert first not in bench.answers
    bench.pass_time(1)
    assert bench.answers[first].generation_id == 1


def test_new_members_prolong_the_wait_up_to_the_rebalance_timeout(bench: Bench) -> None:
    tokens = []
    for pause_ms in (2_000, 2_000, 2_000, 1_999):
        tokens.append(bench.member(rebalance_timeout_ms=8_000)[1])
        bench.pass_time(pause_ms)
    # 3,000 + 3,000 + 2,000: the rebalance timeout leaves no more.
    assert not set(tokens) & set(bench.answers)
    bench.pass_time(1)
    assert set(tokens) <= set(bench.answers)
    assert bench.group().generation_id == 1


def test_without_delay_a_member_alone_is_answered_at_once() -> None:
    bench = Bench(initial_rebalance_delay_ms=0)
    _, token = bench.member()
    bench.pass_time(0)
    assert bench.answers[token].generation_id == 1


def test_a_first_join_may_wait_longer_than_a_session(bench: Bench) -> None:
    bench.stable_group(1, session_timeout_ms=1_800_000, rebalance_timeout_ms=1_000_000)
    member_id, _ = bench.member(session_timeout_ms=10_000)
    bench.pass_time(299_999)
    assert member_id in bench.group().members
    bench.pass_time(1)
    assert member_id not in bench.group().members


# ── JoinGroup: what the answer says ──────────────────────────────────────────


def test_only_the_leader_learns_of_the_others(bench: Bench) -> None:
    (leader, first), (follower, second) = bench.member(), bench.member()
    bench.pass_time(6_000)
    to_leader, to_follower = bench.answers[first], bench.answers[second]
    assert to_leader.leader == to_follower.leader == leader
    assert [member.member_id for member in to_leader.members] == [leader, follower]
    assert to_leader.members[1].metadata == subscription("t")
    assert to_follower.members == []
    assert (to_leader.protocol_type, to_leader.protocol_name) == ("consumer", "range")
    assert not to_leader.skip_assignment


def test_the_protocol_is_what_most_like_best_of_what_all_support(bench: Bench) -> None:
    likes = [("a", "b", "c"), ("c", "b"), ("b", "c")]
    tokens = [bench.member(protocols=dict.fromkeys(each, b""))[1] for each in likes]
    bench.pass_time(6_000)
    # "a" is not supported by all; then "b" has two votes of three.
    assert {bench.answers[token].protocol_name for token in tokens} == {"b"}


# ── JoinGroup: known members ─────────────────────────────────────────────────


def test_a_follower_that_joins_again_with_nothing_new_gets_the_current_generation(bench: Bench) -> None:
    _, follower = bench.stable_group()
    answer = bench.answers[bench.join(follower)]
    assert (answer.error_code, answer.generation_id, answer.members) == (0, 1, [])
    assert bench.group().state is GroupState.STABLE


def test_a_follower_with_another_subscription_causes_a_rebalance(bench: Bench) -> None:
    leader, follower = bench.stable_group()
    token = bench.join(follower, protocols={"range": subscription("t", "u")})
    assert bench.group().state is GroupState.PREPARING_REBALANCE
    assert bench.heartbeat(leader, 1) == errors.REBALANCE_IN_PROGRESS
    rejoined = bench.join(leader)
    assert bench.answers[token].generation_id == bench.answers[rejoined].generation_id == 2


def test_a_leader_that_joins_again_causes_a_rebalance(bench: Bench) -> None:
    leader, _ = bench.stable_group()
    assert bench.join(leader) not in bench.answers
    assert bench.group().state is GroupState.PREPARING_REBALANCE


def test_after_a_restart_every_follower_that_offers_more_causes_a_rebalance(bench: Bench) -> None:
    # The log holds only the protocol that was chosen.
    _, follower = bench.stable_group(protocols=TWO_PROTOCOLS)
    assert bench.join(follower, protocols=TWO_PROTOCOLS) in bench.answers
    again = bench.replayed()
    assert again.join(follower, protocols=TWO_PROTOCOLS) not in again.answers


def test_a_lost_answer_is_repeated_while_the_assignment_is_awaited(bench: Bench) -> None:
    (leader, first), (follower, second) = bench.member(), bench.member()
    bench.pass_time(6_000)
    assert bench.answers[bench.join(leader)] == bench.answers[first]
    assert bench.answers[bench.join(follower)] == bench.answers[second]
    assert bench.group().state is GroupState.COMPLETING_REBALANCE


def test_news_while_the_assignment_is_awaited_cause_another_rebalance(bench: Bench) -> None:
    (leader, _), (follower, _) = bench.member(), bench.member()
    bench.pass_time(6_000)
    waiting = bench.sync(follower, 1)
    bench.join(leader, protocols={"range": subscription("u")})
    assert bench.answers[waiting].error_code == errors.REBALANCE_IN_PROGRESS
    assert bench.group().state is GroupState.PREPARING_REBALANCE


def test_a_second_join_of_a_member_takes_the_place_of_the_first(bench: Bench) -> None:
    leader, _ = bench.stable_group()
    first, second = bench.join(leader), bench.join(leader)
    assert bench.answers[first].error_code == errors.REBALANCE_IN_PROGRESS
    assert second not in bench.answers


def test_dynamic_members_that_do_not_rejoin_are_dropped_after_the_longest_rebalance_timeout(
    bench: Bench,
) -> None:
    long = {"session_timeout_ms": 1_000_000}
    (leader, _), (follower, _) = bench.member(**long), bench.member(rebalance_timeout_ms=20_000, **long)
    bench.pass_time(6_000)
    token = bench.join(follower, protocols={"range": subscription("u")}, rebalance_timeout_ms=20_000)
    bench.pass_time(59_999)
    assert token not in bench.answers
    bench.pass_time(1)
    assert bench.answers[token].leader == follower
    assert leader not in bench.group().members


def test_a_member_that_waits_for_its_join_needs_no_heartbeat(bench: Bench) -> None:
    leader, follower = bench.stable_group()
    token = bench.join(leader)
    bench.pass_time(9_999)
    bench.heartbeat(follower, 1)
    bench.pass_time(9_999)
    assert set(bench.group().members) == {leader, follower}
    assert token not in bench.answers


def test_a_group_without_anybody_left_is_empty_with_a_new_generation(bench: Bench) -> None:
    bench.stable_group()
    bench.take_records()
    bench.pass_time(10_000)
    group = bench.group()
    assert (group.state, group.generation_id) == (GroupState.EMPTY, 2)
    (record,) = bench.take_records()
    assert record.value.generation == 2
    assert record.value.protocol is None
    assert record.value.leader is None
    assert record.value.members == []
    assert record.value.protocol_type == "consumer"
    assert record.value.current_state_timestamp == WALL_START_MS + bench.elapsed_ms


# ── SyncGroup ────────────────────────────────────────────────────────────────


def test_each_member_gets_what_the_leader_assigned(bench: Bench) -> None:
    (leader, _), (follower, _) = bench.member(), bench.member()
    bench.pass_time(6_000)
    waiting = bench.sync(follower, 1)
    assert waiting not in bench.answers
    leading = bench.sync(leader, 1, {leader: b"L", follower: b"F", "stranger": b"S"})
    assert bench.answers[leading].assignment == b"L"
    assert bench.answers[waiting].assignment == b"F"
    assert (bench.answers[waiting].protocol_type, bench.answers[waiting].protocol_name) == (
        "consumer",
        "range",
    )
    assert bench.answers[bench.sync(follower, 1)].assignment == b"F"


def test_a_member_that_the_leader_forgot_gets_nothing(bench: Bench) -> None:
    (leader, _), (follower, _) = bench.member(), bench.member()
    bench.pass_time(6_000)
    bench.sync(leader, 1, {leader: b"L"})
    answer = bench.answers[bench.sync(follower, 1)]
    assert (answer.error_code, answer.assignment) == (0, b"")


def test_sync_refusals(bench: Bench) -> None:
    leader, _ = bench.stable_group()

    def code(*args: object, **more: object) -> int:
        answer: int = bench.answers[bench.sync(*args, **more)].error_code  # type: ignore[arg-type]
        return answer

    assert code(leader, 1, group_id="none") == errors.UNKNOWN_MEMBER_ID
    assert code("stranger", 1) == errors.UNKNOWN_MEMBER_ID
    assert code(leader, 0) == errors.ILLEGAL_GENERATION
    assert code(leader, 2) == errors.ILLEGAL_GENERATION
    assert code(leader, 1, protocol_type="connect") == errors.INCONSISTENT_GROUP_PROTOCOL
    assert code(leader, 1, protocol_name="sticky") == errors.INCONSISTENT_GROUP_PROTOCOL
    assert code(leader, 1, protocol_type=None, protocol_name=None) == errors.NONE
    bench.join(leader)
    assert code(leader, 1) == errors.REBALANCE_IN_PROGRESS


def test_a_group_that_is_empty_knows_no_member(bench: Bench) -> None:
    leader, follower = bench.stable_group()
    bench.leave(leader, follower)
    assert bench.group().state is GroupState.EMPTY
    assert bench.answers[bench.sync(leader, 2)].error_code == errors.UNKNOWN_MEMBER_ID
    assert bench.heartbeat(leader, 2) == errors.UNKNOWN_MEMBER_ID


def test_members_that_never_ask_for_their_assignment_are_dropped(bench: Bench) -> None:
    long = {"session_timeout_ms": 1_000_000}
    (leader, _), (follower, _) = bench.member(**long), bench.member(**long)
    bench.pass_time(6_000)
    bench.sync(leader, 1, {leader: b"L"})
    assert bench.group().state is GroupState.STABLE
    # The members' rebalance timeout, counted from their JoinGroup's answer.
    bench.pass_time(59_999)
    assert follower in bench.group().members
    bench.pass_time(1)
    assert follower not in bench.group().members
    assert bench.group().state is GroupState.PREPARING_REBALANCE


def test_a_leader_that_never_assigns_is_dropped(bench: Bench) -> None:
    long = {"session_timeout_ms": 1_000_000}
    (leader, _), (follower, _) = bench.member(**long), bench.member(**long)
    bench.pass_time(6_000)
    waiting = bench.sync(follower, 1)
    bench.pass_time(60_000)
    assert bench.answers[waiting].error_code == errors.REBALANCE_IN_PROGRESS
    assert set(bench.group().members) == {follower}
    assert leader not in bench.group().members


def test_a_second_sync_of_a_member_takes_the_place_of_the_first(bench: Bench) -> None:
    (leader, _), (follower, _) = bench.member(), bench.member()
    bench.pass_time(6_000)
    first, second = bench.sync(follower, 1), bench.sync(follower, 1)
    assert bench.answers[first].error_code == errors.REBALANCE_IN_PROGRESS
    bench.sync(leader, 1, {follower: b"F"})
    assert bench.answers[second].assignment == b"F"


def test_an_assignment_counts_once_it_is_committed(bench: Bench) -> None:
    leader, _ = bench.member()
    bench.pass_time(6_000)
    bench.hold_commits = True
    token = bench.sync(leader, 1, {leader: b"L"})
    assert token not in bench.answers
    assert bench.group().state is GroupState.COMPLETING_REBALANCE
    bench.commit()
    assert bench.answers[token].assignment == b"L"
    assert bench.group().state is GroupState.STABLE


def test_an_assignment_that_cannot_be_written_starts_over(bench: Bench) -> None:
    (leader, _), (follower, _) = bench.member(), bench.member()
    bench.pass_time(6_000)
    waiting = bench.sync(follower, 1)
    bench.append_error = errors.COORDINATOR_NOT_AVAILABLE
    leading = bench.sync(leader, 1, {leader: b"L"})
    assert bench.answers[leading].error_code == errors.COORDINATOR_NOT_AVAILABLE
    assert bench.answers[waiting].error_code == errors.COORDINATOR_NOT_AVAILABLE
    assert bench.group().state is GroupState.PREPARING_REBALANCE


def test_an_assignment_overtaken_by_a_rebalance_is_void(bench: Bench) -> None:
    leader, _ = bench.member()
    bench.pass_time(6_000)
    bench.hold_commits = True
    token = bench.sync(leader, 1, {leader: b"L"})
    bench.join(leader, protocols={"range": subscription("u")})
    assert bench.answers[token].error_code == errors.REBALANCE_IN_PROGRESS
    bench.commit()
    group = bench.group()
    assert (group.state, group.generation_id) == (GroupState.COMPLETING_REBALANCE, 2)
    assert group.members[leader].assignment == b""


# ── Heartbeat ────────────────────────────────────────────────────────────────


def test_heartbeats_keep_a_member(bench: Bench) -> None:
    leader, follower = bench.stable_group()
    for code in (errors.NONE, *[errors.REBALANCE_IN_PROGRESS] * 5):
        bench.pass_time(9_999)
        assert bench.heartbeat(leader, 1) == code
    assert leader in bench.group().members
    assert follower not in bench.group().members


def test_heartbeats_in_each_state(bench: Bench) -> None:
    (leader, _), _ = bench.member(), bench.member()
    bench.pass_time(6_000)
    assert bench.group().state is GroupState.COMPLETING_REBALANCE
    assert bench.heartbeat(leader, 1) == errors.NONE
    bench.sync(leader, 1)
    assert bench.heartbeat(leader, 1) == errors.NONE
    assert bench.heartbeat(leader, 2) == errors.ILLEGAL_GENERATION
    assert bench.heartbeat("stranger", 1) == errors.UNKNOWN_MEMBER_ID
    assert bench.heartbeat(leader, 1, group_id="none") == errors.UNKNOWN_MEMBER_ID
    bench.join(leader)
    assert bench.heartbeat(leader, 1) == errors.REBALANCE_IN_PROGRESS


def test_commits_keep_a_member_too(bench: Bench) -> None:
    leader, _ = bench.stable_group()
    bench.pass_time(9_000)
    assert bench.commit_offset(1, leader, 1) == errors.NONE
    bench.pass_time(9_000)
    assert leader in bench.group().members


# ── LeaveGroup ───────────────────────────────────────────────────────────────


def test_leaving_causes_a_rebalance(bench: Bench) -> None:
    leader, follower = bench.stable_group()
    response = bench.leave(leader)
    assert (response.error_code, response.members[0].error_code) == (0, 0)
    group = bench.group()
    assert (group.state, group.leader_id) == (GroupState.PREPARING_REBALANCE, follower)


def test_the_last_one_leaves(bench: Bench) -> None:
    leader, follower = bench.stable_group()
    bench.take_records()
    bench.leave(leader, follower)
    (record,) = bench.take_records()
    assert (record.value.generation, record.value.protocol, record.value.members) == (2, None, [])
    assert bench.shard.next_deadline() == 600_000  # only the expiry of offsets


def test_a_member_that_waits_is_told_that_it_was_removed(bench: Bench) -> None:
    leader, follower = bench.stable_group()
    token = bench.join(leader)
    bench.leave(leader)
    assert bench.answers[token].error_code == errors.UNKNOWN_MEMBER_ID
    assert set(bench.group().members) == {follower}


def test_leaving_completes_a_rebalance_that_waited_for_the_leaver(bench: Bench) -> None:
    leader, follower = bench.stable_group()
    token = bench.join(leader)
    bench.leave(follower)
    assert bench.answers[token].generation_id == 2


def test_a_pending_member_leaves(bench: Bench) -> None:
    member_id = bench.answers[bench.join()].member_id
    assert bench.leave(member_id).members[0].error_code == errors.NONE
    assert bench.answers[bench.join(member_id)].error_code == errors.UNKNOWN_MEMBER_ID


def test_pending_members_hold_up_a_rebalance_until_they_come_or_expire(bench: Bench) -> None:
    leader, _ = bench.stable_group(2, session_timeout_ms=100_000)
    follower = next(each for each in bench.group().members if each != leader)
    pending = bench.answers[bench.join(session_timeout_ms=7_000)].member_id
    tokens = [bench.join(leader), bench.join(follower)]
    assert not set(tokens) & set(bench.answers)
    bench.pass_time(7_000)
    assert {bench.answers[token].generation_id for token in tokens} == {2}
    assert pending not in bench.group().members


# ── the whole ────────────────────────────────────────────────────────────────


def test_a_new_group_is_written_before_anybody_has_joined_it(bench: Bench) -> None:
    bench.join()
    (record,) = bench.take_records()
    assert record.key.group == "g"
    value = record.value
    assert (value.protocol_type, value.generation, value.protocol, value.leader) == ("", 0, None, None)
    assert value.current_state_timestamp == WALL_START_MS
    bench.join()
    assert bench.take_records() == []


def test_a_new_group_that_cannot_be_written_refuses_who_waits(bench: Bench) -> None:
    bench.append_error = errors.NOT_COORDINATOR
    assert bench.answers[bench.join(version=3)].error_code == errors.NOT_COORDINATOR


def test_unloading_answers_everybody(bench: Bench) -> None:
    _, (follower, _) = bench.member(), bench.member()
    bench.pass_time(6_000)
    syncing = bench.sync(follower, 1)
    joining = bench.member(group_id="other")[1]
    bench.shard.on_unloaded()
    replies = {reply.token: reply.response.error_code for reply in bench.shard.take_replies()}
    assert replies == {syncing: errors.NOT_COORDINATOR, joining: errors.NOT_COORDINATOR}


def test_a_group_loaded_with_too_many_members_rebalances_and_drops_the_surplus(bench: Bench) -> None:
    members = bench.stable_group(3)
    bench.config.max_size = 2
    again = bench.replayed()
    assert again.group().state is GroupState.PREPARING_REBALANCE
    codes = [again.answers[token].error_code for token in map(again.join, members) if token in again.answers]
    again.pass_time(60_000)
    assert codes == [errors.GROUP_MAX_SIZE_REACHED]
    assert len(again.group().members) == 2


def test_a_group_survives_a_restart_in_the_middle_of_everything(bench: Bench) -> None:
    leader, follower = bench.stable_group()
    again = bench.replayed()
    group = again.group()
    assert (group.state, group.generation_id, group.leader_id) == (GroupState.STABLE, 1, leader)
    assert again.heartbeat(follower, 1) == errors.NONE
    assert again.answers[again.sync(follower, 1)].assignment == b"1"
    again.pass_time(9_999)
    again.heartbeat(leader, 1)
    again.pass_time(1)
    assert set(again.group().members) == {leader}
