"""Clusters made by hand, and requests to one of their brokers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kbroker.config import Config
from kbroker.controller.controller import Controller
from kbroker.controller.result import ControllerResult
from kbroker.environment import Environment
from kbroker.handlers.context import ConnectionFacts, Pending, RequestContext, Services
from kbroker.metadata.image import BrokerImage, Endpoint, MetadataImage, PartitionImage, TopicImage
from kbroker.metadata.replay import Replay
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.describe_quorum_response import (
    DescribeQuorumResponse,
    Node,
    PartitionData,
    TopicData,
)

T = TypeVar("T")

LISTENER = "PLAINTEXT"
ONLINE_DIRECTORY = b"d" * 16


class FixedClock:
    def wall_ms(self) -> int:
        return 1_700_000_000_000

    def monotonic_ms(self) -> int:
        return 1_000


class CountingRandom:
    """Every number in turn, so that a test sees a choice being made."""

    def __init__(self) -> None:
        self.drawn = 0

    def uuid(self) -> bytes:
        self.drawn += 1
        return b"r" * 8 + self.drawn.to_bytes(8, "big")

    def below(self, limit: int) -> int:
        self.drawn += 1
        return self.drawn % limit


class Published:
    """Whatever image the test puts here."""

    def __init__(self, image: MetadataImage) -> None:
        self.image = image


class Channel:
    """A real controller; `deliver` commits what was submitted, at once unless `holding`."""

    def __init__(self, made: Services) -> None:
        replay = Replay(made.metadata.image)
        self.controller = Controller(1, made.cluster_id, made.config, made.environment.random, replay)
        self.holding = False
        self.refusal: KafkaError | None = None
        self.submitted: list[tuple[Callable[[Controller, int], Any], Pending[Any]]] = []
        self.records: list[Any] = []
        self._services = made
        self._static = made.config

    def submit(self, operation: Callable[[Controller, int], ControllerResult[T]]) -> Pending[T]:
        if self.refusal is not None:
            raise self.refusal
        pending: Pending[T] = Pending()
        self.submitted.append((operation, pending))
        if not self.holding:
            self.deliver()
        return pending

    def deliver(self) -> None:
        """Carry out everything in order, publish the image, answer."""
        submitted, self.submitted = self.submitted, []
        answers = []
        for operation, pending in submitted:
            result = operation(self.controller, 1_000)
            self.records += [record.message for record in result.records]
            if result.records:
                self.controller.replay(result.records, 1)
            answers.append((pending, result.response))
        published = self.controller.image
        self._services.metadata = Published(published)
        self._services.config = self._static.with_dynamic(
            published.default_broker_configs, published.broker_configs(1)
        )
        for pending, response in answers:
            pending.complete(response)

    def describe_quorum(self, request: Any) -> DescribeQuorumResponse:
        """One voter, at work."""
        return DescribeQuorumResponse(
            topics=[TopicData("__cluster_metadata", [PartitionData(0, leader_id=1)])], nodes=[Node(1)]
        )


def broker(
    broker_id: int, *, fenced: bool = False, rack: str | None = None, listener: str = LISTENER
) -> BrokerImage:
    return BrokerImage(
        broker_id,
        epoch=broker_id,
        incarnation_id=bytes(16),
        endpoints={listener: Endpoint(f"host{broker_id}", 9090 + broker_id, 0)},
        features={},
        rack=rack,
        fenced=fenced,
        directories=(ONLINE_DIRECTORY,),
    )


def partition(*replicas: int, leader: int | None = None, epoch: int = 0, **rest: Any) -> PartitionImage:
    rest.setdefault("isr", replicas)
    rest.setdefault("directories", (ONLINE_DIRECTORY,) * len(replicas))
    return PartitionImage(
        replicas, leader=replicas[0] if leader is None else leader, leader_epoch=epoch, **rest
    )


def topic(name: str, *partitions: PartitionImage) -> TopicImage:
    return TopicImage(name, topic_id(name), dict(enumerate(partitions or (partition(1),))))


def topic_id(name: str) -> bytes:
    return name.encode()[:16].ljust(16, b".")


def image(
    brokers: tuple[BrokerImage, ...] = (),
    topics: tuple[TopicImage, ...] = (),
    configs: Mapping[tuple[int, str], Mapping[str, str]] | None = None,
    features: Mapping[str, int] | None = None,
) -> MetadataImage:
    return MetadataImage(
        offset=77,
        epoch=1,
        brokers={one.id: one for one in brokers or (broker(1),)},
        topics={one.name: one for one in topics},
        topics_by_id={one.id: one for one in topics},
        configs=configs or {},
        features=features or {"metadata.version": 30},
    )


def services(
    published: MetadataImage, settings: Mapping[str, str] | None = None, mode: str = "dev"
) -> Services:
    """Broker 1 with this image, and a controller that can change it."""
    made = Services()
    made.node_id = 1
    made.cluster_id = "the-cluster"
    made.config = Config.from_sources(settings or {}, mode=mode)
    made.environment = Environment(FixedClock(), CountingRandom(), None)  # type: ignore[arg-type]
    made.metadata = Published(published)
    made.controller = Channel(made)
    return made


def channel(made: Services) -> Channel:
    assert isinstance(made.controller, Channel)
    return made.controller


def context(made: Services, api_key: int, version: int, listener: str = LISTENER) -> RequestContext:
    facts = ConnectionFacts(listener, ("10.0.0.1", 9092), ("10.0.0.9", 50_000), None)
    return RequestContext(api_key, version, 1, "test", facts, made)


def now(answer: Any) -> Any:
    """The answer itself; one that had to wait must be there by now."""
    if isinstance(answer, Pending):
        assert answer.done
        return answer.value
    return answer
