"""Replaying a coordinator's log, batch by batch.

Records of a transaction carry their producer's id until its marker comes.
Kafka: `CoordinatorLoaderImpl`.
"""

from __future__ import annotations

from kbroker.coordinator.records import decode
from kbroker.coordinator.shard import CoordinatorShard
from kbroker.records.batch import HEADER_SIZE, BatchHeader
from kbroker.records.compression import decompress
from kbroker.records.control import ABORT, COMMIT, control_type_of
from kbroker.records.record import walk_records

NO_PRODUCER_ID = -1

# Coordinators write batches of at most `max.message.bytes`, so this is far from any honest one.
_MAX_DECOMPRESSED_BYTES = 256 << 20


def replay_batch(shard: CoordinatorShard, header: BatchHeader, batch: memoryview) -> int:
    """Replay one batch whose CRC is known to be right; the number of its records."""
    payload = decompress(header.compression, batch[HEADER_SIZE:], _MAX_DECOMPRESSED_BYTES)
    if header.is_control:
        for record in walk_records(payload, header.record_count):
            control_type = control_type_of(record)
            if control_type in (ABORT, COMMIT):
                shard.replay_end_transaction_marker(header.producer_id, committed=control_type == COMMIT)
        return header.record_count
    producer_id = header.producer_id if header.is_transactional else NO_PRODUCER_ID
    for record in walk_records(payload, header.record_count):
        decoded = decode(record.key, record.value)
        if decoded is not None:
            shard.replay(header.base_offset + record.offset_delta, producer_id, decoded)
    return header.record_count
