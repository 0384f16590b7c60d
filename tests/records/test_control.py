"""Control batches: their bytes and what is read out of them."""

import pytest

from kbroker.protocol.errors import KafkaError
from kbroker.records.batch import HEADER_SIZE, batch_crc_ok, read_batch_header
from kbroker.records.control import (
    ABORT,
    COMMIT,
    LEADER_CHANGE,
    build_control_batch,
    build_end_txn_marker,
    control_key,
    control_type_of,
    end_txn_coordinator_epoch,
)
from kbroker.records.record import Record, walk_records


@pytest.mark.parametrize(("commit", "control_type"), [(True, COMMIT), (False, ABORT)])
def test_a_transaction_marker(commit: bool, control_type: int) -> None:
    batch = memoryview(
        build_end_txn_marker(
            commit=commit,
            producer_id=5,
            producer_epoch=2,
            coordinator_epoch=33,
            timestamp_ms=9,
            leader_epoch=1,
        )
    )
    # As Apache Kafka writes it.
    assert len(batch) == 78
    assert batch_crc_ok(batch)
    header = read_batch_header(batch)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (5, 2, -1)
    assert header.is_control
    assert header.is_transactional
    (record,) = walk_records(batch[HEADER_SIZE:], header.record_count)
    assert control_type_of(record) == control_type
    assert end_txn_coordinator_epoch(record) == 33
    assert record.value is not None
    assert len(record.value) == 6


def test_a_quorum_control_batch() -> None:
    batch = memoryview(
        build_control_batch(LEADER_CHANGE, b"\x00\x00body", timestamp_ms=9, base_offset=3, leader_epoch=1)
    )
    header = read_batch_header(batch)
    assert header.is_control
    assert not header.is_transactional
    (record,) = walk_records(batch[HEADER_SIZE:], 1)
    assert control_type_of(record) == LEADER_CHANGE


@pytest.mark.parametrize("record", [Record(), Record(key=b"\x00\x00\x00"), Record(key=b"")])
def test_short_keys_are_refused(record: Record) -> None:
    with pytest.raises(KafkaError):
        control_type_of(record)


def test_short_marker_values_are_refused() -> None:
    with pytest.raises(KafkaError):
        end_txn_coordinator_epoch(Record(key=control_key(COMMIT), value=b"\x00\x00"))
    with pytest.raises(KafkaError):
        end_txn_coordinator_epoch(Record(key=control_key(COMMIT)))
