"""InitProducerId (22): a producer id for an idempotent producer.

Transactions do not exist yet: a transactional id is refused with an error
after which no client tries again. Kafka: `TransactionCoordinator.
handleInitProducerId` without a transactional id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.handlers.context import Pending
from kbroker.handlers.produce import TRANSACTIONS_UNSUPPORTED
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.init_producer_id_response import InitProducerIdResponse

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.init_producer_id_request import InitProducerIdRequest

API_KEY = 22
# v6 (two-phase commit) is unstable in Kafka 4.3 and refused there as well.
VERSIONS = (0, 5)

_NO_PRODUCER_ID = -1
_NO_EPOCH = -1


def handle(
    request: InitProducerIdRequest, context: RequestContext
) -> InitProducerIdResponse | Pending[InitProducerIdResponse]:
    if (request.producer_id == _NO_PRODUCER_ID) != (request.producer_epoch == _NO_EPOCH):
        return _refused(errors.INVALID_REQUEST)
    if request.transactional_id == "":
        return _refused(errors.INVALID_REQUEST)
    if request.transactional_id is not None:
        return _refused(TRANSACTIONS_UNSUPPORTED)
    try:
        producer_id = context.services.producer_ids.next()
    except KafkaError:
        # No disk for another block: clients take this for a reason to try again.
        return _refused(errors.COORDINATOR_LOAD_IN_PROGRESS)
    return producer_id.then(_granted) if isinstance(producer_id, Pending) else _granted(producer_id)


def _granted(producer_id: int) -> InitProducerIdResponse:
    return InitProducerIdResponse(0, errors.NONE, producer_id, 0)


def _refused(code: int) -> InitProducerIdResponse:
    return InitProducerIdResponse(0, code, _NO_PRODUCER_ID, _NO_EPOCH)
