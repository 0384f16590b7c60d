"""An image said again as records of its metadata.version.

Replaying them into an empty image gives the same image. What an older
metadata.version has no field for is left out, as Kafka does on a downgrade.
Kafka: the `write` methods of the image classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kbroker.metadata.features import (
    IBP_3_7_IV2,
    IBP_4_0_IV1,
    IBP_4_3_IV0,
    METADATA_VERSION,
    metadata_version,
    partition_record_version,
    register_broker_record_version,
)
from kbroker.metadata.image import BrokerImage, MetadataImage, PartitionImage
from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.protocol.generated.client_quota_record import ClientQuotaRecord, EntityData
from kbroker.protocol.generated.config_record import ConfigRecord
from kbroker.protocol.generated.feature_level_record import FeatureLevelRecord
from kbroker.protocol.generated.partition_record import PartitionRecord
from kbroker.protocol.generated.producer_ids_record import ProducerIdsRecord
from kbroker.protocol.generated.register_broker_record import (
    BrokerEndpoint,
    BrokerFeature,
    RegisterBrokerRecord,
)
from kbroker.protocol.generated.topic_record import TopicRecord
from kbroker.protocol.primitives import Message


def image_records(image: MetadataImage) -> Iterator[ApiMessageAndVersion]:
    """All of the image; metadata.version first, since it decides how the rest reads."""
    yield from _features(image.features)
    yield from _cluster(image)
    yield from _topics(image)
    for (resource_type, name), values in image.configs.items():
        for key, value in values.items():
            yield _v0(ConfigRecord(resource_type, name, key, value))
    for entity, quotas in image.client_quotas.items():
        for key, limit in quotas.items():
            yield _v0(ClientQuotaRecord([EntityData(kind, name) for kind, name in entity], key, limit, False))
    if image.next_producer_id >= 0:
        yield _v0(ProducerIdsRecord(-1, -1, image.next_producer_id))
    for kept in (image.acls, image.scram_credentials, image.delegation_tokens):
        for record in kept.values():
            yield _v0(record)
    if image.zk_migration_state is not None:
        from kbroker.protocol.generated.zk_migration_state_record import ZkMigrationStateRecord

        yield _v0(ZkMigrationStateRecord(image.zk_migration_state))


def partition_record(
    topic_id: bytes, index: int, partition: PartitionImage, level: int
) -> ApiMessageAndVersion:
    """The whole of one partition as `level` of metadata.version writes it."""
    record = PartitionRecord(
        partition_id=index,
        topic_id=topic_id,
        replicas=list(partition.replicas),
        isr=list(partition.isr),
        removing_replicas=list(partition.removing),
        adding_replicas=list(partition.adding),
        leader=partition.leader,
        leader_recovery_state=partition.leader_recovery_state,
        leader_epoch=partition.leader_epoch,
        partition_epoch=partition.partition_epoch,
    )
    if level >= IBP_3_7_IV2:
        record.directories = list(partition.directories)
    if level >= IBP_4_0_IV1:
        record.eligible_leader_replicas = list(partition.elr) or None
        record.last_known_elr = list(partition.last_known_elr) or None
    return ApiMessageAndVersion(record, partition_record_version(level))


def register_broker_record(broker: BrokerImage, level: int) -> ApiMessageAndVersion:
    """A broker's registration as `level` of metadata.version writes it."""
    record = RegisterBrokerRecord(
        broker_id=broker.id,
        is_migrating_zk_broker=broker.is_migrating_zk_broker,
        incarnation_id=broker.incarnation_id,
        broker_epoch=broker.epoch,
        end_points=[
            BrokerEndpoint(name, endpoint.host, endpoint.port, endpoint.security_protocol)
            for name, endpoint in broker.endpoints.items()
        ],
        features=[BrokerFeature(name, low, high) for name, (low, high) in broker.features.items()],
        rack=broker.rack,
        fenced=broker.fenced,
        in_controlled_shutdown=broker.in_controlled_shutdown,
    )
    if level >= IBP_3_7_IV2:
        record.log_dirs = list(broker.directories)
    if level >= IBP_4_3_IV0 and broker.cordoned_directories is not None:
        record.cordoned_log_dirs = list(broker.cordoned_directories)
    return ApiMessageAndVersion(record, register_broker_record_version(level))


def _v0(message: Message) -> ApiMessageAndVersion:
    return ApiMessageAndVersion(message, 0)


def _features(features: Mapping[str, int]) -> Iterator[ApiMessageAndVersion]:
    for name in sorted(features, key=lambda name: (name != METADATA_VERSION, name)):
        yield _v0(FeatureLevelRecord(name, features[name]))


def _cluster(image: MetadataImage) -> Iterator[ApiMessageAndVersion]:
    level = metadata_version(image)
    for broker in image.brokers.values():
        yield register_broker_record(broker, level)
    for controller in image.controllers.values():
        yield _v0(controller)


def _topics(image: MetadataImage) -> Iterator[ApiMessageAndVersion]:
    level = metadata_version(image)
    for topic in image.topics.values():
        yield _v0(TopicRecord(topic.name, topic.id))
        for index, partition in topic.partitions.items():
            yield partition_record(topic.id, index, partition, level)
