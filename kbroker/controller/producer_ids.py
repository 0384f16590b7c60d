"""Producer ids in blocks of 1,000; a block is never handed out twice.

Kafka: `ProducerIdControlManager`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.controller.result import ControllerResult
from kbroker.controller.state import ClusterState
from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.protocol.errors import STALE_BROKER_EPOCH, UNKNOWN_SERVER_ERROR, KafkaError
from kbroker.protocol.generated.allocate_producer_ids_response import AllocateProducerIdsResponse
from kbroker.protocol.generated.producer_ids_record import ProducerIdsRecord

if TYPE_CHECKING:
    from kbroker.protocol.generated.allocate_producer_ids_request import AllocateProducerIdsRequest

BLOCK_SIZE = 1_000

_MAX_PRODUCER_ID = 2**63 - 1


def allocate_producer_ids(
    state: ClusterState, request: AllocateProducerIdsRequest
) -> ControllerResult[AllocateProducerIdsResponse]:
    """The next block, for one incarnation of one broker. Raises KafkaError."""
    broker = state.image.brokers.get(request.broker_id)
    if broker is None or broker.epoch != request.broker_epoch:
        raise KafkaError(STALE_BROKER_EPOCH)
    start = max(state.image.next_producer_id, 0)
    if start > _MAX_PRODUCER_ID - BLOCK_SIZE:
        why = "Exhausted all producerIds as the next block's end has overflowed"
        raise KafkaError(UNKNOWN_SERVER_ERROR, why)
    record = ProducerIdsRecord(request.broker_id, request.broker_epoch, start + BLOCK_SIZE)
    response = AllocateProducerIdsResponse(producer_id_start=start, producer_id_len=BLOCK_SIZE)
    return ControllerResult([ApiMessageAndVersion(record)], response)
