"""Records on top of an image: what changed, and the image after it.

Only the maps that a record touches are copied, once per delta and not once
per record; of a topic only the partitions map. What was touched stays
readable afterwards: listeners need look at nothing else.

Kafka: `MetadataDelta`, `TopicsDelta`, `ClusterDelta`, …
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kbroker.metadata.image import (
    EMPTY,
    MIGRATING_DIRECTORY,
    TOPIC,
    BrokerImage,
    Endpoint,
    MetadataImage,
    PartitionImage,
    TopicImage,
)
from kbroker.metadata.records import RecordType

# PartitionChangeRecord and BrokerRegistrationChangeRecord speak in differences.
NO_LEADER_CHANGE = -2
NO_RECOVERY_STATE_CHANGE = -1


class CorruptMetadata(Exception):
    """The log says something that its own past contradicts."""


class MetadataDelta:
    """Mutable while records are replayed into it; read-only once `build` was called."""

    __slots__ = (
        "_fields",
        "_maps",
        "_offset",
        "_same",
        "changed_brokers",
        "changed_configs",
        "changed_topics",
        "deleted_topics",
        "previous",
    )

    def __init__(self, previous: MetadataImage) -> None:
        self.previous = previous
        # Topic id → indexes of the partitions that are new or changed.
        self.changed_topics: dict[bytes, set[int]] = {}
        # Topic id → the topic as it was; topics that came and went within the delta are not listed.
        self.deleted_topics: dict[bytes, TopicImage] = {}
        self.changed_configs: set[tuple[int, str]] = set()
        self.changed_brokers: set[int] = set()
        self._maps: dict[str, dict[Any, Any]] = {}
        self._fields: dict[str, Any] = {}
        self._offset = -1
        # Most partitions have the same replicas as others: one tuple for all of them.
        self._same: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    @classmethod
    def from_nothing(cls, image: MetadataImage) -> MetadataDelta:
        """The delta from the empty image to `image`: everything is new."""
        delta = cls(EMPTY)
        delta.changed_topics = {id_: set(topic.partitions) for id_, topic in image.topics_by_id.items()}
        delta.changed_configs = set(image.configs)
        delta.changed_brokers = set(image.brokers)
        delta._fields = image._asdict()
        return delta

    @property
    def is_empty(self) -> bool:
        return not self._maps and not self._fields and not self.changed_topics

    @property
    def changed_fields(self) -> frozenset[str]:
        """Names of the image's fields that differ from before."""
        return frozenset(self._maps) | frozenset(self._fields)

    def build(self, offset: int, epoch: int) -> MetadataImage:
        """The image after all records replayed so far."""
        self._same.clear()
        fields = {**self._maps, **self._fields}
        topics = fields.get("topics")
        if topics is not None:
            by_id = fields["topics_by_id"]
            for topic_id in self.changed_topics:
                topic = by_id[topic_id]
                ordered = dict(sorted(topic.partitions.items()))
                topics[topic.name] = by_id[topic_id] = topic._replace(partitions=ordered)
        return self.previous._replace(offset=offset, epoch=epoch, **fields)

    def replay(self, record: Any, offset: int) -> None:
        """Take in one record that stands at `offset` of the log."""
        replay = _REPLAY.get(record.API_KEY)
        if replay is None:
            raise CorruptMetadata(f"no image can be made of a record of type {record.API_KEY}")
        self._offset = offset
        replay(self, record)

    def _writable(self, field: str) -> dict[Any, Any]:
        """The image's map of this name, copied the first time it is touched."""
        found = self._maps.get(field)
        if found is None:
            found = self._maps[field] = dict(getattr(self.previous, field))
        return found

    # Topics

    def _writable_partitions(self, topic_id: bytes) -> dict[int, PartitionImage]:
        by_id = self._writable("topics_by_id")
        topic = by_id.get(topic_id)
        if topic is None:
            raise CorruptMetadata(f"no topic has the id {topic_id.hex()}")
        if topic_id not in self.changed_topics:
            self.changed_topics[topic_id] = set()
            topic = by_id[topic_id] = topic._replace(partitions=dict(topic.partitions))
            self._writable("topics")[topic.name] = topic
        partitions: dict[int, PartitionImage] = topic.partitions
        return partitions

    def _topic(self, record: Any) -> None:
        topic = TopicImage(record.name, record.topic_id, {})
        self._writable("topics")[topic.name] = topic
        self._writable("topics_by_id")[topic.id] = topic
        self.changed_topics[topic.id] = set()

    def _partition(self, record: Any) -> None:
        partitions = self._writable_partitions(record.topic_id)
        same = self._same
        replicas = tuple(record.replicas)
        directories = tuple(record.directories) or (MIGRATING_DIRECTORY,) * len(replicas)
        isr = tuple(record.isr)
        partitions[record.partition_id] = PartitionImage(
            same.setdefault(replicas, replicas),
            same.setdefault(directories, directories),
            same.setdefault(isr, isr),
            tuple(record.removing_replicas),
            tuple(record.adding_replicas),
            tuple(record.eligible_leader_replicas or ()),
            tuple(record.last_known_elr or ()),
            record.leader,
            record.leader_epoch,
            record.partition_epoch,
            record.leader_recovery_state,
        )
        self.changed_topics[record.topic_id].add(record.partition_id)

    def _partition_change(self, record: Any) -> None:
        partitions = self._writable_partitions(record.topic_id)
        partition = partitions.get(record.partition_id)
        if partition is None:
            raise CorruptMetadata(f"no partition {record.partition_id} in topic {record.topic_id.hex()}")
        partitions[record.partition_id] = merge(partition, record)
        self.changed_topics[record.topic_id].add(record.partition_id)

    def _remove_topic(self, record: Any) -> None:
        topic = self._writable("topics_by_id").pop(record.topic_id, None)
        if topic is None:
            raise CorruptMetadata(f"no topic has the id {record.topic_id.hex()}")
        del self._writable("topics")[topic.name]
        self.changed_topics.pop(record.topic_id, None)
        before = self.previous.topics_by_id.get(record.topic_id)
        if before is not None:
            self.deleted_topics[record.topic_id] = before
        resource = (TOPIC, topic.name)
        if resource in self._maps.get("configs", self.previous.configs):
            del self._writable("configs")[resource]
            self.changed_configs.add(resource)

    def _clear_elr(self, record: Any) -> None:
        topics = self._maps.get("topics", self.previous.topics)
        if record.topic_name and record.topic_name not in topics:
            raise CorruptMetadata(f"no topic is named {record.topic_name}")
        chosen = [topics[record.topic_name]] if record.topic_name else list(topics.values())
        for topic in chosen:
            for index, partition in list(topic.partitions.items()):
                if partition.elr or partition.last_known_elr:
                    self._writable_partitions(topic.id)[index] = partition._replace(
                        elr=(), last_known_elr=(), partition_epoch=partition.partition_epoch + 1
                    )
                    self.changed_topics[topic.id].add(index)

    # Brokers and controllers

    def _register_broker(self, record: Any) -> None:
        self._writable("brokers")[record.broker_id] = BrokerImage(
            record.broker_id,
            record.broker_epoch,
            record.incarnation_id,
            {e.name: Endpoint(e.host, e.port, e.security_protocol) for e in record.end_points},
            {f.name: (f.min_supported_version, f.max_supported_version) for f in record.features},
            record.rack,
            record.fenced,
            record.in_controlled_shutdown,
            tuple(record.log_dirs),
            None if record.cordoned_log_dirs is None else tuple(record.cordoned_log_dirs),
            record.is_migrating_zk_broker,
            self._offset,
        )
        self.changed_brokers.add(record.broker_id)

    def _registered(self, broker_id: int, broker_epoch: int) -> BrokerImage:
        broker: BrokerImage | None = self._writable("brokers").get(broker_id)
        if broker is None or broker.epoch != broker_epoch:
            raise CorruptMetadata(f"no broker {broker_id} is registered with epoch {broker_epoch}")
        self.changed_brokers.add(broker_id)
        return broker

    def _unregister_broker(self, record: Any) -> None:
        self._registered(record.broker_id, record.broker_epoch)
        del self._writable("brokers")[record.broker_id]

    def _fence_broker(self, record: Any) -> None:
        broker = self._registered(record.id, record.epoch)
        self._writable("brokers")[record.id] = broker._replace(fenced=True)

    def _unfence_broker(self, record: Any) -> None:
        broker = self._registered(record.id, record.epoch)
        self._writable("brokers")[record.id] = broker._replace(fenced=False)

    def _broker_registration_change(self, record: Any) -> None:
        broker = self._registered(record.broker_id, record.broker_epoch)
        changes: dict[str, Any] = {}
        if record.fenced:
            changes["fenced"] = record.fenced > 0
        if record.in_controlled_shutdown:
            changes["in_controlled_shutdown"] = record.in_controlled_shutdown > 0
        if record.log_dirs:
            changes["directories"] = tuple(record.log_dirs)
        if record.cordoned_log_dirs is not None:
            changes["cordoned_directories"] = tuple(record.cordoned_log_dirs)
        self._writable("brokers")[record.broker_id] = broker._replace(**changes)

    def _register_controller(self, record: Any) -> None:
        self._writable("controllers")[record.controller_id] = record

    # Everything else

    def _feature_level(self, record: Any) -> None:
        features = self._writable("features")
        # kraft.version lives in the quorum's control records; old logs may name it here too (KAFKA-18979).
        if record.feature_level == 0:
            features.pop(record.name, None)
        elif record.name != "kraft.version":
            features[record.name] = record.feature_level

    def _config(self, record: Any) -> None:
        resource = (record.resource_type, record.resource_name)
        configs = self._writable("configs")
        values = dict(configs.get(resource, {}))
        if record.value is None:
            values.pop(record.name, None)
        else:
            values[record.name] = record.value
        if values:
            configs[resource] = values
        else:
            configs.pop(resource, None)
        self.changed_configs.add(resource)

    def _client_quota(self, record: Any) -> None:
        entity = tuple(sorted((e.entity_type, e.entity_name) for e in record.entity))
        quotas = self._writable("client_quotas")
        values = dict(quotas.get(entity, {}))
        if record.remove:
            values.pop(record.key, None)
        else:
            values[record.key] = record.value
        if values:
            quotas[entity] = values
        else:
            quotas.pop(entity, None)

    def _access_control_entry(self, record: Any) -> None:
        self._writable("acls")[record.id] = record

    def _remove_access_control_entry(self, record: Any) -> None:
        self._writable("acls").pop(record.id, None)

    def _user_scram_credential(self, record: Any) -> None:
        self._writable("scram_credentials")[(record.name, record.mechanism)] = record

    def _remove_user_scram_credential(self, record: Any) -> None:
        self._writable("scram_credentials").pop((record.name, record.mechanism), None)

    def _delegation_token(self, record: Any) -> None:
        self._writable("delegation_tokens")[record.token_id] = record

    def _remove_delegation_token(self, record: Any) -> None:
        self._writable("delegation_tokens").pop(record.token_id, None)

    def _producer_ids(self, record: Any) -> None:
        self._fields["next_producer_id"] = record.next_producer_id

    def _zk_migration_state(self, record: Any) -> None:
        self._fields["zk_migration_state"] = record.zk_migration_state

    def _no_op(self, record: Any) -> None:
        """Only its offset counts."""


def merge(partition: PartitionImage, change: Any) -> PartitionImage:
    """The partition after a PartitionChangeRecord: absent fields stay, epochs rise."""
    replicas = partition.replicas if change.replicas is None else tuple(change.replicas)
    directories = partition.directories if change.directories is None else tuple(change.directories)
    led_anew = change.leader != NO_LEADER_CHANGE
    kept_state = change.leader_recovery_state == NO_RECOVERY_STATE_CHANGE
    return PartitionImage(
        replicas,
        directories or (MIGRATING_DIRECTORY,) * len(replicas),
        partition.isr if change.isr is None else tuple(change.isr),
        partition.removing if change.removing_replicas is None else tuple(change.removing_replicas),
        partition.adding if change.adding_replicas is None else tuple(change.adding_replicas),
        partition.elr if change.eligible_leader_replicas is None else tuple(change.eligible_leader_replicas),
        partition.last_known_elr if change.last_known_elr is None else tuple(change.last_known_elr),
        change.leader if led_anew else partition.leader,
        partition.leader_epoch + led_anew,
        partition.partition_epoch + 1,
        partition.leader_recovery_state if kept_state else change.leader_recovery_state,
    )


_REPLAY: dict[int, Callable[[MetadataDelta, Any], None]] = {
    RecordType.REGISTER_BROKER: MetadataDelta._register_broker,
    RecordType.UNREGISTER_BROKER: MetadataDelta._unregister_broker,
    RecordType.TOPIC: MetadataDelta._topic,
    RecordType.PARTITION: MetadataDelta._partition,
    RecordType.CONFIG: MetadataDelta._config,
    RecordType.PARTITION_CHANGE: MetadataDelta._partition_change,
    RecordType.FENCE_BROKER: MetadataDelta._fence_broker,
    RecordType.UNFENCE_BROKER: MetadataDelta._unfence_broker,
    RecordType.REMOVE_TOPIC: MetadataDelta._remove_topic,
    RecordType.DELEGATION_TOKEN: MetadataDelta._delegation_token,
    RecordType.USER_SCRAM_CREDENTIAL: MetadataDelta._user_scram_credential,
    RecordType.FEATURE_LEVEL: MetadataDelta._feature_level,
    RecordType.CLIENT_QUOTA: MetadataDelta._client_quota,
    RecordType.PRODUCER_IDS: MetadataDelta._producer_ids,
    RecordType.BROKER_REGISTRATION_CHANGE: MetadataDelta._broker_registration_change,
    RecordType.ACCESS_CONTROL_ENTRY: MetadataDelta._access_control_entry,
    RecordType.REMOVE_ACCESS_CONTROL_ENTRY: MetadataDelta._remove_access_control_entry,
    RecordType.NO_OP: MetadataDelta._no_op,
    RecordType.ZK_MIGRATION_STATE: MetadataDelta._zk_migration_state,
    RecordType.REMOVE_USER_SCRAM_CREDENTIAL: MetadataDelta._remove_user_scram_credential,
    RecordType.REMOVE_DELEGATION_TOKEN: MetadataDelta._remove_delegation_token,
    RecordType.REGISTER_CONTROLLER: MetadataDelta._register_controller,
    RecordType.CLEAR_ELR: MetadataDelta._clear_elr,
}
