"""A metadata log over a disk in memory, driven step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kbroker.broker.raft_driver import MetadataLog
from kbroker.config import Config
from kbroker.environment import Environment
from kbroker.handlers.context import Pending
from kbroker.log.directory import LogDirectory
from kbroker.metadata.delta import MetadataDelta
from kbroker.metadata.image import Endpoint, MetadataImage
from kbroker.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from kbroker.protocol.generated.create_topics_response import CreateTopicsResponse
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import ManualClock, SeededRandom
from tests.metadata.kafka_logs import KAFKA

PATH = "/data"
LOG_PATH = f"{PATH}/__cluster_metadata-0"
LOG = f"{LOG_PATH}/00000000000000000000.log"
NODE_ID = 1


class SlowDisk(MemoryDisk):
    """Off-loaded work waits until told: what an fsync on a thread looks like to the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.offloaded: deque[tuple[Callable[[], None], Callable[[BaseException | None], None]]] = deque()

    def offload(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        self.offloaded.append((work, done))

    def finish_one(self) -> None:
        super().offload(*self.offloaded.popleft())


class Timers:
    """`Waiting` as far as the metadata log needs it."""

    def __init__(self) -> None:
        self.calls: deque[tuple[int, Callable[[], None]]] = deque()

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> Any:
        self.calls.append((delay_ms, callback))

    def run(self) -> None:
        while self.calls:
            self.calls.popleft()[1]()


class Node:
    """One start of a broker's metadata log; `images` is what listeners were told."""

    def __init__(self, disk: MemoryDisk | None = None, seed: int = 0, **overrides: str) -> None:
        self.disk = MemoryDisk() if disk is None else disk
        self.clock = ManualClock()
        self.disk.now_ms = self.clock.now_ms
        self.timers = Timers()
        self.images: list[tuple[MetadataImage, MetadataDelta]] = []
        environment = Environment(self.clock, SeededRandom(seed), self.disk)
        settings = {key.replace("_", "."): value for key, value in overrides.items()}
        config = Config.from_sources(overrides=settings)
        self.directory = LogDirectory.open(environment, PATH, node_id=NODE_ID)
        self.metadata = MetadataLog(environment, config, self.directory, self.timers)  # type: ignore[arg-type]
        self.metadata.add_listener(lambda image, delta: self.images.append((image, delta)))

    def start(self) -> Node:
        self.metadata.start({"PLAINTEXT": Endpoint("localhost", 9092, 0)})
        return self

    def create(self, *names: str, partitions: int = 1) -> Pending[CreateTopicsResponse]:
        request = CreateTopicsRequest([CreatableTopic(name, partitions, 1) for name in names])
        return self.metadata.submit(lambda controller, now_ms: controller.create_topics(request, now_ms))

    def stop(self) -> MemoryDisk:
        self.metadata.stop()
        self.directory.close(clean=True, broker_epoch=self.metadata.broker_epoch)
        return self.disk

    def kill(self) -> MemoryDisk:
        self.disk.kill()
        return self.disk

    @property
    def topics(self) -> set[str]:
        return set(self.metadata.image.topics)


def kafka_directory(name: str, *, log_bytes: int | None = None, clean: bool = True) -> MemoryDisk:
    """A data directory that Apache Kafka left; `log_bytes` cuts its metadata log."""
    disk = MemoryDisk()
    disk.make_directory(LOG_PATH)
    for path in sorted((KAFKA / name).iterdir()):
        target = f"{LOG_PATH}/{path.name}" if _is_of_the_log(path) else f"{PATH}/{path.name}"
        disk.write_atomically(target, path.read_bytes()[: log_bytes if path.suffix == ".log" else None])
    if clean and name == "static":
        disk.rename(f"{PATH}/kafka_cleanshutdown", f"{PATH}/.kafka_cleanshutdown")
    return disk


def _is_of_the_log(path: Path) -> bool:
    return path.name[0].isdigit() or path.name == "quorum-state"
