"""What the controller's decisions are made on.

    image      everything replayed, committed or not; only `replay` changes it
    sessions   when brokers were last heard of; soft, gone with the process

Kafka: the timeline state of `QuorumController` and its control managers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from kbroker.config import effective_topic_config
from kbroker.config.topics import broker_topic_defaults
from kbroker.controller.elections import ElectionRules, PartitionChangeBuilder
from kbroker.metadata.features import elr_enabled, metadata_version
from kbroker.metadata.image import MetadataImage, PartitionImage, TopicImage

if TYPE_CHECKING:
    from kbroker.config import Config
    from kbroker.environment import Random
    from kbroker.metadata.records import ApiMessageAndVersion


class BrokerSession:
    """What a broker's heartbeats told (Kafka: `BrokerHeartbeatState`)."""

    __slots__ = ("controlled_shutdown_offset", "last_contact_ms", "metadata_offset")

    def __init__(self, last_contact_ms: int) -> None:
        self.last_contact_ms = last_contact_ms
        self.metadata_offset = -1
        # Once all active brokers have replayed this offset the broker may go; None while it stays.
        self.controlled_shutdown_offset: int | None = None


class ClusterState:
    """The controller's whole memory. Only `Controller.replay` and heartbeats write to it."""

    __slots__ = ("cluster_id", "config", "image", "next_offset", "node_id", "random", "sessions")

    def __init__(
        self,
        node_id: int,
        cluster_id: str,
        config: Config,
        random: Random,
        image: MetadataImage,
        next_offset: int,
    ) -> None:
        self.node_id = node_id
        self.cluster_id = cluster_id
        # The static configuration of this node.
        self.config = config
        self.random = random
        self.image = image
        # Where the next record will stand in the log.
        self.next_offset = next_offset
        self.sessions: dict[int, BrokerSession] = {}

    @property
    def metadata_version(self) -> int:
        return metadata_version(self.image)

    def is_active(self, broker_id: int) -> bool:
        broker = self.image.brokers.get(broker_id)
        return broker is not None and broker.is_active

    def broker_config(self) -> Config:
        """This node's configuration with what was set dynamically."""
        image = self.image
        return self.config.with_dynamic(image.default_broker_configs, image.broker_configs(self.node_id))

    def change_partitions(
        self,
        concerned: Callable[[PartitionImage], bool],
        *,
        removed: int | None = None,
        added: int | None = None,
        unclean: int | None = None,
    ) -> list[ApiMessageAndVersion]:
        """Records that bring the concerned partitions in line with a broker's coming or going.

        `removed` leaves every ISR and leads nothing. `added` may lead although
        the image still shows it fenced. `unclean` is removed, and may have lost
        records besides. Kafka: `generateLeaderAndIsrUpdates`.
        """
        gone = {broker_id for broker_id in (removed, unclean) if broker_id is not None}

        def may_lead(broker_id: int, directory: bytes) -> bool:
            if broker_id in gone or not (broker_id == added or self.is_active(broker_id)):
                return False
            return self.image.brokers[broker_id].has_online_directory(directory)

        rules_of = self._election_rules(may_lead)
        records: list[ApiMessageAndVersion] = []
        for topic, indexes in self._concerned(concerned):
            rules = rules_of(topic)
            for index in indexes:
                builder = PartitionChangeBuilder(topic.id, index, topic.partitions[index], rules)
                for broker_id in gone:
                    builder.remove_from_isr(broker_id)
                change = builder.build(unclean_shutdown=() if unclean is None else (unclean,))
                if change is not None:
                    records.append(change)
        return records

    def _election_rules(
        self, may_lead: Callable[[int, bytes], bool]
    ) -> Callable[[TopicImage], ElectionRules]:
        config = self.broker_config()
        defaults = broker_topic_defaults(config)
        level = self.metadata_version
        with_elr = elr_enabled(self.image)

        def rules_of(topic: TopicImage) -> ElectionRules:
            configs = self.image.topic_configs(topic.name)
            values = effective_topic_config(configs, config) if configs else defaults
            min_isr = values["min.insync.replicas"]
            assert isinstance(min_isr, int)
            replication_factor = len(topic.partitions[0].replicas)
            unclean_allowed = bool(values["unclean.leader.election.enable"])
            return ElectionRules(may_lead, level, with_elr, min(min_isr, replication_factor), unclean_allowed)

        return rules_of

    def _concerned(
        self, concerned: Callable[[PartitionImage], bool]
    ) -> Iterator[tuple[TopicImage, Sequence[int]]]:
        # No index from brokers to partitions is kept: brokers come and go rarely, and a look
        # at 10,000 partitions takes milliseconds.
        for topic in self.image.topics.values():
            indexes = [index for index, partition in topic.partitions.items() if concerned(partition)]
            if indexes:
                yield topic, indexes
