"""FindCoordinator (10): which broker coordinates a group.

Unlike Kafka, which creates the topic in the background and lets the client
ask again, this answers once the coordinator can be used.

Transactions do not exist yet: a transactional id is refused with an error
after which no client asks again.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from kbroker.handlers.auto_create import ensure_topics
from kbroker.handlers.context import Pending
from kbroker.handlers.gather import gather
from kbroker.handlers.produce import TRANSACTIONS_UNSUPPORTED_MESSAGE
from kbroker.metadata.topic_names import GROUP_METADATA_TOPIC
from kbroker.protocol import errors
from kbroker.protocol.generated.find_coordinator_response import Coordinator, FindCoordinatorResponse

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext
    from kbroker.protocol.generated.find_coordinator_request import FindCoordinatorRequest

_log = logging.getLogger(__name__)

API_KEY = 10
VERSIONS = (0, 6)

_FIRST_VERSION_WITH_MANY_KEYS = 4
_GROUP = 0
_TRANSACTION = 1
# After that the client is told, and gets COORDINATOR_LOAD_IN_PROGRESS from the coordinator itself.
_LOADING_PATIENCE_MS = 5_000

# Unlike UNSUPPORTED_VERSION this one ends librdkafka's search, too.
_TRANSACTIONS_REFUSED = errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def handle(
    request: FindCoordinatorRequest, context: RequestContext
) -> FindCoordinatorResponse | Pending[FindCoordinatorResponse]:
    many = context.api_version >= _FIRST_VERSION_WITH_MANY_KEYS
    keys = request.coordinator_keys if many else [request.key]
    fit = _as_many if many else _as_single
    if request.key_type != _GROUP:
        return fit([_no_such_type(key, request.key_type) for key in keys])
    if GROUP_METADATA_TOPIC in context.services.metadata.image.topics:
        found = _find(keys, context)
        return found.then(fit) if isinstance(found, Pending) else fit(found)

    answer: Pending[FindCoordinatorResponse] = Pending()

    def created(outcome: dict[str, int]) -> None:
        if outcome[GROUP_METADATA_TOPIC]:
            why = f"{GROUP_METADATA_TOPIC}: {errors.message_of(outcome[GROUP_METADATA_TOPIC])}"
            answer.complete(fit([_error(key, errors.COORDINATOR_NOT_AVAILABLE, why) for key in keys]))
            return
        found = _find(keys, context)
        if isinstance(found, Pending):
            found.on_done(lambda coordinators: answer.complete(fit(coordinators)))
        else:
            answer.complete(fit(found))

    ensure_topics([GROUP_METADATA_TOPIC], context.services).on_done(created)
    return answer


def _find(keys: list[str], context: RequestContext) -> list[Coordinator] | Pending[list[Coordinator]]:
    return gather([_find_one(key, context) for key in keys])


def _find_one(key: str, context: RequestContext) -> Coordinator | Pending[Coordinator]:
    groups = context.services.groups
    index = groups.partition_for(key)
    loading = groups.when_loaded(index, _LOADING_PATIENCE_MS)
    coordinator = _leader_of(index, key, context)
    return coordinator if loading is None else loading.then(lambda _: coordinator)


def _leader_of(index: int, key: str, context: RequestContext) -> Coordinator:
    image = context.services.metadata.image
    partition = image.topics[GROUP_METADATA_TOPIC].partitions.get(index)
    leader = None if partition is None else image.brokers.get(partition.leader)
    endpoint = None if leader is None or leader.fenced else context.endpoint_of(leader)
    if leader is None or endpoint is None:
        return _error(key, errors.COORDINATOR_NOT_AVAILABLE)
    return Coordinator(key, leader.id, *endpoint, errors.NONE)


def _no_such_type(key: str, key_type: int) -> Coordinator:
    if key_type == _TRANSACTION:
        _log_transactions_refused()
        return _error(key, _TRANSACTIONS_REFUSED, TRANSACTIONS_UNSUPPORTED_MESSAGE)
    return _error(key, errors.INVALID_REQUEST, f"no coordinator of type {key_type} here")


@cache
def _log_transactions_refused() -> None:
    """Once, since Java does not show its user the message."""
    _log.warning("A client asked for a transaction coordinator: %s", TRANSACTIONS_UNSUPPORTED_MESSAGE)


def _error(key: str, code: int, message: str | None = None) -> Coordinator:
    return Coordinator(key, -1, "", -1, code, message or errors.message_of(code))


def _as_many(coordinators: list[Coordinator]) -> FindCoordinatorResponse:
    return FindCoordinatorResponse(coordinators=coordinators)


def _as_single(coordinators: list[Coordinator]) -> FindCoordinatorResponse:
    (only,) = coordinators
    return FindCoordinatorResponse(
        error_code=only.error_code,
        error_message=only.error_message or errors.name_of(only.error_code),
        node_id=only.node_id,
        host=only.host,
        port=only.port,
    )
