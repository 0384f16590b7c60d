"""Groups under any sequence of requests, failures, restarts and passing time.

What must hold: one leader and one owner of each partition per generation, a
generation that never falls, exactly one answer for each request, and a log
from which the durable state can be rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kbroker.coordinator.group.classic_group import ClassicGroup, GroupState
from kbroker.coordinator.group.other_group import OtherGroup
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.join_group_response import JoinGroupResponse
from tests.coordinator.bench import Bench, subscription

_APPEND_FAILURES = (
    errors.NOT_COORDINATOR,
    errors.COORDINATOR_NOT_AVAILABLE,
    errors.UNKNOWN_SERVER_ERROR,
)
_PARTITIONS = range(4)
_CLIENTS = ("a", "b", "c", "s1", "s2")
clients = st.sampled_from(_CLIENTS)
some_clients = st.one_of(st.just(frozenset(_CLIENTS)), st.frozensets(clients, min_size=1))
# For what would end most stories too early.
rarely = st.sampled_from([False, False, False, True])
protocols = st.sampled_from([("range",), ("range", "sticky"), ("sticky", "range"), ("sticky",)])


def code_of(operation: Callable[[], object]) -> int:
    """The error code that the operation raises, or NONE."""
    try:
        operation()
    except KafkaError as error:
        return error.code
    return errors.NONE


class Groups(RuleBasedStateMachine):
    """Five clients, two of them static, that do not always behave."""

    @initialize(delay_ms=st.sampled_from([0, 3_000]), max_size=st.sampled_from([2, 100]))
    def start(self, delay_ms: int, max_size: int) -> None:
        self.bench = Bench(initial_rebalance_delay_ms=delay_ms, max_size=max_size)
        self.ids: dict[str, str] = {}
        self.generation: dict[str, int] = {}
        self.asked: dict[int, str] = {}
        self.handled: set[int] = set()
        self.leaders: dict[int, str] = {}
        self.joined: dict[str, int] = {}  # member id → the generation it was told
        self.owners: dict[tuple[int, str], str] = {}
        self.syncs: dict[int, int] = {}  # token → generation
        self.last_generation = 0

    # ── what clients do ──────────────────────────────────────────────────────

    @rule(client=clients, offered=protocols, topic=st.sampled_from("tu"), version=st.sampled_from([3, 8, 9]))
    def join(self, client: str, offered: tuple[str, ...], topic: str, version: int) -> None:
        token = self.bench.join(
            self.ids.get(client, ""),
            client_id=client,
            instance_id=client if client.startswith("s") else None,
            protocols=dict.fromkeys(offered, subscription(topic)),
            version=version,
            rebalance_timeout_ms=20_000,
        )
        self.asked[token] = client
        self.hear()

    @rule(client=clients)
    def restart_client(self, client: str) -> None:
        self.ids.pop(client, None)

    @rule(client=clients, generation_off=st.sampled_from([0, 0, 0, 1, -1]))
    def sync(self, client: str, generation_off: int) -> None:
        if client not in self.ids:
            return
        generation = self.generation.get(client, 0) + generation_off
        group = self.bench.shard.groups.get("g")
        members = list(group.members) if isinstance(group, ClassicGroup) else []
        assignments: dict[str, bytes] = {member: b"" for member in members}
        for partition in _PARTITIONS:
            if members:
                assignments[members[partition % len(members)]] += b"%d" % partition
        token = self.bench.sync(
            self.ids[client],
            generation,
            assignments,
            instance_id=client if client.startswith("s") else None,
            protocol_name=None,
        )
        self.asked[token] = client
        self.syncs[token] = generation
        self.hear()

    @rule(client=clients)
    def heartbeat(self, client: str) -> None:
        self.bench.heartbeat(self.ids.get(client, client), self.generation.get(client, 0))

    @rule(client=clients)
    def leave(self, client: str) -> None:
        identity = (self.ids.get(client, ""), client if client.startswith("s") else None)
        code = code_of(lambda: self.bench.leave(identity))
        assert code in (errors.NONE, errors.UNKNOWN_MEMBER_ID, *_APPEND_FAILURES)
        self.hear()

    @rule(client=clients, partition=st.sampled_from(_PARTITIONS), member=st.booleans())
    def commit(self, client: str, partition: int, member: bool) -> None:
        who = (self.ids.get(client, client), self.generation.get(client, 0)) if member else ("", -1)
        self.bench.commit_offset(self.bench.elapsed_ms, *who, partition=partition)

    @rule(client=st.sampled_from(["s1", "s2"]), version=st.sampled_from([8, 9]), fails=st.booleans())
    def restart_static_client(self, client: str, version: int, fails: bool) -> None:
        self.ids.pop(client, None)
        self.bench.append_error = errors.NOT_COORDINATOR if fails else 0
        self.join(client, ("range", "sticky"), "t", version)
        self.bench.append_error = 0

    @rule(who=some_clients, syncing=some_clients, fails=rarely)
    def behave(self, who: frozenset[str], syncing: frozenset[str], fails: bool) -> None:
        """Some clients do what good clients do; some of them until they have their assignment."""
        self.bench.append_error = 0
        for client in sorted(who):
            if self.bench.heartbeat(self.ids.get(client, client), self.generation.get(client, 0)):
                self.join(client, ("range", "sticky"), "t", 9)
                if client in self.ids:
                    self.join(client, ("range", "sticky"), "t", 9)
        self.pass_time(6_000)
        self.bench.append_error = errors.COORDINATOR_NOT_AVAILABLE if fails else 0
        for client in sorted(who & syncing):
            self.sync(client, 0)

    @rule(syncing=some_clients)
    def settle(self, syncing: frozenset[str]) -> None:
        """Everybody behaves."""
        self.behave(frozenset(_CLIENTS), frozenset(_CLIENTS), False)
        self.behave(frozenset(_CLIENTS), syncing, False)

    # ── what the world does ──────────────────────────────────────────────────

    @rule(duration_ms=st.sampled_from([1, 1_000, 3_000, 5_000, 20_000]))
    def pass_time(self, duration_ms: int) -> None:
        self.bench.append_error = 0
        self.bench.pass_time(duration_ms)
        self.hear()

    @rule(code=st.sampled_from(_APPEND_FAILURES))
    def next_append_fails(self, code: int) -> None:
        self.bench.append_error = code

    @rule()
    def hold_commits(self) -> None:
        self.bench.hold_commits = True

    @rule(code=st.sampled_from([0, 0, errors.COORDINATOR_NOT_AVAILABLE]))
    def release_commits(self, code: int) -> None:
        self.bench.append_error = 0
        self.bench.hold_commits = False
        self.bench.commit(code)
        self.hear()

    @rule(really=rarely)
    def delete_group(self, really: bool) -> None:
        if not really:
            return
        self.bench.append_error = 0
        code = code_of(lambda: self.bench.carry_out(self.bench.shard.delete_group("g")))
        assert code in (errors.NONE, errors.NON_EMPTY_GROUP, errors.GROUP_ID_NOT_FOUND)
        if not code:
            self.forget_generations()

    @rule(really=rarely)
    def lose_and_regain_leadership(self, really: bool) -> None:
        if not really:
            return
        self.unload()
        self.bench = self.bench.replayed()
        self.bench.hold_commits = False
        # What was not written is forgotten, its numbers are used again.
        self.forget_generations()
        self.hear()

    # ── what must hold ───────────────────────────────────────────────────────

    def unload(self) -> None:
        self.bench.append_error = 0
        self.bench.held.clear()
        self.bench.shard.on_unloaded()
        for reply in self.bench.shard.take_replies():
            assert reply.token not in self.bench.answers
            self.bench.answers[reply.token] = reply.response
        self.hear()
        unanswered = set(self.asked) - self.handled
        assert not unanswered, f"never answered: {unanswered}"

    def forget_generations(self) -> None:
        self.leaders.clear()
        self.joined.clear()
        self.owners.clear()
        self.syncs.clear()
        self.last_generation = 0

    def hear(self) -> None:
        """Take the answers as clients would, and compare them with each other."""
        for token, client in self.asked.items():
            if token in self.handled or token not in self.bench.answers:
                continue
            self.handled.add(token)
            response = self.bench.answers[token]
            if isinstance(response, JoinGroupResponse):
                self.hear_joined(client, response)
            elif not response.error_code:
                self.hear_assigned(self.syncs.get(token), client, response)
            elif response.error_code == errors.UNKNOWN_MEMBER_ID:
                self.ids.pop(client, None)

    def hear_joined(self, client: str, response: JoinGroupResponse) -> None:
        if response.error_code == errors.UNKNOWN_MEMBER_ID:
            self.ids.pop(client, None)
        elif response.member_id:
            self.ids[client] = response.member_id
        if response.error_code:
            return
        generation = response.generation_id
        self.generation[client] = generation
        self.joined[response.member_id] = generation
        if response.members and not response.skip_assignment:
            # Whoever is to assign leads, and no other did in this generation.
            assert response.leader == response.member_id
            instance = self.leaders.setdefault(generation, client)
            assert instance == client
            assert response.member_id in {member.member_id for member in response.members}

    def hear_assigned(self, generation: int | None, client: str, response: Any) -> None:
        if generation is not None:
            for partition in response.assignment.decode():
                assert self.owners.setdefault((generation, partition), client) == client

    @invariant()
    def books_are_right(self) -> None:
        for group in self.bench.shard.groups.values():
            if isinstance(group, OtherGroup):
                continue
            members = group.members
            parked = [member for member in members.values() if member.join_token is not None]
            assert group.awaiting_join == len(parked)
            assert (group.leader_id in members) == bool(members)
            assert {each: members[owner].instance_id for each, owner in group.static_members.items()} == {
                member.instance_id: member.instance_id for member in members.values() if member.instance_id
            }
            assert group.pending_sync <= set(members)
            assert not set(group.pending_members) & set(members)
            assert (group.state is GroupState.EMPTY) <= (not members)
            if group.state is GroupState.COMPLETING_REBALANCE:
                assert not parked
            else:
                assert not [member for member in members.values() if member.sync_token is not None]

    @invariant()
    def whoever_takes_part_was_told(self) -> None:
        group = self.bench.shard.groups.get("g")
        if isinstance(group, ClassicGroup) and group.state is GroupState.COMPLETING_REBALANCE:
            assert group.generation_id in self.leaders
            for member in group.members.values():
                if member.instance_id is None:
                    assert self.joined[member.member_id] == group.generation_id

    @invariant()
    def generation_never_falls(self) -> None:
        group = self.bench.shard.groups.get("g")
        if isinstance(group, ClassicGroup):
            assert group.generation_id >= self.last_generation
            self.last_generation = group.generation_id
        else:
            self.forget_generations()

    @invariant()
    def log_tells_the_durable_state(self) -> None:
        live, loaded = self.bench.shard, self.bench.replayed().shard
        assert live.offsets.store.committed.by_group == loaded.offsets.store.committed.by_group
        for group_id, group in live.groups.items():
            known = loaded.groups.get(group_id)
            if not isinstance(group, ClassicGroup) or self.bench.held or self.uncertain:
                continue
            if group.state is GroupState.STABLE:
                assert isinstance(known, ClassicGroup)
                assert known.generation_id == group.generation_id
                assert known.leader_id == group.leader_id
                assert {each: member.assignment for each, member in known.members.items()} == {
                    each: member.assignment for each, member in group.members.items()
                }

    @property
    def uncertain(self) -> bool:
        """A record may be in the log although its commit failed, as on a real broker."""
        return self.bench.failed_commits

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.unload()


TestGroups = Groups.TestCase
TestGroups.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
