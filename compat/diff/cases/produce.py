"""Produce: good batches, broken ones, the wrong places, idempotent producers' stories."""

from typing import Any

from compat.diff.batches import TIME_MS, Batch, Joined, plain_records, records
from compat.diff.world import World, versions
from kbroker.protocol.generated.init_producer_id_request import InitProducerIdRequest
from kbroker.protocol.generated.list_offsets_request import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from kbroker.protocol.generated.produce_request import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from kbroker.records.record import Record

FIRST_WITH_TOPIC_IDS = 13
# All batches go in these versions; in others, and to topics with settings of their own, these cases do.
ALL_BATCHES = (3, 8, 13)
SOME = (
    *("one record", "no key", "gzip", "zstd", "a cut batch", "bad CRC", "magic 1", "count too large"),
    *("LogAppendTime", "no timestamps", "max timestamp too small", "far future", "garbage for records"),
    *("unknown producer id at sequence 5", "transactional", "largest"),
)

# Case → the records of the request. Each goes to a partition of its own.
BATCHES: dict[str, Any] = {
    "one record": Batch(1),
    "many records": Batch(30),
    "no key": Batch(plain_records(2, key=False)),
    "headers": Batch([Record(0, 0, None, None, [("name", b"value"), ("", None), ("name", b"")])]),
    "gzip": Batch(3, codec=1),
    "snappy": Batch(3, codec=2),
    "lz4": Batch(3, codec=3),
    "zstd": Batch(3, codec=4),
    "codec 5": Batch(3, attributes=5),
    "codec 7": Batch(3, attributes=7),
    "gzip by name only": Batch(3, attributes=1),
    "empty": Batch(1, cut=10_000, payload=b""),
    "eleven bytes": Batch(1, payload=b"", cut=50),
    "seventeen bytes": Batch(1, payload=b"", cut=44),
    "a header cut short": Batch(1, payload=b"", cut=1),
    "a header alone": Batch(1, payload=b""),
    "a cut batch": Batch(3, cut=1),
    "bytes behind": Batch(1, behind=b"\0"),
    "many bytes behind": Batch(1, behind=bytes(100)),
    "two batches": Joined(Batch(1), Batch(2)),
    "bad CRC": Batch(1, crc=1),
    "bad CRC of zero": Batch(1, crc=0),
    "magic 0": Batch(1, magic=0),
    "magic 1": Batch(1, magic=1),
    "magic 3": Batch(1, magic=3),
    "magic -1": Batch(1, magic=-1),
    "negative length": Batch(1, batch_length=-1),
    "length 0": Batch(1, batch_length=0),
    "length 13": Batch(1, batch_length=13),
    "length 48": Batch(1, batch_length=48),
    "length too small": Batch(3, batch_length=55),
    "length too large": Batch(3, batch_length=5000),
    "largest length": Batch(1, batch_length=2**31 - 1),
    "base offset 7": Batch(1, base_offset=7),
    "base offset -1": Batch(1, base_offset=-1),
    "leader epoch 9": Batch(1, partition_leader_epoch=9),
    "no records": Batch(1, record_count=0, last_offset_delta=-1, payload=b""),
    "count 0": Batch(1, record_count=0),
    "count -1": Batch(1, record_count=-1),
    "count too small": Batch(3, record_count=2),
    "count too large": Batch(3, record_count=4),
    "largest count": Batch(1, record_count=2**31 - 1, last_offset_delta=2**31 - 2),
    "last offset delta too small": Batch(3, last_offset_delta=1),
    "last offset delta too large": Batch(3, last_offset_delta=5),
    "negative last offset delta": Batch(3, last_offset_delta=-1),
    "count and delta too small": Batch(3, record_count=2, last_offset_delta=1),
    "control": Batch(1, attributes=0x20),
    "LogAppendTime": Batch(2, attributes=0x08),
    "delete horizon": Batch(1, attributes=0x40),
    "unknown attributes": Batch(1, attributes=0x0F00),
    "negative attributes": Batch(1, attributes=-0x8000),
    "no timestamps": Batch(1, base_timestamp=-1, max_timestamp=-1),
    "negative timestamps": Batch(1, base_timestamp=-5, max_timestamp=-5),
    "max timestamp too small": Batch(3, max_timestamp=TIME_MS),
    "max timestamp too large": Batch(3, max_timestamp=TIME_MS + 60_000),
    "far future": Batch(1, base_timestamp=TIME_MS * 3, max_timestamp=TIME_MS * 3),
    "offset deltas from 1": Batch([Record(1, 0, b"k", b"v")]),
    "offset deltas swapped": Batch([Record(1, 0, b"k", b"v"), Record(0, 0, b"k", b"v")], last_offset_delta=1),
    "garbage for records": Batch(1, payload=b"\xff" * 20),
    "empty records region": Batch(1, payload=b""),
    "producer id without sequence": Batch(1, producer=(10_000, 0, -1)),
    "producer id without epoch": Batch(1, producer=(10_000, -1, 0)),
    "unknown producer id": Batch(1, producer=(10_001, 0, 0)),
    "unknown producer id at sequence 5": Batch(1, producer=(10_002, 0, 5)),
    "unknown producer id at epoch 5": Batch(1, producer=(10_003, 5, 0)),
    "producer id -2": Batch(1, producer=(-2, 0, 0)),
    "sequence without producer id": Batch(1, producer=(-1, -1, 5)),
    "transactional": Batch(1, producer=(10_004, 0, 0), attributes=0x10),
    "transactional without producer id": Batch(1, attributes=0x10),
    "too large": Batch([Record(0, 0, None, bytes(1_050_000))]),
    "largest": Batch([Record(0, 0, None, bytes(1_048_588 - 61 - 13))]),
}


def run(world: World) -> None:
    for version in versions(ProduceRequest):
        _batches(world, version)
        _places(world, version)
    null = produce("produce-3", None)
    world.ask(null, 9, "never answered: null records", patience_s=1)
    for configs in (
        {"cleanup.policy": "compact"},
        {"message.timestamp.type": "LogAppendTime"},
        {"compression.type": "gzip"},
        {"compression.type": "uncompressed"},
        {"max.message.bytes": "100"},
        {"message.timestamp.before.max.ms": "1000"},
        {"segment.bytes": "1048576"},
        {"min.insync.replicas": "2"},
    ):
        _configured(world, configs)
    for version in (3, 9, 12):
        _idempotent(world, version)


def produce(
    topic: str, data: Any, *, partition: int = 0, acks: int = -1, timeout_ms: int = 30_000
) -> ProduceRequest:
    """One partition's records."""
    return ProduceRequest(
        None,
        acks,
        timeout_ms,
        [TopicProduceData(topic, partition_data=[PartitionProduceData(partition, data)])],
    )


def _place(topic: str, topic_id: bytes, version: int, *data: PartitionProduceData) -> TopicProduceData:
    if version >= FIRST_WITH_TOPIC_IDS:
        return TopicProduceData("", topic_id, list(data))
    return TopicProduceData(topic, partition_data=list(data))


def end_of(world: World, topic: str, partition: int, case: str) -> None:
    """Both logs must have grown alike."""
    world.ask(
        ListOffsetsRequest(-1, 0, [ListOffsetsTopic(topic, [ListOffsetsPartition(partition, -1, -1)])]),
        7,
        case,
    )


def _batches(world: World, version: int) -> None:
    topic = f"produce-{version}"
    cases = tuple(BATCHES) if version in ALL_BATCHES else SOME
    topic_id = world.topic(topic, len(cases))
    for partition, case in enumerate(cases):
        data = BATCHES[case]
        place = _place(topic, topic_id, version, PartitionProduceData(partition, data))
        world.ask(ProduceRequest(None, -1, 30_000, [place]), version, case)
        end_of(world, topic, partition, f"after {case}")


def _places(world: World, version: int) -> None:
    topic = f"places-{version}"
    topic_id = world.topic(topic, 6)

    def ask(
        case: str,
        *places: TopicProduceData,
        acks: int = 1,
        transactional_id: str | None = None,
        timeout_ms: int = 5000,
    ) -> None:
        world.ask(ProduceRequest(transactional_id, acks, timeout_ms, list(places)), version, case)

    def good(partition: int = 0) -> PartitionProduceData:
        return PartitionProduceData(partition, records(1))

    here = _place(topic, topic_id, version, good())
    for acks in (-2, -1, 1, 2, 32767):
        ask(f"acks {acks}", here, acks=acks)
        ask(f"acks {acks}, unknown topic", _place("nowhere", b"t" * 16, version, good()), acks=acks)
    for timeout_ms in (-1, 0, 2**31 - 1):
        ask(f"timeout {timeout_ms}", here, acks=-1, timeout_ms=timeout_ms)
    for partition in (-1, 6, 2**31 - 1):
        ask(f"partition {partition}", _place(topic, topic_id, version, good(partition)))
    ask("no topics")
    ask("no partitions", _place(topic, topic_id, version))
    ask("two partitions", _place(topic, topic_id, version, good(1), good(2)))
    ask("one Produce, a partition twice", _place(topic, topic_id, version, good(5), good(5)))
    end_of(world, topic, 5, "after one Produce, a partition twice")
    ask(
        "one Produce, a topic twice",
        _place(topic, topic_id, version, good(1)),
        _place(topic, topic_id, version, good(2)),
    )
    ask(
        "good and bad",
        _place(topic, topic_id, version, good(1), PartitionProduceData(2, records(1, crc=5)), good(9)),
    )
    ask("a transactional id", here, transactional_id="produce-transaction")
    ask("an empty transactional id", here, transactional_id="")
    ask("zero topic id", _place("", bytes(16), version, good()))
    ask("internal topic", _place("__consumer_offsets", b"c" * 16, version, good()))
    for name in (".", "..", "a b", "a/b", "ä", "x" * 249, "x" * 250):
        if version < FIRST_WITH_TOPIC_IDS:
            ask(f"topic {name[:20]!r}", _place(name, topic_id, version, good()))
    _unacknowledged(world, version, topic, topic_id)
    for partition in range(4):
        end_of(world, topic, partition, "after all places")


def _unacknowledged(world: World, version: int, topic: str, topic_id: bytes) -> None:
    """acks=0: no answer, or the connection's end."""
    cases = {
        "good": PartitionProduceData(3, records(1)),
        "bad CRC": PartitionProduceData(3, records(1, crc=5)),
        "unknown partition": PartitionProduceData(9, records(1)),
    }
    for case, data in cases.items():
        request = ProduceRequest(None, 0, 5000, [_place(topic, topic_id, version, data)])
        world.ask(request, version, f"acks 0, {case}", barrier=True)
    for case, places in {
        "no topics": [],
        "unknown topic": [_place("nowhere", b"t" * 16, version, cases["good"])],
    }.items():
        world.ask(ProduceRequest(None, 0, 5000, places), version, f"acks 0, {case}", barrier=True)


def _configured(world: World, configs: dict[str, str]) -> None:
    """Topics whose settings decide what is taken."""
    name, value = next(iter(configs.items()))
    topic = f"produce.{name}.{value}"
    # Some settings make kbroker look into records, and find by other words that they are none.
    cases = [case for case in SOME if case != "garbage for records"]
    world.topic(topic, len(cases), configs)
    for partition, case in enumerate(cases):
        world.ask(produce(topic, BATCHES[case], partition=partition), 9, f"{name}={value}, {case}")
        end_of(world, topic, partition, f"{name}={value}, after {case}")
    for acks in (0, 1, -1):
        world.ask(produce(topic, records(1), acks=acks), 9, f"{name}={value}, acks {acks}", barrier=acks == 0)


def _idempotent(world: World, version: int) -> None:
    topic = f"idempotent-{version}"
    world.topic(topic, 3)
    producer = world.ask(InitProducerIdRequest(None, 60_000), 4, "fixture")["producer_id"]

    def send(case: str, sequence: int, count: int = 1, *, epoch: int = 0, partition: int = 0) -> None:
        data = records(count, producer=(producer, epoch, sequence))
        world.ask(produce(topic, data, partition=partition), version, f"idempotent, {case}")

    send("first at 0", 0, 2)
    send("the same again", 0, 2)
    send("next", 2)
    send("a gap", 9)
    send("next after a gap", 3)
    send("the first again", 0, 2)
    send("part of one again", 0, 1)
    for sequence in range(4, 10):
        send("six more", sequence)
    send("too old to be known", 0, 2)
    send("the oldest known", 5)
    send("epoch -1", 10, epoch=-1)
    send("next epoch, not from 0", 10, epoch=1)
    send("next epoch, from 0", 0, epoch=1)
    send("former epoch", 10, epoch=0)
    send("next epoch goes on", 1, epoch=1)
    send("epoch far ahead", 0, epoch=30_000)
    send("largest sequence", 2**31 - 1, partition=1)
    send("two over the end", 2**31 - 1, 3, partition=2)
    send("behind the end", 2, partition=2)
    end_of(world, topic, 0, "after idempotent")
