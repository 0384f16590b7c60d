"""One broker's services on a disk in memory, for handlers with logs.

world = World()
world.create_topic("t", partitions=2)
world.call(ProduceRequest(...), version=13)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from kbroker.config import Config
from kbroker.environment import Environment
from kbroker.handlers.context import ConnectionFacts, Pending, RequestContext, Services
from kbroker.handlers.table import SUPPORTED
from kbroker.log.directory import LogDirectory
from kbroker.log.flush import Flush
from kbroker.metadata.delta import MetadataDelta
from kbroker.metadata.image import BrokerImage, Endpoint, MetadataImage
from kbroker.protocol.primitives import FileRegion
from kbroker.records.batch import build_batch
from kbroker.records.record import Record
from kbroker.replication.fetch_session import FetchSessionCache
from kbroker.replication.partition import Partition
from kbroker.replication.replica_manager import ReplicaManager
from tests.fakes.disk import MemoryDisk

NODE_ID = 1
LISTENER = "PLAINTEXT"
ROOT = "/data"
DIRECTORY_ID = b"d" * 16


class FakeClock:
    """Time that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms


class CountingRandom:
    """Every number in turn."""

    def __init__(self) -> None:
        self.drawn = 0

    def uuid(self) -> bytes:
        self.drawn += 1
        return b"r" * 8 + self.drawn.to_bytes(8, "big")

    def below(self, limit: int) -> int:
        self.drawn += 1
        return self.drawn % limit


class DeferringDisk(MemoryDisk):
    """Work given to `offload` waits for `run_offloaded`; `fails_with` makes an operation fail."""

    def __init__(self) -> None:
        super().__init__()
        self.fails_with: dict[str, OSError] = {}
        self.syncs = 0
        self.offloaded: list[tuple[Callable[[], None], Callable[[BaseException | None], None]]] = []

    def count_write(self, operation: str, path: str) -> None:
        if operation == "sync":
            self.syncs += 1
        self._raise_if(operation)
        super().count_write(operation, path)

    def _raise_if(self, operation: str) -> None:
        error = self.fails_with.get(operation)
        if error is not None:
            raise error

    def space(self, path: str) -> tuple[int, int]:
        self._raise_if("space")
        return 1_000_000, 400_000

    def offload(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        self.offloaded.append((work, done))

    def run_offloaded(self) -> None:
        waiting, self.offloaded = self.offloaded, []
        for work, done in waiting:
            error: BaseException | None = None
            try:
                work()
            except OSError as failure:
                error = failure
            done(error)


class FakeTimer:
    def cancel(self) -> None:
        pass


class FakeWaiting:
    """Operations that wait, woken and expired by the test."""

    def __init__(self) -> None:
        self.operations: list[
            tuple[set[Hashable], int, Callable[[], Any], Callable[[], Any], Pending[Any]]
        ] = []

    def wait(
        self,
        keys: Iterable[Hashable],
        timeout_ms: int,
        attempt: Callable[[], Any],
        expire: Callable[[], Any],
    ) -> Pending[Any]:
        pending: Pending[Any] = Pending()
        self.operations.append((set(keys), timeout_ms, attempt, expire, pending))
        return pending

    def wake(self, keys: Iterable[Hashable]) -> None:
        woken = set(keys)
        for operation in list(self.operations):
            if operation[0] & woken and not operation[4].done:
                value = operation[2]()
                if value is not None:
                    self.operations.remove(operation)
                    operation[4].complete(value)

    def expire_all(self) -> None:
        operations, self.operations = self.operations, []
        for _, _, _, expire, pending in operations:
            pending.complete(expire())

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> FakeTimer:
        return FakeTimer()


class Published:
    """The image that is published now."""

    def __init__(self, image: MetadataImage) -> None:
        self.image = image


class FakeProducerIds:
    """1000, 1001, …; or whatever `pending` will say."""

    def __init__(self) -> None:
        self.last = 999
        self.pending: Pending[int] | None = None

    def next(self) -> Pending[int] | int:
        if self.pending is not None:
            return self.pending
        self.last += 1
        return self.last


def topic_id(name: str, incarnation: int = 0) -> bytes:
    return name.encode()[:15].ljust(15, b".") + bytes([65 + incarnation])


class World:
    """Broker 1 with its disk, its image and requests to it."""

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        disk: DeferringDisk | None = None,
        image: MetadataImage | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.disk = DeferringDisk() if disk is None else disk
        self.waiting = FakeWaiting()
        self.producer_ids = FakeProducerIds()
        environment = Environment(self.clock, CountingRandom(), self.disk)
        self.directory = LogDirectory.open(environment, ROOT, node_id=NODE_ID)
        broker = BrokerImage(
            NODE_ID, 5, bytes(16), {LISTENER: Endpoint("localhost", 9092, 0)}, {}, fenced=False
        )
        self.published = Published(image or MetadataImage(0, 1, brokers={NODE_ID: broker}))
        config = Config.from_sources(dict(settings or {}), mode="dev")
        self.replicas = ReplicaManager(NODE_ID, self.directory, config)
        self.replicas.start(self.published.image)
        services = self.services = Services()
        services.node_id = NODE_ID
        services.cluster_id = self.directory.cluster_id
        services.config = config
        services.environment = environment
        services.metadata = self.published
        services.replicas = self.replicas
        services.producer_ids = self.producer_ids
        services.fetch_sessions = FetchSessionCache(100, environment.random)
        services.waiting = self.waiting
        services.log_directory_path = ROOT

    # --- the cluster

    def change(self, *records: Any) -> None:
        """Replay metadata records, and let the replicas follow."""
        image = self.published.image
        delta = MetadataDelta(image)
        for record in records:
            delta.replay(record, image.offset + 1)
        self.published.image = delta.build(image.offset + 1, image.epoch)
        self.replicas.apply(self.published.image, delta)

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        configs: Mapping[str, str] | None = None,
        *,
        replicas: tuple[int, ...] = (NODE_ID,),
        isr: tuple[int, ...] | None = None,
        leader: int = NODE_ID,
        incarnation: int = 0,
    ) -> bytes:
        """A topic with leader epoch 3 in every partition; its id."""
        from kbroker.protocol.generated.config_record import ConfigRecord
        from kbroker.protocol.generated.partition_record import PartitionRecord
        from kbroker.protocol.generated.topic_record import TopicRecord

        id_ = topic_id(name, incarnation)
        records: list[Any] = [TopicRecord(name, id_)]
        records += [ConfigRecord(2, name, key, value) for key, value in (configs or {}).items()]
        records += [
            PartitionRecord(
                partition_id=index,
                topic_id=id_,
                replicas=list(replicas),
                isr=list(replicas if isr is None else isr),
                leader=leader,
                leader_epoch=3,
            )
            for index in range(partitions)
        ]
        self.change(*records)
        return id_

    def delete_topic(self, name: str) -> None:
        from kbroker.protocol.generated.remove_topic_record import RemoveTopicRecord

        self.change(RemoveTopicRecord(self.published.image.topics[name].id))

    def move_leader(self, topic: str, index: int = 0, leader: int = -1) -> None:
        from kbroker.protocol.generated.partition_change_record import PartitionChangeRecord

        self.change(PartitionChangeRecord(index, self.published.image.topics[topic].id, leader=leader))

    def finish_turn(self) -> None:
        """What the edge does after each turn: wake, and begin flushes that are due."""
        self.waiting.wake(self.replicas.take_woken())
        for partition in self.replicas.take_flush_due():
            flush = partition.log.begin_flush(self.clock.now_ms)
            if flush is not None:
                self.disk.offload(flush.work, partial(self._flushed, partition, flush))

    def _flushed(self, partition: Partition, flush: Flush, error: BaseException | None) -> None:
        flush.done(error)
        self.replicas.on_flushed(partition, error)
        self.finish_turn()

    # --- requests

    def call(self, request: Any, version: int, client_id: str = "test") -> Any:
        """Through the codec of `version` and the API's handler; what the client decodes, or a Pending."""
        out: list[Any] = []
        request.write(out, version)
        received = memoryview(bytearray(b"".join(bytes(part) for part in out)))
        decoded, _ = type(request).read(received, 0, version)
        facts = ConnectionFacts(LISTENER, ("10.0.0.1", 9092), ("10.0.0.9", 50_000), None)
        context = RequestContext(request.API_KEY, version, 1, client_id, facts, self.services)
        handler = import_module(f"kbroker.handlers.{SUPPORTED[request.API_KEY][0]}")
        answer = handler.handle(decoded, context)
        self.finish_turn()
        if isinstance(answer, Pending):
            return answer.then(lambda response: reread(response, version))
        return None if answer is None else reread(answer, version)


def reread(response: Any, version: int) -> Any:
    """The response as a client decodes it."""
    out: list[Any] = []
    response.write(out, version)
    data = b"".join(
        part.file.pread(part.length, part.position) if isinstance(part, FileRegion) else bytes(part)
        for part in out
    )
    decoded, position = type(response).read(memoryview(data), 0, version)
    assert position == len(data)
    return decoded


def batch(
    *values: bytes,
    timestamp: int = 1_700_000_000_000,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    attributes: int = 0,
    key: bytes | None = None,
) -> bytearray:
    """One record batch as a producer sends it."""
    return build_batch(
        [Record(index, 0, key, value) for index, value in enumerate(values or (b"value",))],
        base_timestamp=timestamp,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        attributes=attributes,
    )


def now(answer: Any) -> Any:
    """The answer itself; one that had to wait must be there by now."""
    if isinstance(answer, Pending):
        assert answer.done
        return answer.value
    return answer
