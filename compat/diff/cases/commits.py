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
FIRST_WITH_TOPIC_IDS = 10
FIRST_WITH_GROUPS = 8
UNKNOWN_ID = b"no such topic id"


def run(world: World) -> None:
    topic_id = world.topic(TOPIC, 3)
    other_id = world.topic(OTHER, 3)
    for version in versions(OffsetCommitRequest):
        _commit(world, version, topic_id, other_id)
    for version in versions(OffsetFetchRequest):
        _fetch(world, version, topic_id, other_id)
    _delete(world)


def _commit(world: World, version: int, topic_id: bytes, other_id: bytes) -> None:
    group = f"commits-{version}"
    by_id = version >= FIRST_WITH_TOPIC_IDS

    def place(name: str, *partitions: OffsetCommitRequestPartition) -> OffsetCommitRequestTopic:
        ids = {TOPIC: topic_id, OTHER: other_id}
        if by_id:
            return OffsetCommitRequestTopic("", ids.get(name, UNKNOWN_ID), list(partitions))
        return OffsetCommitRequestTopic(name, partitions=list(partitions))

    def ask(case: str, *places: OffsetCommitRequestTopic, name: str = group, **more: int) -> None:
        request = OffsetCommitRequest(name, -1, "", None, more.pop("retention_ms", -1), list(places))
        if can_carry(request, version):
            world.ask(request, version, case)

    def at(partition: int, offset: int = 7, epoch: int = -1, note: str | None = "note") -> OffsetCommitRequestPartition:
        return OffsetCommitRequestPartition(partition, offset, epoch, note)

    for offset in (-(2**63), -2, -1, 0, 5, 2**63 - 1):
        ask(f"offset {offset}", place(TOPIC, at(0, offset)))
    for epoch in (-2, -1, 0, 5, 2**31 - 1):
        ask(f"epoch {epoch}", place(TOPIC, at(0, 7, epoch)))
    for note in (None, "", "ä", "n" * 4096, "n" * 4097, "ä" * 2048, "ä" * 2049):
        shown = note if note is None else f"{note[:2]} × {len(note)}"
        ask(f"metadata {shown}", place(TOPIC, at(1, 7, -1, note)))
    for partition in (-1, 3, 2**31 - 1):
        ask(f"partition {partition}", place(TOPIC, at(partition)))
    for name in NO_TOPICS:
        ask(f"topic {name[:20]!r}", place(name, at(0)))
    if by_id:
        ask("zero id", OffsetCommitRequestTopic("", partitions=[at(0)]))
    ask("no topics")
    ask("no partitions", place(TOPIC))
    ask("a partition twice", place(TOPIC, at(2, 1), at(2, 2)))
    ask("a topic twice", place(TOPIC, at(1)), place(TOPIC, at(2)))
    ask("good and bad", place(TOPIC, at(0)), place("commits-nowhere", at(0)), place(OTHER, at(0), at(9)))
    ask("an empty group id", place(TOPIC, at(0)), name="")
    ask("a long group id", place(TOPIC, at(0)), name="g" * 300)
    ask("internal topic", place("__consumer_offsets", at(0)))
    for retention_ms in (-2, 0, 1, 2**63 - 1):
        ask(f"retention {retention_ms}", place(TOPIC, at(0)), name=f"{group}-{retention_ms}", retention_ms=retention_ms)
    for member, generation, instance in (
        *(("", 0, None), ("", 5, None), (STRANGER, -1, None), (STRANGER, 0, None), (STRANGER, 5, None)),
        *(("", -1, "instance"), (STRANGER, 5, "instance"), ("", -2, None)),
    ):
        for name in (group, f"commits-nowhere-{version}", ""):
            request = OffsetCommitRequest(name, generation, member, instance, -1, [place(TOPIC, at(0))])
            if can_carry(request, version):
                world.ask(request, version, f"group {name!r}, member {member!r}, {generation}, {instance}")
    _see(world, group, f"commits of version {version}")


def _see(world: World, group: str, case: str) -> None:
    world.ask(OffsetFetchRequest(group, None), 5, case)


def _fetch(world: World, version: int, topic_id: bytes, other_id: bytes) -> None:
    ids = {TOPIC: topic_id, OTHER: other_id}
    group = "commits-9"

    def ask(
        case: str,
        wanted: list[tuple[str, list[int]]] | None,
        name: str = group,
        stable: bool = False,
        member: tuple[str | None, int] = (None, -1),
    ) -> None:
        if version >= FIRST_WITH_GROUPS:
            request = OffsetFetchRequest(groups=[_group(name, wanted, *member)], require_stable=stable)
        else:
            topics = None if wanted is None else [OffsetFetchRequestTopic(*each) for each in wanted]
            request = OffsetFetchRequest(name, topics, require_stable=stable)
        if can_carry(request, version):
            world.ask(request, version, case)

    def _group(
        name: str, wanted: list[tuple[str, list[int]]] | None, member: str | None = None, epoch: int = -1
    ) -> OffsetFetchRequestGroup:
        if wanted is None:
            return OffsetFetchRequestGroup(name, member, epoch, None)
        if version >= FIRST_WITH_TOPIC_IDS:
            topics = [OffsetFetchRequestTopics("", ids.get(each, UNKNOWN_ID), indexes) for each, indexes in wanted]
        else:
            topics = [OffsetFetchRequestTopics(each, partition_indexes=indexes) for each, indexes in wanted]
        return OffsetFetchRequestGroup(name, member, epoch, topics)

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
    if version >= FIRST_WITH_GROUPS:
        several = [_group(group, None), _group("commits-nowhere", [(TOPIC, [0])]), _group("commits-8", [(TOPIC, [1])])]
        world.ask(OffsetFetchRequest(groups=several), version, "several groups")
        world.ask(OffsetFetchRequest(groups=[]), version, "no groups")
    if version >= FIRST_WITH_TOPIC_IDS:
        zero = OffsetFetchRequestGroup(group, None, -1, [OffsetFetchRequestTopics("", partition_indexes=[0])])
        world.ask(OffsetFetchRequest(groups=[zero]), version, "zero id")


def _delete(world: World) -> None:
    def ask(case: str, name: str, *wanted: tuple[str, list[int]]) -> None:
        topics = [
            OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(index) for index in indexes])
            for topic, indexes in wanted
        ]
        world.ask(OffsetDeleteRequest(name, topics), 0, case)

    group = "commits-9"
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
