"""Classic groups: joining, syncing, heartbeats, leaving, in every state and with every wrong word."""

import struct

from compat.diff.trees import Tree
from compat.diff.world import World, can_carry, versions
from kbroker.protocol.generated.delete_groups_request import DeleteGroupsRequest
from kbroker.protocol.generated.describe_groups_request import DescribeGroupsRequest
from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
from kbroker.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from kbroker.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from kbroker.protocol.generated.list_groups_request import ListGroupsRequest
from kbroker.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kbroker.protocol.generated.sync_group_request import SyncGroupRequest, SyncGroupRequestAssignment
from kbroker.protocol.primitives import Message

TOPIC = "groups-topic"
STRANGER = "diff-00000000-0000-4000-8000-000000000000"


def subscription(*topics: str) -> bytes:
    """What a consumer says of itself, version 0: topics, and no data of the user."""
    names = b"".join(struct.pack(">h", len(topic)) + topic.encode() for topic in topics)
    return struct.pack(">hi", 0, len(topics)) + names + struct.pack(">i", -1)


PROTOCOLS = [
    JoinGroupRequestProtocol("range", subscription("groups-topic")),
    JoinGroupRequestProtocol("roundrobin", subscription()),
]
_MEMBER_ID_REQUIRED = 79


def run(world: World) -> None:
    world.topic(TOPIC, 3)
    _unknown_groups(world)
    for version in versions(JoinGroupRequest):
        _join_edges(world, version)
        _life(world, version)
    for version in range(5, 10):
        _static(world, version)
    for version in (0, 4, 5, 9):
        _two_members(world, version)
    _generic(world)
    _describe_and_list(world)
    _never_answered(world)


def _never_answered(world: World) -> None:
    """Apache Kafka's rebalance fails on the way, and never ends."""
    garbage = Group(world, "groups-garbage").joining(
        protocols=[JoinGroupRequestProtocol("range", b"no subscription")]
    )
    world.ask(garbage, 0, "never answered: no subscription", patience_s=1)
    twice = Group(world, "groups-protocol-twice").joining(protocols=[PROTOCOLS[0], PROTOCOLS[0]])
    world.ask(twice, 0, "never answered: a protocol twice", patience_s=1)


class Group:
    """One group of its own, and requests about it."""

    def __init__(self, world: World, name: str, protocol_type: str = "consumer") -> None:
        self.world = world
        self.name = name
        self.protocol_type = protocol_type

    def joining(
        self,
        member_id: str = "",
        *,
        instance: str | None = None,
        protocols: list[JoinGroupRequestProtocol] | None = None,
        session_ms: int = 30_000,
        rebalance_ms: int = 30_000,
    ) -> JoinGroupRequest:
        chosen = PROTOCOLS if protocols is None else protocols
        return JoinGroupRequest(
            self.name, session_ms, rebalance_ms, member_id, instance, self.protocol_type, chosen
        )

    def join(self, version: int, case: str, *, instance: str | None = None) -> Tree:
        """As a client does: again with the member id it was given, where one is required."""
        answer = self.world.ask(self.joining(instance=instance), version, case)
        if answer["error_code"] == _MEMBER_ID_REQUIRED:
            request = self.joining(answer["member_id"], instance=instance)
            answer = self.world.ask(request, version, f"{case}, again")
        return answer

    def sync(
        self, member_id: str, generation: int, *assigned: tuple[str, bytes], instance: str | None = None
    ) -> SyncGroupRequest:
        assignments = [SyncGroupRequestAssignment(member, data) for member, data in assigned]
        return SyncGroupRequest(self.name, generation, member_id, instance, None, None, assignments)

    def heartbeat(self, member_id: str, generation: int, instance: str | None = None) -> HeartbeatRequest:
        return HeartbeatRequest(self.name, generation, member_id, instance)

    def commit(self, member_id: str, generation: int, instance: str | None = None) -> OffsetCommitRequest:
        wanted = [
            OffsetCommitRequestTopic(TOPIC, partitions=[OffsetCommitRequestPartition(0, 5, -1, "note")])
        ]
        return OffsetCommitRequest(self.name, generation, member_id, instance, -1, wanted)

    def leave(self, member_id: str, version: int, instance: str | None = None) -> LeaveGroupRequest:
        if version < 3:
            return LeaveGroupRequest(self.name, member_id)
        return LeaveGroupRequest(self.name, "", [MemberIdentity(member_id, instance)])

    def describe(self, case: str) -> None:
        self.world.ask(DescribeGroupsRequest([self.name]), 5, f"{case}, described")


def each(world: World, request: Message, case: str, upto: int | None = None) -> None:
    """Every version that can carry it; for requests that change nothing."""
    for version in versions(type(request)):
        if can_carry(request, version) and (upto is None or version <= upto):
            world.ask(request, version, case)


# --- groups nobody knows ------------------------------------------------------------------------


def _unknown_groups(world: World) -> None:
    for name in ("groups-nowhere", "", "g" * 300, "ä ö"):
        group = Group(world, name)
        shown = f"group {name[:20]!r}"
        for member in ("", STRANGER, "x"):
            for generation in (-1, 0, 1):
                each(world, group.heartbeat(member, generation), f"{shown}, member {member!r}, {generation}")
                each(world, group.sync(member, generation), f"{shown}, member {member!r}, {generation}")
            for version in versions(LeaveGroupRequest):
                world.ask(group.leave(member, version), version, f"{shown}, member {member!r}")
        each(world, group.heartbeat(STRANGER, 1, "an instance"), f"{shown}, an instance")
        each(world, group.sync(STRANGER, 1, instance="an instance"), f"{shown}, an instance")
        for version in range(3, 6):
            world.ask(group.leave("", version, "an instance"), version, f"{shown}, an instance")
            world.ask(LeaveGroupRequest(name, "", []), version, f"{shown}, nobody")
        each(world, DescribeGroupsRequest([name]), shown)
        each(world, DeleteGroupsRequest([name]), shown)
        for version in versions(JoinGroupRequest):
            world.ask(group.joining(STRANGER), version, f"{shown}, a stranger")


def _join_edges(world: World, version: int) -> None:
    """Joins that are refused, each in a group of its own."""

    def ask(case: str, request: JoinGroupRequest) -> None:
        if can_carry(request, version):
            world.ask(request, version, case)

    def group(suffix: str) -> Group:
        return Group(world, f"groups-edge-{version}-{suffix}")

    for session_ms in (-1, 0, 5999, 6000, 1_800_000, 1_800_001, 2**31 - 1):
        ask(f"session timeout {session_ms}", group(f"session{session_ms}").joining(session_ms=session_ms))
    for rebalance_ms in (-1, 0, 2**31 - 1):
        ask(
            f"rebalance timeout {rebalance_ms}",
            group(f"rebalance{rebalance_ms}").joining(rebalance_ms=rebalance_ms),
        )
    ask("no protocols", group("none").joining(protocols=[]))
    ask(
        "an empty protocol",
        group("unnamed").joining(protocols=[JoinGroupRequestProtocol("", subscription())]),
    )
    ask("no protocol type", Group(world, f"groups-edge-{version}-untyped", "").joining())
    ask("an empty group id", Group(world, "").joining())
    ask("an empty instance", group("instance").joining(instance=""))
    for instance in (".", "..", "a b", "a/b", "ä", "i" * 249, "i" * 250):
        ask(
            f"instance {instance[:20]!r}",
            group(f"instance-{len(instance)}{instance[:3]}").joining(instance=instance),
        )
    request = group("stranger").joining(STRANGER, instance="stranger")
    ask("a stranger with an instance", request)


# --- one member ---------------------------------------------------------------------------------


def _life(world: World, version: int) -> None:
    group = Group(world, f"groups-life-{version}")
    first = world.ask(group.joining(), version, "join")
    if first["error_code"] == _MEMBER_ID_REQUIRED:
        group.describe("a member id given")
        each(world, group.heartbeat(first["member_id"], -1), "a pending member")
        each(world, group.sync(first["member_id"], 0), "a pending member")
        first = world.ask(group.joining(first["member_id"]), version, "join again")
    member, generation = first["member_id"], first["generation_id"]
    group.describe("before the sync")
    each(world, group.heartbeat(member, generation), "before the sync")
    each(world, group.commit(member, generation), "before the sync")
    _wrong_words(world, group, member, generation, "before the sync")
    sync_version = min(version, 5)
    synced = group.sync(member, generation, (member, b"all of it"))
    if sync_version >= 5:
        for protocol_type, name in (("other", "range"), ("consumer", "other"), ("other", "other")):
            synced.protocol_type, synced.protocol_name = protocol_type, name
            world.ask(synced, sync_version, f"sync with {protocol_type} {name}")
        synced.protocol_type, synced.protocol_name = "consumer", "range"
    world.ask(synced, sync_version, "sync")
    group.describe("stable")
    each(world, group.heartbeat(member, generation), "stable")
    each(world, group.sync(member, generation), "once more")
    each(world, group.commit(member, generation), "stable")
    _wrong_words(world, group, member, generation, "stable")
    each(world, DeleteGroupsRequest([group.name]), "stable")
    again = world.ask(group.joining(member), version, "the leader joins again")
    group.describe("the leader joined again")
    other = group.joining(member, protocols=[JoinGroupRequestProtocol("range", subscription("changed"))])
    again = world.ask(other, version, "the leader joins again, changed")
    none_of_it = group.joining(member, protocols=[JoinGroupRequestProtocol("sticky", subscription())])
    again = world.ask(none_of_it, version, "the only member with another protocol")
    stranger = Group(world, group.name, "connect")
    world.ask(stranger.joining(), version, "another protocol type")
    world.ask(
        group.joining(protocols=[JoinGroupRequestProtocol("nothing", subscription())]),
        version,
        "no common protocol",
    )
    world.ask(group.joining(STRANGER), version, "an unknown member")
    world.ask(group.sync(member, again["generation_id"]), sync_version, "an empty sync")
    group.describe("synced empty")
    leave_version = min(version, 5)
    world.ask(group.leave(member, leave_version), leave_version, "leave")
    world.ask(group.leave(member, leave_version), leave_version, "leave twice")
    group.describe("empty")
    each(world, group.heartbeat(member, again["generation_id"]), "empty")
    each(world, group.commit("", -1), "from outside, empty")
    each(world, group.commit(member, again["generation_id"]), "a former member, empty")
    rejoined = group.join(version, "join an empty group")
    world.ask(group.leave(rejoined["member_id"], leave_version), leave_version, "leave once more")
    each(world, DeleteGroupsRequest([group.name]), "empty")
    group.describe("deleted")


def _wrong_words(world: World, group: Group, member: str, generation: int, state: str) -> None:
    for wrong in (-1, generation - 1, generation + 1, 2**31 - 1):
        each(world, group.heartbeat(member, wrong), f"{state}, generation {wrong}")
        each(world, group.sync(member, wrong), f"{state}, generation {wrong}")
        each(world, group.commit(member, wrong), f"{state}, generation {wrong}")
    for stranger in ("", "x", STRANGER):
        each(world, group.heartbeat(stranger, generation), f"{state}, member {stranger!r}")
        each(world, group.sync(stranger, generation), f"{state}, member {stranger!r}")
        each(world, group.commit(stranger, generation), f"{state}, member {stranger!r}")
        for version in versions(LeaveGroupRequest):
            world.ask(group.leave(stranger, version), version, f"{state}, member {stranger!r}")
    each(world, group.heartbeat(member, generation, "unknown instance"), f"{state}, an instance")
    each(world, group.sync(member, generation, instance="unknown instance"), f"{state}, an instance")
    each(world, group.commit(member, generation, "unknown instance"), f"{state}, an instance")
    each(world, group.commit("", -1), f"{state}, from outside")


# --- static members -----------------------------------------------------------------------------


def _static(world: World, version: int) -> None:
    group = Group(world, f"groups-static-{version}")
    sync_version = min(version, 5)
    leave_version = min(version, 5)
    heartbeat_version = min(version, 4)
    first = group.join(version, "static join", instance="one")
    member, generation = first["member_id"], first["generation_id"]
    world.ask(group.sync(member, generation, (member, b"mine"), instance="one"), sync_version, "static sync")
    group.describe("static")
    world.ask(group.heartbeat(member, generation, "one"), heartbeat_version, "static heartbeat")
    world.ask(
        group.heartbeat(STRANGER, generation, "one"), heartbeat_version, "static, a stranger in its place"
    )
    world.ask(group.commit(STRANGER, generation, "one"), 7, "static commit, a stranger in its place")
    world.ask(group.commit(member, generation, "two"), 7, "static commit, an unknown instance")
    world.ask(group.joining(STRANGER, instance="one"), version, "static join, a stranger in its place")
    back = group.join(version, "static member comes back", instance="one")
    group.describe("static member came back")
    world.ask(
        group.sync(back["member_id"], back["generation_id"], instance="one"),
        sync_version,
        "static sync, back",
    )
    for name, request, asked in (
        ("heartbeat", group.heartbeat(member, back["generation_id"], "one"), heartbeat_version),
        ("sync", group.sync(member, back["generation_id"], instance="one"), sync_version),
        ("commit", group.commit(member, back["generation_id"], "one"), 7),
        ("join", group.joining(member, instance="one"), version),
        ("leave", group.leave(member, leave_version, "one"), leave_version),
    ):
        world.ask(request, asked, f"static, fenced {name}")
    world.ask(
        group.heartbeat(member, back["generation_id"]), heartbeat_version, "static, fenced without instance"
    )
    changed = group.joining(
        instance="one", protocols=[JoinGroupRequestProtocol("range", subscription("changed"))]
    )
    back = world.ask(changed, version, "static member comes back changed")
    world.ask(group.leave("", leave_version, "nobody"), leave_version, "static leave, unknown instance")
    world.ask(group.leave(STRANGER, leave_version, "one"), leave_version, "static leave, a stranger")
    several = [MemberIdentity(back["member_id"], "one"), MemberIdentity("", "one"), MemberIdentity("x", None)]
    world.ask(LeaveGroupRequest(group.name, "", several), leave_version, "static leave, several")
    group.describe("static left")


# --- two members --------------------------------------------------------------------------------


def _two_members(world: World, version: int) -> None:
    """A rebalance: the first member learns of it by its heartbeat, and both join."""
    group = Group(world, f"groups-two-{version}")
    sync_version = min(version, 5)
    heartbeat_version = min(version, 4)
    leave_version = min(version, 5)
    first = group.join(version, "two, first")
    one, generation = first["member_id"], first["generation_id"]
    world.ask(group.sync(one, generation, (one, b"all")), sync_version, "two, first syncs")
    joining = group.joining()
    given = world.ask(joining, version, "two, second", on="second") if version >= 4 else None
    if given is not None:
        joining = group.joining(given["member_id"])
    second = world.post(joining, version, "two, second joins", on="second")
    _until_rebalancing(world, group, one, generation)
    group.describe("two, rebalancing")
    world.ask(group.heartbeat(one, generation), heartbeat_version, "two, rebalancing")
    world.ask(group.sync(one, generation), sync_version, "two, rebalancing")
    each(world, group.commit(one, generation), "two, rebalancing")
    _wrong_words_while_rebalancing(world, group, one, generation)
    rejoined = world.ask(group.joining(one), version, "two, first joins again")
    joined = world.answer(second)
    two, generation = joined["member_id"], rejoined["generation_id"]
    group.describe("two, completing")
    waiting = world.post(group.sync(two, generation), sync_version, "two, second waits", on="second")
    shares = ((one, b"half"), (two, b"other half"))
    world.ask(group.sync(one, generation, *shares), sync_version, "two, leader shares")
    world.answer(waiting)
    group.describe("two, stable")
    world.ask(group.sync(two, generation), sync_version, "two, second asks again")
    each(world, group.commit(two, generation), "two, stable")
    world.ask(group.joining(two), version, "two, second joins again unchanged")
    world.ask(group.leave(two, leave_version), leave_version, "two, second leaves")
    world.ask(group.heartbeat(one, generation), heartbeat_version, "two, one has left")
    world.ask(group.joining(one), version, "two, alone again")
    world.ask(group.leave(one, leave_version), leave_version, "two, nobody left")
    group.describe("two, empty")


def _until_rebalancing(world: World, group: Group, member: str, generation: int) -> None:
    """The second join has arrived at both when the first member's heartbeat says so."""
    for side in (0, 1):
        own: Message = world.names.own(side, group.heartbeat(member, generation))
        while world.quietly(side, own, 0)["error_code"] == 0:
            pass


def _wrong_words_while_rebalancing(world: World, group: Group, member: str, generation: int) -> None:
    for wrong in (-1, generation + 1):
        each(world, group.heartbeat(member, wrong), f"rebalancing, generation {wrong}")
        each(world, group.sync(member, wrong), f"rebalancing, generation {wrong}")
        each(world, group.commit(member, wrong), f"rebalancing, generation {wrong}")
    for stranger in ("", STRANGER):
        each(world, group.heartbeat(stranger, generation), f"rebalancing, member {stranger!r}")
        each(world, group.sync(stranger, generation), f"rebalancing, member {stranger!r}")
        each(world, group.commit(stranger, generation), f"rebalancing, member {stranger!r}")


# --- groups of another kind, and groups together --------------------------------------------------


def _generic(world: World) -> None:
    """Not consumers: connect workers and their like."""
    group = Group(world, "groups-connect", "connect")
    first = group.join(5, "connect")
    member, generation = first["member_id"], first["generation_id"]
    world.ask(group.sync(member, generation, (member, b"work"), ("nobody", b"lost")), 5, "connect, sync")
    each(world, DescribeGroupsRequest([group.name]), "connect")
    each(world, group.commit("", -1), "connect, from outside")
    each(world, group.commit(member, generation), "connect")
    simple = Group(world, "groups-simple")
    each(world, simple.commit("", -1), "without members")
    each(world, DescribeGroupsRequest([simple.name]), "without members")
    for version in versions(JoinGroupRequest):
        answer = Group(world, simple.name).join(version, "join a group without members")
        leave_version = min(version, 5)
        request = group.leave(answer["member_id"], leave_version)
        request.group_id = simple.name
        world.ask(request, leave_version, "leave a group without members")


def _describe_and_list(world: World) -> None:
    names = ["groups-connect", "groups-nowhere", "groups-simple", "groups-connect", ""]
    each(world, DescribeGroupsRequest(names), "several")
    each(world, DescribeGroupsRequest([]), "none")
    each(world, DescribeGroupsRequest(["groups-connect"], True), "operations")
    for states in ([], ["Stable"], ["stable"], ["Empty", "Dead"], ["Nothing"], [""]):
        for types in ([], ["classic"], ["Classic"], ["consumer"], ["share"], ["nothing"], [""]):
            each(world, ListGroupsRequest(states, types), f"states {states}, types {types}")
    each(world, DeleteGroupsRequest([]), "none")
    each(world, DeleteGroupsRequest(["groups-connect", "groups-nowhere", ""]), "several")
    world.each(DeleteGroupsRequest(["groups-simple", "groups-simple"]), "one twice")
