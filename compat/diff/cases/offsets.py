"""ListOffsets, OffsetForLeaderEpoch, DeleteRecords: looking for offsets in logs, and cutting logs."""

from compat.diff.batches import TIME_MS, records
from compat.diff.world import World, versions
from kbroker.protocol.generated.delete_records_request import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from kbroker.protocol.generated.list_offsets_request import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from kbroker.protocol.generated.offset_for_leader_epoch_request import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from kbroker.protocol.generated.produce_request import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)

FULL = "offsets-full"
EMPTY = "offsets-empty"
CUT = "offsets-cut"
# Names that no broker has, or takes.
NO_TOPICS = ("offsets-nowhere", "", ".", "..", "a b", "a/b", "ä", "x" * 249, "x" * 250)

TIMESTAMPS = (
    *(-(2**63), -7, -6, -5, -4, -3, -2, -1, 0, 1),
    *(TIME_MS - 1, TIME_MS, TIME_MS + 1, TIME_MS + 1000, TIME_MS + 4000, TIME_MS + 4001, 2**63 - 1),
)
EPOCHS = (-2, -1, 0, 1, 2**31 - 1)


def run(world: World) -> None:
    for topic in (FULL, EMPTY, CUT):
        world.topic(topic, 2)
    for topic in (FULL, CUT):
        for count in (1, 5, 2):
            fill(world, topic, count)
    fill(world, FULL, 3, codec=1)
    world.ask(delete(CUT, (0, 4)), 2, "fixture")
    _list_offsets(world)
    _offsets_for_epochs(world)
    _delete_records(world)


def fill(world: World, topic: str, count: int, partition: int = 0, codec: int = 0) -> None:
    """Write a batch."""
    data = [PartitionProduceData(partition, records(count, codec=codec))]
    world.ask(ProduceRequest(None, -1, 30_000, [TopicProduceData(topic, partition_data=data)]), 9, "fixture")


# --- ListOffsets --------------------------------------------------------------------------------


def _wanted(topic: str, *partitions: ListOffsetsPartition) -> list[ListOffsetsTopic]:
    return [ListOffsetsTopic(topic, list(partitions))]


def _list_offsets(world: World) -> None:
    for topic in (FULL, EMPTY, CUT):
        for timestamp in TIMESTAMPS:
            request = ListOffsetsRequest(-1, 0, _wanted(topic, ListOffsetsPartition(0, -1, timestamp)), 1000)
            world.each(request, f"{topic}, timestamp {timestamp}")
    for epoch in EPOCHS:
        for timestamp in (-1, TIME_MS):
            request = ListOffsetsRequest(-1, 0, _wanted(FULL, ListOffsetsPartition(0, epoch, timestamp)))
            world.each(request, f"epoch {epoch}, timestamp {timestamp}")
    for replica in (-3, -2, 0, 1, 2):
        world.each(
            ListOffsetsRequest(replica, 0, _wanted(FULL, ListOffsetsPartition(0, -1, -1))),
            f"replica {replica}",
        )
    for isolation in (-1, 1, 2, 127):
        request = ListOffsetsRequest(-1, isolation, _wanted(FULL, ListOffsetsPartition(0, -1, -1)))
        world.each(request, f"isolation {isolation}")
    for partition in (-1, 2, 2**31 - 1):
        world.each(
            ListOffsetsRequest(-1, 0, _wanted(FULL, ListOffsetsPartition(partition, -1, -1))),
            f"partition {partition}",
        )
    for name in NO_TOPICS:
        world.each(
            ListOffsetsRequest(-1, 0, _wanted(name, ListOffsetsPartition(0, -1, -1))), f"topic {name[:20]!r}"
        )
    latest, earliest = ListOffsetsPartition(0, -1, -1), ListOffsetsPartition(0, -1, -2)
    world.each(ListOffsetsRequest(-1, 0, []), "no topics")
    world.each(ListOffsetsRequest(-1, 0, _wanted(FULL)), "no partitions")
    world.each(ListOffsetsRequest(-1, 0, _wanted(FULL, latest, latest)), "a partition twice")
    world.each(ListOffsetsRequest(-1, 0, _wanted(FULL, latest, earliest)), "a partition twice, differently")
    twice = _wanted(FULL, latest) + _wanted(FULL, ListOffsetsPartition(1, -1, -1))
    world.each(ListOffsetsRequest(-1, 0, twice), "a topic twice")
    mixed = _wanted(FULL, latest) + _wanted("offsets-nowhere", latest) + _wanted(EMPTY, latest)
    world.each(ListOffsetsRequest(-1, 0, mixed), "a good, an unknown, an empty topic")
    for timeout_ms in (-1, 0, 2**31 - 1):
        world.each(ListOffsetsRequest(-1, 0, _wanted(FULL, latest), timeout_ms), f"timeout {timeout_ms}")


# --- OffsetForLeaderEpoch -----------------------------------------------------------------------


def _offsets_for_epochs(world: World) -> None:
    for topic in (FULL, EMPTY, CUT):
        for epoch in EPOCHS:
            world.each(_epoch_end(topic, -1, epoch), f"{topic}, epoch {epoch}")
    for current in EPOCHS:
        world.each(_epoch_end(FULL, current, 0), f"current epoch {current}")
    for replica in (-2, -1, 0, 1, 5):
        world.each(_epoch_end(FULL, -1, 0, replica=replica), f"replica {replica}")
    for partition in (-1, 2):
        world.each(_epoch_end(FULL, -1, 0, partition), f"partition {partition}")
    for name in NO_TOPICS:
        world.each(_epoch_end(name, -1, 0), f"topic {name[:20]!r}")
    world.each(OffsetForLeaderEpochRequest(-1, []), "no topics")
    world.each(OffsetForLeaderEpochRequest(-1, [OffsetForLeaderTopic(FULL, [])]), "no partitions")
    one = OffsetForLeaderPartition(0, -1, 0)
    world.each(OffsetForLeaderEpochRequest(-1, [OffsetForLeaderTopic(FULL, [one, one])]), "a partition twice")


def _epoch_end(
    topic: str, current: int, epoch: int, partition: int = 0, replica: int = -1
) -> OffsetForLeaderEpochRequest:
    wanted = [OffsetForLeaderPartition(partition, current, epoch)]
    return OffsetForLeaderEpochRequest(replica, [OffsetForLeaderTopic(topic, wanted)])


# --- DeleteRecords ------------------------------------------------------------------------------


def delete(topic: str, *partitions: tuple[int, int], timeout_ms: int = 5000) -> DeleteRecordsRequest:
    wanted = [DeleteRecordsPartition(partition, offset) for partition, offset in partitions]
    return DeleteRecordsRequest([DeleteRecordsTopic(topic, wanted)], timeout_ms)


def _delete_records(world: World) -> None:
    for version in versions(DeleteRecordsRequest):
        topic = f"offsets-delete-{version}"
        world.topic(topic, 2)
        fill(world, topic, 5)
        fill(world, topic, 5)
        for offset in (-(2**63), -2, 0, 3, 2, 5, 7, 11, 2**63 - 1, 10, -1):
            world.ask(delete(topic, (0, offset)), version, f"to {offset}")
            world.ask(
                ListOffsetsRequest(-1, 0, _wanted(topic, ListOffsetsPartition(0, -1, -2))),
                7,
                "after a delete",
            )
        for partition in (-1, 2):
            world.ask(delete(topic, (partition, 0)), version, f"partition {partition}")
        for name in NO_TOPICS:
            world.ask(delete(name, (0, 0)), version, f"topic {name[:20]!r}")
        world.ask(delete("__consumer_offsets", (0, 0)), version, "an internal topic")
        for timeout_ms in (-1, 0):
            world.ask(delete(topic, (1, 0), timeout_ms=timeout_ms), version, f"timeout {timeout_ms}")
        world.ask(delete(topic), version, "no partitions")
        world.ask(DeleteRecordsRequest([], 1000), version, "no topics")
        world.ask(delete(topic, (0, 0), (0, 0)), version, "a partition twice")
        both = [*delete(topic, (0, 0)).topics, *delete(topic, (1, 0)).topics]
        world.ask(DeleteRecordsRequest(both, 1000), version, "a topic twice")
        mixed = [*delete(topic, (0, 10)).topics, *delete("offsets-nowhere", (0, 0)).topics]
        world.ask(DeleteRecordsRequest(mixed, 1000), version, "a good and an unknown topic")
    world.topic("offsets-compacted", 1, {"cleanup.policy": "compact"})
    world.each(delete("offsets-compacted", (0, 0)), "a compacted topic")
