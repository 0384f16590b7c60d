"""Control records: transaction markers and those of the quorum.

Key = int16 version, int16 type. Value = int16 schema version, body. They take
an offset each and no consumer shows them. Kafka: `ControlRecordType`.
"""

from struct import Struct, error

from kbroker.records.batch import CONTROL_FLAG, NO_LEADER_EPOCH, TRANSACTIONAL_FLAG, build_batch
from kbroker.records.record import Record, corrupt

ABORT = 0
COMMIT = 1
LEADER_CHANGE = 2
SNAPSHOT_HEADER = 3
SNAPSHOT_FOOTER = 4
KRAFT_VERSION = 5
KRAFT_VOTERS = 6

_KEY = Struct(">hh")
_END_TXN = Struct(">hi")


def control_key(control_type: int) -> bytes:
    return _KEY.pack(0, control_type)


def control_type_of(record: Record) -> int:
    """The type in a control record's key; types of the future are passed through."""
    key = record.key
    if key is None or len(key) < _KEY.size:
        raise corrupt("a control record needs a key of four bytes")
    control_type: int = _KEY.unpack_from(key)[1]
    return control_type


def end_txn_coordinator_epoch(record: Record) -> int:
    """The coordinator epoch in an EndTxnMarker's value."""
    try:
        coordinator_epoch: int = _END_TXN.unpack_from(record.value or b"")[1]
    except error:
        raise corrupt("an end-of-transaction marker needs six bytes") from None
    return coordinator_epoch


def build_control_batch(
    control_type: int,
    value: bytes,
    *,
    timestamp_ms: int,
    base_offset: int = 0,
    leader_epoch: int = NO_LEADER_EPOCH,
) -> bytearray:
    """A batch of one control record; `value` begins with its int16 version."""
    return build_batch(
        [Record(key=control_key(control_type), value=value)],
        base_timestamp=timestamp_ms,
        base_offset=base_offset,
        leader_epoch=leader_epoch,
        attributes=CONTROL_FLAG,
    )


def build_end_txn_marker(
    *,
    commit: bool,
    producer_id: int,
    producer_epoch: int,
    coordinator_epoch: int,
    timestamp_ms: int,
    leader_epoch: int = NO_LEADER_EPOCH,
) -> bytearray:
    """The marker that ends one producer's transaction in one partition."""
    return build_batch(
        [Record(key=control_key(COMMIT if commit else ABORT), value=_END_TXN.pack(0, coordinator_epoch))],
        base_timestamp=timestamp_ms,
        leader_epoch=leader_epoch,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        attributes=CONTROL_FLAG | TRANSACTIONAL_FLAG,
    )
