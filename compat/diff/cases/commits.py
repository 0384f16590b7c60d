"""Committed offsets: OffsetCommit from outside a group, OffsetFetch, OffsetDelete."""

from compat.diff.cases.groups import STRANGER, Group
from compat.diff.cases.offsets import NO_TOPICS
from compat.diff.world import World, can_carry, versions
from kbroker.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kbroker.protocol.generated.offset_delete_request import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kbroker.protocol.generated.offset_fetch_request import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)

TOPIC = "commits-topic"
OTHER = "commits-other"
# The group whose commits are read and deleted: those of version 9.
READ = "commits-9"
FIRST_WITH_TOPIC_IDS = 10
FIRST_WITH_GROUPS = 8
UNKNOWN_ID = b"no such topic id"


def run(world: World) -> None:
    ids = {name: world.topic(name, 3) for name in (TOPIC, OTHER)}
    for version in versions(OffsetCommitRequest):
        commit = _Commit(world, version, ids)
        _commit(commit)
        _commit_places(commit)
        _commit_members(commit)
        _see(world, commit.group, f"commits of version {version}")
    for version in versions(OffsetFetchRequest):
        _fetch(_Fetch(world, version, ids))
    _delete(world)


class _Commit:
    """OffsetCommits of one version: topics by name or by id, whatever the version wants."""

    def __init__(self, world: World, version: int, ids: dict[str, bytes]) -> None:
        self.world = world
        self.version = version
        self.ids = ids
        self.group = f"commits-{version}"

    def place(self, name: str, *partitions: OffsetCommitRequestPartition) -> OffsetCommitRequestTopic:
        if self.version >= FIRST_WITH_TOPIC_IDS:
            return OffsetCommitRequestTopic("", self.ids.get(name, UNKNOWN_ID), list(partitions))
        return OffsetCommitRequestTopic(name, partitions=list(partitions))

    def ask(
        self, case: str, *places: OffsetCommitRequestTopic, name: str | None = None, retention_ms: int = -1
    ) -> None:
        group = self.group if name is None else name
        self.send(OffsetCommitRequest(group, -1, "", None, retention_ms, list(places)), case)

    def send(self, request: OffsetCommitRequest, case: str) -> None:
        if can_carry(request, self.version):
            self.world.ask(request, self.version, case)


def _at(
    partition: int, offset: int = 7, epoch: int = -1, note: str | None = "note"
) -> OffsetCommitRequestPartition:
    return OffsetCommitRequestPartition(partition, offset, epoch, note)


def _commit(commit: _Commit) -> None:
    ask, place = commit.ask, commit.place
    for offset in (-(2**63), -2, -1, 0, 5, 2**63 - 1):
        ask(f"offset {offset}", place(TOPIC, _at(0, offset)))
    for epoch in (-2, -1, 0, 5, 2**31 - 1):
        ask(f"epoch {epoch}", place(TOPIC, _at(0, 7, epoch)))
    for note in (None, "", "ä", "n" * 4096, "n" * 4097, "ä" * 2048, "ä" * 2049):
        shown = note if note is None else f"{note[:2]} × {len(note)}"
        ask(f"metadata {shown}", place(TOPIC, _at(1, 7, -1, note)))
    for retention_ms in (-2, 0, 1, 2**63 - 1):
        name = f"{commit.group}-{retention_ms}"
        ask(f"retention {retention_ms}", place(TOPIC, _at(0)), name=name, retention_ms=retention_ms)


def _commit_places(commit: _Commit) -> None:
    ask, place = commit.ask, commit.place
    for partition in (-1, 3, 2**31 - 1):
        ask(f"partition {partition}", place(TOPIC, _at(partition)))
    for name in NO_TOPICS:
        ask(f"topic {name[:20]!r}", place(name, _at(0)))
    ask("no topics")
    ask("no partitions", place(TOPIC))
    ask("a partition twice", place(TOPIC, _at(2, 1), _at(2, 2)))
    ask("a topic twice", place(TOPIC, _at(1)), place(TOPIC, _at(2)))
    ask("good and bad", place(TOPIC, _at(0)), place("commits-nowhere", _at(0)), place(OTHER, _at(0), _at(9)))
    ask("internal topic", place("__consumer_offsets", _at(0)))
    if commit.version >= FIRST_WITH_TOPIC_IDS:
        ask("zero id", OffsetCommitRequestTopic("", partitions=[_at(0)]))


def _commit_members(commit: _Commit) -> None:
    commit.ask("an empty group id", commit.place(TOPIC, _at(0)), name="")
    commit.ask("a long group id", commit.place(TOPIC, _at(0)), name="g" * 300)
    for member, generation, instance in (
        *(("", 0, None), ("", 5, None), (STRANGER, -1, None), (STRANGER, 0, None), (STRANGER, 5, None)),
        *(("", -1, "instance"), (STRANGER, 5, "instance"), ("", -2, None)),
    ):
        for name in (commit.group, f"commits-nowhere-{commit.version}", ""):
            places = [commit.place(TOPIC, _at(0))]
            request = OffsetCommitRequest(name, generation, member, instance, -1, places)
            commit.send(request, f"group {name!r}, member {member!r}, {generation}, {instance}")


def _see(world: World, group: str, case: str) -> None:
    world.ask(OffsetFetchRequest(group, None), 5, case)


# Topic and partitions; None for all of a group.
Wanted = list[tuple[str, list[int]]] | None


class _Fetch:
    """OffsetFetches of one version, in the shape the version wants."""

    def __init__(self, world: World, version: int, ids: dict[str, bytes]) -> None:
        self.world = world
        self.version = version
        self.ids = ids

    def ask(
        self,
        case: str,
        wanted: Wanted,
        name: str = READ,
        *,
        stable: bool = False,
        member: tuple[str | None, int] = (None, -1),
    ) -> None:
        if self.version >= FIRST_WITH_GROUPS:
            request = OffsetFetchRequest(groups=[self.group(name, wanted, *member)], require_stable=stable)
        else:
            topics = None if wanted is None else [OffsetFetchRequestTopic(*each) for each in wanted]
            request = OffsetFetchRequest(name, topics, require_stable=stable)
        if can_carry(request, self.version):
            self.world.ask(request, self.version, case)

    def group(
        self, name: str, wanted: Wanted, member: str | None = None, epoch: int = -1
    ) -> OffsetFetchRequestGroup:
        topics = None if wanted is None else [self._topic(*each) for each in wanted]
        return OffsetFetchRequestGroup(name, member, epoch, topics)

    def _topic(self, name: str, indexes: list[int]) -> OffsetFetchRequestTopics:
        if self.version >= FIRST_WITH_TOPIC_IDS:
            return OffsetFetchRequestTopics("", self.ids.get(name, UNKNOWN_ID), indexes)
        return OffsetFetchRequestTopics(name, partition_indexes=indexes)


def _fetch(fetch: _Fetch) -> None:
    ask = fetch.ask
    ask("all", None)
    ask("no topics", [])
    ask("no partitions", [(TOPIC, [])])
    ask("partitions", [(TOPIC, [0, 1, 2]), (OTHER, [0, 1])])
    ask("unknown partitions", [(TOPIC, [-1, 9])])
    for name in NO_TOPICS:
        ask(f"topic {name[:20]!r}", [(name, [0])])
    ask("good and unknown", [(TOPIC, [0]), ("commits-nowhere", [0])])
    ask("stable", [(TOPIC, [0])], stable=True)
    for name in ("commits-nowhere", "", "g" * 300):
        ask(f"group {name[:20]!r}", [(TOPIC, [0])], name)
        ask(f"group {name[:20]!r}, all", None, name)
    for member in (("", -1), ("", 0), (STRANGER, -1), (STRANGER, 5), (None, 5), (None, -2)):
        ask(f"member {member}", [(TOPIC, [0])], member=member)
        ask(f"member {member}, unknown group", [(TOPIC, [0])], "commits-nowhere", member=member)
    if fetch.version >= FIRST_WITH_GROUPS:
        missing = fetch.group("commits-nowhere", [(TOPIC, [0])])
        several = [fetch.group(READ, None), missing, fetch.group("commits-8", [(TOPIC, [1])])]
        fetch.world.ask(OffsetFetchRequest(groups=several), fetch.version, "several groups")
        fetch.world.ask(OffsetFetchRequest(groups=[]), fetch.version, "no groups")
    if fetch.version >= FIRST_WITH_TOPIC_IDS:
        zero = OffsetFetchRequestGroup(READ, None, -1, [OffsetFetchRequestTopics("", partition_indexes=[0])])
        fetch.world.ask(OffsetFetchRequest(groups=[zero]), fetch.version, "zero id")


def _delete(world: World) -> None:
    def ask(case: str, name: str, *wanted: tuple[str, list[int]]) -> None:
        topics = [
            OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(index) for index in indexes])
            for topic, indexes in wanted
        ]
        world.ask(OffsetDeleteRequest(name, topics), 0, case)

    group = READ
    ask("one", group, (TOPIC, [0]))
    ask("again", group, (TOPIC, [0]))
    ask("unknown partition", group, (TOPIC, [-1, 9]))
    ask("none", group)
    ask("no partitions", group, (TOPIC, []))
    ask("twice", group, (TOPIC, [1, 1]))
    for name in NO_TOPICS:
        ask(f"topic {name[:20]!r}", group, (name, [0]))
    for name in ("commits-nowhere", "", "g" * 300):
        ask(f"group {name[:20]!r}", name, (TOPIC, [0]))
    ask("good and unknown", group, (OTHER, [0]), ("commits-nowhere", [0]))
    _see(world, group, "after deletions")
    living = Group(world, "commits-living")
    joined = living.join(5, "fixture")
    world.ask(living.sync(joined["member_id"], joined["generation_id"]), 3, "fixture")
    ask("a living group", living.name, (TOPIC, [0]))
    connect = Group(world, "commits-connect", "connect")
    connect.join(5, "fixture")
    ask("a living group of another kind", connect.name, (TOPIC, [0]))
