"""The hot paths: what clients ask for again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count as counted
from itertools import cycle, islice

from kbroker.broker.reply_cache import ReplyCache
from kbroker.protocol.generated.api_versions_request import ApiVersionsRequest
from kbroker.protocol.generated.fetch_request import FetchPartition, FetchRequest, FetchTopic
from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
from kbroker.protocol.generated.init_producer_id_request import InitProducerIdRequest
from kbroker.protocol.generated.join_group_request import JoinGroupRequest, JoinGroupRequestProtocol
from kbroker.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from kbroker.protocol.generated.offset_commit_request import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kbroker.protocol.generated.produce_request import (
    PartitionProduceData,
    ProduceRequest,
    TopicProduceData,
)
from kbroker.protocol.generated.sync_group_request import SyncGroupRequest
from tests.guard.broker import NULL, Broker, Client, encoded
from tests.guard.measures import HotPath, Step
from tests.handlers.support import batch

FETCH, METADATA, PRODUCE = 17, 13, 13
SIZES = {"16 KiB": 16 << 10, "100 KiB": 100 << 10, "1 MiB": 1 << 20}
GROUP = "g"
# How long a fetch may wait for records.
WAIT_MS = 500
_AGE = 300
# The member must outlive all that is tried.
_LONG_MS = 1_800_000


def records(size: int, first_byte: int = 0) -> bytearray:
    """One batch of about `size` bytes, and not more."""
    return batch(*[bytes(range(first_byte, first_byte + 200)) * 5] * max(1, (size - 100) // 1010))


def small_records(producer_id: int = -1, sequence: int = -1) -> bytearray:
    """One record of 100 bytes."""
    epoch = -1 if producer_id < 0 else 0
    return batch(b"v" * 100, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence)


def produce(topic_id: bytes, data: bytearray, acks: int = 1) -> bytes:
    topic = TopicProduceData(topic_id=topic_id, partition_data=[PartitionProduceData(0, memoryview(data))])
    return encoded(ProduceRequest(None, acks, 30_000, [topic]), PRODUCE)


def fetch(topic_id: bytes, offset: int, max_bytes: int = 1 << 20, isolation_level: int = 0) -> bytes:
    """Of one partition, without a session."""
    partition = FetchPartition(0, fetch_offset=offset, partition_max_bytes=max_bytes)
    topic = FetchTopic(topic_id=topic_id, partitions=[partition])
    request = FetchRequest(max_wait_ms=WAIT_MS, min_bytes=1, isolation_level=isolation_level, topics=[topic])
    return encoded(request, FETCH)


class HotPaths:
    """All of them, at one broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.client = broker.connect()
        self.null_id = broker.create_topic(NULL)
        self.disk_id = broker.create_topic("disk")
        self.hundred_id = broker.create_topic("hundred", 100)
        for topic_id in (self.null_id, self.disk_id):
            self._age(topic_id)

    def __iter__(self) -> Iterator[HotPath]:
        yield from self._asking()
        yield from self._producing()
        yield from self._writing()
        yield from self._fetching()
        yield from self._fetching_otherwise()
        yield from self._waiting()
        yield self._in_session()
        yield from self._in_group()

    def _path(
        self,
        name: str,
        steps: Callable[[int], list[Step]],
        requests: int = 1,
        payload_bytes: int = 0,
        most_steps: int = 1 << 20,
    ) -> HotPath:
        return HotPath(name, steps, self._settle, requests, payload_bytes, most_steps)

    def _settle(self) -> None:
        # Timers that were cancelled stay until their time.
        self.broker.pass_time(2 * WAIT_MS)

    def _again(self, data: bytes) -> Callable[[int], list[Step]]:
        """The same bytes, each time."""
        return lambda number: [partial(self.client.say, data)] * number

    def _age(self, topic_id: bytes) -> None:
        """Get the offsets beyond the numbers that Python has ready, so that all requests cost the same."""
        self.client.say(produce(topic_id, small_records()) * _AGE)

    # --- who and where

    def _asking(self) -> Iterator[HotPath]:
        versions = encoded(ApiVersionsRequest("guard", "1"), 3)
        one = MetadataRequest([MetadataRequestTopic(name="disk")])
        hundred = MetadataRequest([MetadataRequestTopic(name="hundred")])
        for name, data in (
            ("ApiVersions", versions),
            ("Metadata, 1 partition", encoded(one, METADATA)),
            ("Metadata, 100 partitions", encoded(hundred, METADATA)),
        ):
            yield self._path(name, self._again(data))
            yield self._path(f"{name}, not kept", self._afresh(data))

    def _afresh(self, data: bytes) -> Callable[[int], list[Step]]:
        def step() -> None:
            self.broker.network.replies = ReplyCache()
            self.client.say(data)

        return lambda number: [step] * number

    # --- records in

    def _producing(self) -> Iterator[HotPath]:
        for name, acks in (("acks 1", 1), ("acks all", -1)):
            data = produce(self.null_id, small_records(), acks)
            yield self._path(f"Produce 100 B, {name}", self._again(data))
        data = produce(self.null_id, small_records())
        yield self._path("Produce 100 B, 8 in flight", self._again(data * 8), 8)
        yield self._path("Produce 100 B, idempotent", self._idempotent())
        for name, size in SIZES.items():
            made = records(size)
            yield self._path(
                f"Produce {name}", self._again(produce(self.null_id, made)), payload_bytes=len(made)
            )

    def _idempotent(self) -> Callable[[int], list[Step]]:
        producer_id = self.client.ask(InitProducerIdRequest(None, 60_000), 5).producer_id
        sequences = counted()

        def steps(number: int) -> list[Step]:
            made = (small_records(producer_id, sequence) for sequence in islice(sequences, number))
            return [partial(self.client.say, produce(self.null_id, data)) for data in made]

        return steps

    def _writing(self) -> Iterator[HotPath]:
        for name, made, most_steps in (
            ("100 B", small_records(), 1000),
            ("100 KiB", records(100 << 10), 100),
            ("1 MiB", records(1 << 20), 16),
        ):
            payload_bytes = len(made) if most_steps <= 100 else 0
            data = produce(self.disk_id, made)
            yield self._path(f"Produce {name}, written", self._again(data), 1, payload_bytes, most_steps)

    # --- records out

    def _fetching(self) -> Iterator[HotPath]:
        for name, size in SIZES.items():
            made = records(size)
            topic_id = self.broker.create_topic(f"fetched-{size}")
            batches = max(4, (8 << 20) // size)
            for _ in range(batches):
                self.client.say(produce(topic_id, made))
            each = int.from_bytes(made[23:27], "big") + 1
            asked = [fetch(topic_id, number * each, len(made)) for number in range(batches)]
            yield self._path(f"Fetch {name}", self._in_turn(asked), payload_bytes=len(made))
            yield self._path(
                f"Fetch {name}, at the end", self._again(fetch(topic_id, (batches - 1) * each)), 1, len(made)
            )

    def _fetching_otherwise(self) -> Iterator[HotPath]:
        made = records(100 << 10)
        topic_id = self.broker.create_topic("fetched-otherwise")
        self.client.say(produce(topic_id, made) * 2)
        committed = self._again(fetch(topic_id, 0, isolation_level=1))
        yield self._path("Fetch 100 KiB, read committed", committed, 1, 2 * len(made))

        def step() -> None:
            self.broker.network.fetches._known.clear()
            self.client.say(data)

        data = fetch(topic_id, 0)
        yield self._path("Fetch 100 KiB, not known", lambda number: [step] * number, 1, 2 * len(made))

    def _in_turn(self, asked: list[bytes]) -> Callable[[int], list[Step]]:
        # From the middle, where every request finds batches before and behind its own.
        half = len(asked) // 2
        each = [partial(self.client.say, data) for data in asked[half:] + asked[:half]]
        return lambda number: list(islice(cycle(each), number))

    def _waiting(self) -> Iterator[HotPath]:
        topic_id = self.broker.create_topic("awaited")
        self._age(topic_id)
        consumer = self.broker.connect()
        data = produce(topic_id, small_records())
        offsets = counted(_AGE)

        def steps(number: int) -> list[Step]:
            return [
                partial(_fetch_and_produce, consumer, fetch(topic_id, offset), self.client, data)
                for offset in islice(offsets, number)
            ]

        yield self._path("Fetch that waits, and the Produce", steps)

    def _in_session(self) -> HotPath:
        """A consumer of 100 partitions asks on for all of them, where one has something."""
        self.client.say(produce(self.hundred_id, small_records()))
        client = self.broker.connect()
        topic = FetchTopic(
            topic_id=self.hundred_id,
            partitions=[FetchPartition(index, partition_max_bytes=1 << 20) for index in range(100)],
        )
        opened = client.ask(FetchRequest(min_bytes=1, session_epoch=0, topics=[topic]), FETCH)
        epochs = counted(1)

        def steps(number: int) -> list[Step]:
            return [
                partial(client.say, encoded(_go_on(opened.session_id, epoch), FETCH))
                for epoch in islice(epochs, number)
            ]

        return self._path("Fetch session, 100 partitions", steps)

    # --- groups

    def _in_group(self) -> Iterator[HotPath]:
        member = self.client.ask(
            JoinGroupRequest(
                GROUP,
                _LONG_MS,
                _LONG_MS,
                protocol_type="consumer",
                protocols=[JoinGroupRequestProtocol("range")],
            ),
            3,
        )
        self.client.ask(SyncGroupRequest(GROUP, member.generation_id, member.member_id), 3)
        heartbeat = HeartbeatRequest(GROUP, member.generation_id, member.member_id)
        yield self._path("Heartbeat", self._again(encoded(heartbeat, 4)))
        topic = OffsetCommitRequestTopic("disk", partitions=[OffsetCommitRequestPartition(0, 1_000_000)])
        commit = OffsetCommitRequest(GROUP, member.generation_id, member.member_id, topics=[topic])
        yield self._path("OffsetCommit", self._again(encoded(commit, 8)))


def _fetch_and_produce(consumer: Client, asked: bytes, producer: Client, made: bytes) -> None:
    consumer.say(asked)
    producer.say(made)


def _go_on(session_id: int, epoch: int) -> FetchRequest:
    return FetchRequest(min_bytes=1, session_id=session_id, session_epoch=epoch)
