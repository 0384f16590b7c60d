"""Logs and snapshots of Apache Kafka, read and said again."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kbroker.metadata.features import finalized_features, registered_features, unsupported_level
from kbroker.metadata.image import BROKER, TOPIC
from kbroker.metadata.image_records import image_records
from kbroker.metadata.records import ApiMessageAndVersion, decode_record, encode_record
from kbroker.metadata.snapshot import SnapshotId, read_checkpoint
from kbroker.protocol.generated.register_broker_record import RegisterBrokerRecord
from kbroker.records.control import KRAFT_VERSION, KRAFT_VOTERS
from tests.metadata.kafka_logs import KAFKA, batches, replayed

_LOGS = ("static", "standalone", "snapshots")


@pytest.mark.parametrize("name", _LOGS)
def test_every_record_is_written_as_kafka_wrote_it(name: str) -> None:
    seen = 0
    for header, values in batches(name):
        for value in values:
            if not header.is_control:
                assert encode_record(decode_record(value)) == value
                seen += 1
    assert seen > 10


def test_a_log_killed_and_restarted_makes_the_image_kafka_had() -> None:
    image = replayed("static").image
    assert image.offset == 44
    assert image.epoch == 2
    assert set(image.topics) == {"plain", "compacted"}
    assert list(image.topics["plain"].partitions) == [0, 1]
    partition = image.topics["compacted"].partitions[0]
    assert (partition.leader, partition.isr, partition.elr, partition.last_known_elr) == (-1, (), (1,), (1,))
    assert (partition.leader_epoch, partition.partition_epoch) == (3, 4)
    assert image.brokers[1].fenced
    assert image.brokers[1].epoch == 31
    assert image.brokers[1].registration_offset == 34
    assert image.configs[TOPIC, "compacted"] == {"cleanup.policy": "compact"}
    assert image.configs[BROKER, ""] == {"min.insync.replicas": "1"}
    assert image.client_quotas == {(("client-id", "c"),): {"producer_byte_rate": 1000.0}}
    assert image.scram_credentials["alice", 1].iterations == 4096
    assert 1 in image.controllers


def test_levels_that_do_not_work_here_are_kept_and_not_shown() -> None:
    image = replayed("static").image
    assert image.features == {
        "metadata.version": 30,
        "eligible.leader.replicas.version": 1,
        "group.version": 1,
        "share.version": 1,
        "streams.version": 1,
        "transaction.version": 2,
    }
    assert finalized_features(image) == {"metadata.version": 30}
    assert unsupported_level(image) is None
    for name, (low, high) in registered_features().items():
        assert low <= image.features.get(name, 0) <= high


@pytest.mark.parametrize("end_offset", [44, 93])
def test_a_snapshot_of_kafka_is_the_log_before_it(end_offset: int) -> None:
    snapshot_id = SnapshotId(end_offset, 1)
    snapshot = read_checkpoint((KAFKA / "snapshots" / snapshot_id.file_name).read_bytes())
    ours = replayed("snapshots", end_offset).image
    theirs = snapshot.image(snapshot_id)
    # A snapshot can't say where a broker's registration once stood.
    brokers = {id_: one._replace(registration_offset=end_offset - 1) for id_, one in ours.brokers.items()}
    assert theirs == ours._replace(brokers=brokers)
    assert _as_bytes(image_records(ours)) == _as_bytes(snapshot.records)


def _as_bytes(records: Iterable[ApiMessageAndVersion]) -> list[bytes]:
    """Sorted, since Kafka writes out of hash maps."""
    encoded = []
    for record in records:
        if isinstance(record.message, RegisterBrokerRecord):
            record.message.features.sort(key=lambda feature: feature.name)
        encoded.append(encode_record(record))
    return sorted(encoded)


def test_the_formatting_tools_files_are_read() -> None:
    bootstrap = read_checkpoint((KAFKA / "static" / "bootstrap.checkpoint").read_bytes())
    assert len(bootstrap.records) == 6
    assert bootstrap.quorum == []
    first = SnapshotId(0, 0)
    dynamic = read_checkpoint((KAFKA / "standalone" / first.file_name).read_bytes())
    assert dynamic.records == []
    assert [control.type for control in dynamic.quorum] == [KRAFT_VERSION, KRAFT_VOTERS]
