"""Images by replay: every record type, copy on write, what listeners are told."""

from __future__ import annotations

from typing import Any

import pytest

from kbroker.metadata.delta import CorruptMetadata, MetadataDelta
from kbroker.metadata.image import (
    BROKER,
    EMPTY,
    MIGRATING_DIRECTORY,
    TOPIC,
    MetadataImage,
)
from kbroker.metadata.image_records import image_records
from kbroker.metadata.records import RecordType, decode_record, encode_record
from kbroker.protocol.generated import index
from kbroker.protocol.generated.access_control_entry_record import AccessControlEntryRecord
from kbroker.protocol.generated.broker_registration_change_record import BrokerRegistrationChangeRecord
from kbroker.protocol.generated.clear_elr_record import ClearElrRecord
from kbroker.protocol.generated.client_quota_record import ClientQuotaRecord, EntityData
from kbroker.protocol.generated.config_record import ConfigRecord
from kbroker.protocol.generated.delegation_token_record import DelegationTokenRecord
from kbroker.protocol.generated.feature_level_record import FeatureLevelRecord
from kbroker.protocol.generated.fence_broker_record import FenceBrokerRecord
from kbroker.protocol.generated.no_op_record import NoOpRecord
from kbroker.protocol.generated.partition_change_record import PartitionChangeRecord
from kbroker.protocol.generated.partition_record import PartitionRecord
from kbroker.protocol.generated.producer_ids_record import ProducerIdsRecord
from kbroker.protocol.generated.register_broker_record import RegisterBrokerRecord
from kbroker.protocol.generated.register_controller_record import RegisterControllerRecord
from kbroker.protocol.generated.remove_access_control_entry_record import RemoveAccessControlEntryRecord
from kbroker.protocol.generated.remove_delegation_token_record import RemoveDelegationTokenRecord
from kbroker.protocol.generated.remove_topic_record import RemoveTopicRecord
from kbroker.protocol.generated.remove_user_scram_credential_record import RemoveUserScramCredentialRecord
from kbroker.protocol.generated.topic_record import TopicRecord
from kbroker.protocol.generated.unfence_broker_record import UnfenceBrokerRecord
from kbroker.protocol.generated.unregister_broker_record import UnregisterBrokerRecord
from kbroker.protocol.generated.user_scram_credential_record import UserScramCredentialRecord
from kbroker.protocol.generated.zk_migration_state_record import ZkMigrationStateRecord

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
CLIENT = [EntityData("user", "u"), EntityData("client-id", None)]

# Together they touch every field of an image.
EVERYTHING: list[Any] = [
    FeatureLevelRecord("metadata.version", 30),
    FeatureLevelRecord("share.version", 1),
    FeatureLevelRecord("group.version", 1),
    FeatureLevelRecord("group.version", 0),
    RegisterBrokerRecord(1, incarnation_id=A, broker_epoch=3, log_dirs=[B], rack="r"),
    RegisterBrokerRecord(2, incarnation_id=B, broker_epoch=4, fenced=False),
    RegisterBrokerRecord(3, incarnation_id=C, broker_epoch=5),
    UnfenceBrokerRecord(1, 3),
    FenceBrokerRecord(2, 4),
    BrokerRegistrationChangeRecord(2, 4, -1, 1, [C], [C]),
    UnregisterBrokerRecord(3, 5),
    RegisterControllerRecord(1, A),
    TopicRecord("a", A),
    PartitionRecord(0, A, [1, 2], [1, 2], leader=1, leader_epoch=0, partition_epoch=0, directories=[B, C]),
    PartitionRecord(1, A, [2], [], directories=[C], eligible_leader_replicas=[2], last_known_elr=[2]),
    PartitionChangeRecord(0, A, isr=[2], leader=2, leader_recovery_state=1, adding_replicas=[3]),
    TopicRecord("b", B),
    PartitionRecord(0, B, [1], [1], leader=1, directories=[B]),
    RemoveTopicRecord(B),
    ConfigRecord(TOPIC, "a", "retention.ms", "1"),
    ConfigRecord(TOPIC, "a", "segment.ms", "1"),
    ConfigRecord(TOPIC, "a", "segment.ms", None),
    ConfigRecord(BROKER, "", "log.cleaner.threads", "2"),
    ClientQuotaRecord(CLIENT, "producer_byte_rate", 5.0, False),
    ClientQuotaRecord(CLIENT, "consumer_byte_rate", 5.0, False),
    ClientQuotaRecord(CLIENT, "consumer_byte_rate", 0.0, True),
    ProducerIdsRecord(1, 3, 2000),
    AccessControlEntryRecord(A, 2, "t", 3, "User:u", "*", 3, 3),
    AccessControlEntryRecord(B, 2, "t", 3, "User:v", "*", 3, 3),
    RemoveAccessControlEntryRecord(B),
    UserScramCredentialRecord("u", 1, b"salt", b"stored", b"server", 4096),
    UserScramCredentialRecord("u", 2, b"salt", b"stored", b"server", 4096),
    RemoveUserScramCredentialRecord("u", 2),
    DelegationTokenRecord("User:u", "User:u", [], 1, 2, 3, "t1"),
    DelegationTokenRecord("User:u", "User:u", [], 1, 2, 3, "t2"),
    RemoveDelegationTokenRecord("t2"),
    ZkMigrationStateRecord(3),
    NoOpRecord(),
    ClearElrRecord("a"),
]


def replay(image: MetadataImage, *records: Any) -> tuple[MetadataImage, MetadataDelta]:
    delta = MetadataDelta(image)
    for offset, record in enumerate(records, image.offset + 1):
        delta.replay(record, offset)
    return delta.build(image.offset + len(records), 1), delta


def test_every_record_type_is_known() -> None:
    borders = {RecordType.BEGIN_TRANSACTION, RecordType.END_TRANSACTION, RecordType.ABORT_TRANSACTION}
    assert {record.API_KEY for record in EVERYTHING} | borders == set(index.METADATA_RECORDS)


def test_an_image_said_again_is_the_same_image() -> None:
    image, _ = replay(EMPTY, *EVERYTHING)
    assert image != EMPTY
    again = EMPTY
    for record in image_records(image):
        again, _ = replay(again, decode_record(encode_record(record)).message)
    brokers = {
        id_: broker._replace(registration_offset=image.brokers[id_].registration_offset)
        for id_, broker in again.brokers.items()
    }
    assert again._replace(offset=image.offset, brokers=brokers) == image


def test_what_records_say_stands_in_the_image() -> None:
    image, _ = replay(EMPTY, *EVERYTHING)
    assert image.features == {"metadata.version": 30, "share.version": 1}
    assert set(image.brokers) == {1, 2}
    assert image.brokers[1].is_active
    assert not image.brokers[2].fenced
    assert image.brokers[2].in_controlled_shutdown
    assert image.brokers[2].directories == image.brokers[2].cordoned_directories == (C,)
    assert list(image.topics) == ["a"]
    first, second = image.topics["a"].partitions.values()
    assert (first.leader, first.leader_epoch, first.partition_epoch) == (2, 1, 1)
    assert first.leader_recovery_state == 1
    assert (second.elr, second.last_known_elr) == ((), ())
    assert image.topic_configs("a") == {"retention.ms": "1"}
    assert image.default_broker_configs == {"log.cleaner.threads": "2"}
    assert list(image.client_quotas.values()) == [{"producer_byte_rate": 5.0}]
    assert image.next_producer_id == 2000
    assert list(image.acls) == [A]
    assert list(image.scram_credentials) == [("u", 1)]
    assert list(image.delegation_tokens) == ["t1"]
    assert image.zk_migration_state == 3


def test_an_old_image_never_changes() -> None:
    before, _ = replay(EMPTY, *EVERYTHING)
    kept = {field: repr(value) for field, value in before._asdict().items()}
    replay(
        before,
        PartitionChangeRecord(0, A, leader=-1),
        ConfigRecord(TOPIC, "a", "retention.ms", "9"),
        TopicRecord("n", C),
        RemoveTopicRecord(A),
        FenceBrokerRecord(1, 3),
        ClientQuotaRecord(CLIENT, "producer_byte_rate", 0.0, True),
    )
    assert {field: repr(value) for field, value in before._asdict().items()} == kept


def test_only_what_is_touched_is_copied() -> None:
    before, _ = replay(EMPTY, *EVERYTHING)
    after, delta = replay(before, ConfigRecord(BROKER, "1", "x", "y"))
    assert delta.changed_fields == {"configs"}
    assert after.topics is before.topics
    assert after.brokers is before.brokers


def test_a_delta_says_what_changed() -> None:
    before, _ = replay(EMPTY, *EVERYTHING)
    _, delta = replay(
        before,
        PartitionChangeRecord(1, A, leader=2),
        TopicRecord("n", B),
        PartitionRecord(0, B, [1], [1], leader=1),
        TopicRecord("short-lived", C),
        RemoveTopicRecord(C),
        ConfigRecord(TOPIC, "n", "k", "v"),
        FenceBrokerRecord(1, 3),
    )
    assert delta.changed_topics == {A: {1}, B: {0}}
    assert delta.deleted_topics == {}
    assert delta.changed_configs == {(TOPIC, "n")}
    assert delta.changed_brokers == {1}
    _, gone = replay(before, PartitionChangeRecord(1, A, leader=2), RemoveTopicRecord(A))
    assert gone.changed_topics == {}
    assert gone.deleted_topics == {A: before.topics["a"]}
    assert gone.changed_configs == {(TOPIC, "a")}


def test_a_name_may_be_used_again_in_one_delta() -> None:
    before, _ = replay(EMPTY, *EVERYTHING)
    after, delta = replay(before, RemoveTopicRecord(A), TopicRecord("a", B), PartitionRecord(0, B, [1], [1]))
    assert after.topics["a"].id == B
    assert set(after.topics_by_id) == {B}
    assert set(delta.deleted_topics) == {A}


def test_the_delta_from_nothing_names_everything() -> None:
    image, _ = replay(EMPTY, *EVERYTHING)
    delta = MetadataDelta.from_nothing(image)
    assert delta.changed_topics == {A: {0, 1}}
    assert delta.changed_brokers == {1, 2}
    assert delta.changed_configs == set(image.configs)
    assert not delta.is_empty


def test_partitions_share_what_they_have_in_common() -> None:
    records = [PartitionRecord(n, A, [1, 2], [1, 2], leader=1, directories=[A, B]) for n in range(2)]
    image, _ = replay(EMPTY, TopicRecord("a", A), *records)
    first, second = image.topics["a"].partitions.values()
    assert first.replicas is second.replicas is first.isr
    assert first.directories is second.directories


def test_partitions_stand_in_order() -> None:
    image, _ = replay(
        EMPTY, TopicRecord("a", A), *(PartitionRecord(index, A, [1], [1]) for index in (2, 0, 11, 1))
    )
    assert list(image.topics["a"].partitions) == [0, 1, 2, 11]


def test_partitions_without_directories_are_migrating() -> None:
    image, _ = replay(EMPTY, TopicRecord("a", A), PartitionRecord(0, A, [1, 2], [1]))
    assert image.topics["a"].partitions[0].directories == (MIGRATING_DIRECTORY, MIGRATING_DIRECTORY)


@pytest.mark.parametrize(
    "record",
    [
        PartitionRecord(0, C, [1], [1]),
        PartitionChangeRecord(0, C, leader=1),
        PartitionChangeRecord(9, A, leader=1),
        RemoveTopicRecord(C),
        ClearElrRecord("nobody"),
        FenceBrokerRecord(9, 1),
        UnfenceBrokerRecord(1, 99),
        UnregisterBrokerRecord(1, 99),
        BrokerRegistrationChangeRecord(9, 1, 1),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_record_that_contradicts_the_past_is_refused(record: Any) -> None:
    image, _ = replay(EMPTY, *EVERYTHING)
    with pytest.raises(CorruptMetadata):
        replay(image, record)
