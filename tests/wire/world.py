"""A whole broker without sockets or files: bytes in, bytes out.

Wired as `broker.broker` wires it, with time that stands still and random
numbers from a seed. Whatever goes wrong inside lands in `defects`.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from kbroker.broker.connection import Connection
from kbroker.broker.group_coordinators import GroupCoordinators
from kbroker.broker.network import NetworkState
from kbroker.broker.pending import WaitingRoom
from kbroker.broker.producer_ids import BlockProducerIds
from kbroker.broker.raft_driver import MetadataLog
from kbroker.broker.turn import Turn
from kbroker.config import Config
from kbroker.environment import Environment
from kbroker.handlers.auto_create import ensure_topics
from kbroker.handlers.context import ConnectionFacts, Services
from kbroker.log.directory import LogDirectory
from kbroker.metadata.delta import MetadataDelta
from kbroker.metadata.image import Endpoint, MetadataImage
from kbroker.protocol.header import request_header_bytes
from kbroker.protocol.primitives import FileRegion
from kbroker.replication.fetch_session import FetchSessionCache
from kbroker.replication.replica_manager import ReplicaManager
from tests.handlers.support import DeferringDisk, FakeClock

LISTENER = "PLAINTEXT"
ROOT = "/data"
TOPIC = "t"
OFFSETS_TOPIC = "__consumer_offsets"
_SETTINGS = {"offsets.topic.num.partitions": "2", "auto.create.topics.enable": "false"}


class SeededRandom:
    def __init__(self, seed: object) -> None:
        self._random = random.Random(str(seed))

    def uuid(self) -> bytes:
        return self._random.randbytes(16)

    def below(self, limit: int) -> int:
        return self._random.randrange(limit)


class _Network(NetworkState):
    """Keeps defects for the test to look at."""

    def __init__(self, config: Config, clock: FakeClock) -> None:
        super().__init__(config, clock)
        self.defects: list[BaseException] = []

    def report_defect(self, error: BaseException) -> None:
        self.defects.append(error)


class WireWorld:
    """Broker 1 with `topics`: by default one of two partitions, and groups that can be used."""

    def __init__(
        self,
        seed: object = 0,
        settings: Mapping[str, str] | None = None,
        *,
        disk: DeferringDisk | None = None,
        clock: FakeClock | None = None,
        topics: Sequence[str] = (TOPIC, OFFSETS_TOPIC),
    ) -> None:
        self.clock = FakeClock() if clock is None else clock
        self.disk = DeferringDisk() if disk is None else disk
        environment = Environment(self.clock, SeededRandom(seed), self.disk)
        config = Config.from_sources({**_SETTINGS, **(settings or {})}, mode="dev")
        directory = self.directory = LogDirectory.open(environment, ROOT, node_id=1)
        self.waiting = WaitingRoom(self.clock)
        services = self.services = Services()
        services.node_id = 1
        services.cluster_id = directory.cluster_id
        services.config = config
        services.environment = environment
        services.log_directory_path = ROOT
        services.waiting = self.waiting
        services.replicas = ReplicaManager(1, directory, config)
        services.fetch_sessions = FetchSessionCache(100, environment.random)
        services.groups = self._groups = GroupCoordinators(services)
        metadata = self._metadata = MetadataLog(environment, config, directory, self.waiting)
        services.metadata = services.controller = metadata
        services.producer_ids = BlockProducerIds(metadata, 1)
        self.network = _Network(config, self.clock)
        self.defects = self.network.defects
        self._turn = Turn(self.network, self.waiting, services.replicas, environment)
        self._started = False
        metadata.add_listener(self._on_image)
        metadata.start({LISTENER: Endpoint("localhost", 9092, 0)})
        ensure_topics(topics, services)
        self.finish_turn()
        assert set(metadata.image.topics) >= set(topics)

    def _on_image(self, image: MetadataImage, delta: MetadataDelta) -> None:
        if self._started:
            self.services.replicas.apply(image, delta)
            self._groups.apply(image, delta)
        else:
            self._started = True
            self.services.replicas.start(image)
            self._groups.start(image)

    def stop(self) -> None:
        """A clean stop."""
        self._groups.close()
        self._metadata.stop()
        self.directory.close(clean=True, broker_epoch=self._metadata.broker_epoch)

    @property
    def topic_ids(self) -> list[bytes]:
        return list(self.services.metadata.image.topics_by_id)

    def finish_turn(self) -> None:
        """Everything that follows from the last step, disk work included."""
        self._turn.finish()
        while self.disk.offloaded:
            self.disk.run_offloaded()
            self._turn.finish()

    def pass_time(self, duration_ms: int) -> None:
        self.clock.now_ms += duration_ms
        while self.waiting.run_due():
            self.finish_turn()

    def connect(self) -> Connection:
        facts = ConnectionFacts(LISTENER, ("127.0.0.1", 9092), ("127.0.0.1", 50_000), None)
        return Connection(facts, self.services, self.network)

    def send(self, connection: Connection, data: bytes, chunk: int = 1 << 30) -> None:
        """Feed `data` as a driver would, until the connection has had enough."""
        view = memoryview(data)
        while view and connection.close_reason is None and not connection.paused:
            buffer = connection.receive_buffer()
            count = min(len(buffer), len(view), chunk)
            buffer[:count] = view[:count]
            connection.received(count)
            view = view[count:]
            self.finish_turn()


def frame(api_key: int, version: int, body: bytes, correlation_id: int = 7) -> bytes:
    """A whole request."""
    data = request_header_bytes(api_key, version, correlation_id, "wire") + body
    return struct.pack(">i", len(data)) + data


def drain(connection: Connection) -> list[bytes]:
    """The answers that stand in the output, each without its length; nothing may be left over."""
    data = b"".join(_bytes_of(part) for part in connection.output)
    connection.output.clear()
    connection.output_bytes = 0
    found = []
    while data:
        (size,) = struct.unpack_from(">i", data)
        assert 4 <= size <= len(data) - 4
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def _bytes_of(part: Any) -> bytes:
    if isinstance(part, FileRegion):
        data = part.file.pread(part.length, part.position)
        assert len(data) == part.length
        return data
    return bytes(part)
