"""Brokers register, send heartbeats, are unfenced and given up.

    registered, fenced ──(caught up with its own registration)──▶ unfenced
    unfenced ──(wants to shut down, leads something)──▶ controlled shutdown ──▶ fenced
    unfenced ──(silent for broker.session.timeout.ms)──▶ fenced

A broker epoch is the offset at which its registration was decided. The
controller's own broker is a special case in two ways: that it asks at all
proves, by the lock on its directory, that its former incarnation is dead, so
no session is waited for; and after a clean stop nobody else can have led its
partitions, so they keep their leader and their epoch.

Kafka: `ClusterControlManager`, `BrokerHeartbeatManager`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kbroker.controller.result import ControllerResult
from kbroker.controller.state import BrokerSession, ClusterState
from kbroker.metadata.features import IBP_3_7_IV2, METADATA_VERSION, elr_enabled
from kbroker.metadata.image import NO_LEADER, BrokerImage, Endpoint, PartitionImage
from kbroker.metadata.image_records import register_broker_record
from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.protocol.errors import (
    DUPLICATE_BROKER_REGISTRATION,
    INCONSISTENT_CLUSTER_ID,
    INVALID_REGISTRATION,
    STALE_BROKER_EPOCH,
    UNSUPPORTED_VERSION,
    KafkaError,
)
from kbroker.protocol.generated.broker_heartbeat_response import BrokerHeartbeatResponse
from kbroker.protocol.generated.broker_registration_change_record import BrokerRegistrationChangeRecord
from kbroker.protocol.generated.broker_registration_response import BrokerRegistrationResponse

if TYPE_CHECKING:
    from kbroker.protocol.generated.broker_heartbeat_request import BrokerHeartbeatRequest
    from kbroker.protocol.generated.broker_registration_request import BrokerRegistrationRequest

Records = list[ApiMessageAndVersion]

_FENCE = 1
_UNFENCE = -1
_IN_CONTROLLED_SHUTDOWN = 1


def register_broker(
    state: ClusterState, request: BrokerRegistrationRequest, now_ms: int
) -> ControllerResult[BrokerRegistrationResponse]:
    """A new incarnation, or an amendment by the present one. Raises KafkaError."""
    if request.cluster_id != state.cluster_id:
        raise KafkaError(
            INCONSISTENT_CLUSTER_ID,
            f"Expected cluster ID {state.cluster_id}, but got cluster ID {request.cluster_id}",
        )
    existing = state.image.brokers.get(request.broker_id)
    amends = existing is not None and existing.incarnation_id == request.incarnation_id
    if existing is not None and not amends:
        _refuse_duplicate(state, existing, now_ms)
    _check_directories(state, request)
    features = {f.name: (f.min_supported_version, f.max_supported_version) for f in request.features}
    _check_features(state.image.features, features)

    records: Records = []
    if not amends:
        records += _remove_former_incarnation(state, existing, request)
    broker = BrokerImage(
        id=request.broker_id,
        epoch=existing.epoch if existing is not None and amends else state.next_offset,
        incarnation_id=request.incarnation_id,
        endpoints={e.name: Endpoint(e.host, e.port, e.security_protocol) for e in request.listeners},
        features=features,
        rack=request.rack,
        fenced=existing.fenced if existing is not None and amends else True,
        in_controlled_shutdown=existing.in_controlled_shutdown if existing is not None and amends else False,
        directories=tuple(request.log_dirs),
    )
    # Last, so that a registration without the removal before it can't be.
    records.append(register_broker_record(broker, state.metadata_version))
    state.sessions[broker.id] = BrokerSession(now_ms)
    return ControllerResult(records, BrokerRegistrationResponse(broker_epoch=broker.epoch))


def _refuse_duplicate(state: ClusterState, existing: BrokerImage, now_ms: int) -> None:
    if existing.id != state.node_id and _has_valid_session(state, existing.id, now_ms):
        raise KafkaError(
            DUPLICATE_BROKER_REGISTRATION,
            "Another broker is registered with that broker id. If the broker was recently restarted this "
            "should self-resolve once the heartbeat manager expires the broker's session.",
        )


def _check_directories(state: ClusterState, request: BrokerRegistrationRequest) -> None:
    if state.metadata_version < IBP_3_7_IV2:
        return
    directories = request.log_dirs
    if not directories:
        raise KafkaError(INVALID_REGISTRATION, "No directories specified in request")
    # Ids below 100 are reserved for states (Kafka: DirectoryId.reserved).
    if any(int.from_bytes(directory, "big") < 100 for directory in directories):
        raise KafkaError(INVALID_REGISTRATION, "Reserved directory ID in request")
    if len(set(directories)) != len(directories):
        raise KafkaError(INVALID_REGISTRATION, "Duplicate directory ID in request")
    for other in state.image.brokers.values():
        if other.id != request.broker_id and set(other.directories) & set(directories):
            raise KafkaError(
                INVALID_REGISTRATION, f"Broker {other.id} is already registered with one of the directories"
            )


def _check_features(finalized: Mapping[str, int], offered: Mapping[str, tuple[int, int]]) -> None:
    if METADATA_VERSION not in offered:
        raise KafkaError(INVALID_REGISTRATION, f"Request features do not contain '{METADATA_VERSION}'")
    for name in (*offered, *finalized):
        low, high = offered.get(name, (0, 0))
        level = finalized.get(name, 0)
        if not low <= level <= high:
            raise KafkaError(
                UNSUPPORTED_VERSION,
                f"Unable to register because the broker does not support finalized version {level} of "
                f"{name}. The broker wants a version between {low} and {high}, inclusive.",
            )


def _remove_former_incarnation(
    state: ClusterState, existing: BrokerImage | None, request: BrokerRegistrationRequest
) -> Records:
    broker_id = request.broker_id
    clean = existing is not None and existing.epoch == request.previous_broker_epoch
    if clean and broker_id == state.node_id:
        return []
    if clean or not elr_enabled(state.image):
        return state.change_partitions(_in_isr(broker_id), removed=broker_id)
    return state.change_partitions(
        lambda partition: broker_id in partition.isr or broker_id in partition.elr, unclean=broker_id
    )


def broker_heartbeat(
    state: ClusterState, request: BrokerHeartbeatRequest, now_ms: int
) -> ControllerResult[BrokerHeartbeatResponse]:
    """Keep the broker's session, and move it to the state it may have next. Raises KafkaError."""
    broker = state.image.brokers.get(request.broker_id)
    if broker is None:
        why = f"No broker registration found for broker id {request.broker_id}"
        raise KafkaError(STALE_BROKER_EPOCH, why)
    if broker.epoch != request.broker_epoch:
        raise KafkaError(
            STALE_BROKER_EPOCH,
            f"Expected broker epoch {broker.epoch}, but got broker epoch {request.broker_epoch}",
        )
    session = state.sessions.setdefault(broker.id, BrokerSession(now_ms))
    session.last_contact_ms = now_ms
    session.metadata_offset = request.current_metadata_offset
    caught_up = request.current_metadata_offset >= broker.registration_offset
    response = BrokerHeartbeatResponse(is_caught_up=caught_up, is_fenced=broker.fenced)

    records: Records = []
    if broker.fenced:
        if request.want_shut_down:
            response.should_shut_down = True
        elif not request.want_fence and caught_up:
            records = _unfence(state, broker)
            response.is_fenced = False
    elif request.want_shut_down:
        response.should_shut_down, records = _shut_down(state, broker, session)
        response.is_fenced = response.should_shut_down
    elif request.want_fence:
        records = _fence(state, broker)
        response.is_fenced = True
    return ControllerResult(records, response)


def _unfence(state: ClusterState, broker: BrokerImage) -> Records:
    unfence = BrokerRegistrationChangeRecord(broker.id, broker.epoch, fenced=_UNFENCE)
    leaderless = state.change_partitions(lambda partition: partition.leader == NO_LEADER, added=broker.id)
    return [ApiMessageAndVersion(unfence), *leaderless]


def stop_own_broker(state: ClusterState) -> ControllerResult[None]:
    """Fence the controller's own broker and nothing more: a single node that stops cleanly.

    Its partitions keep their leader, so that the next start has none to elect.
    Apache Kafka started on the directory would wait for the session of an
    unfenced broker to end before it lets itself in.
    """
    broker = state.image.brokers[state.node_id]
    return ControllerResult([_fenced(broker)], None)


def _fenced(broker: BrokerImage) -> ApiMessageAndVersion:
    return ApiMessageAndVersion(BrokerRegistrationChangeRecord(broker.id, broker.epoch, fenced=_FENCE))


def _fence(state: ClusterState, broker: BrokerImage) -> Records:
    return [*state.change_partitions(_in_isr(broker.id), removed=broker.id), _fenced(broker)]


def _shut_down(state: ClusterState, broker: BrokerImage, session: BrokerSession) -> tuple[bool, Records]:
    """Whether the broker may go now, and the records on its way out."""
    leads = any(
        partition.leader == broker.id
        for topic in state.image.topics.values()
        for partition in topic.partitions.values()
    )
    if not leads:
        others = [
            other.metadata_offset
            for broker_id, other in state.sessions.items()
            if broker_id != broker.id and state.is_active(broker_id)
        ]
        until = session.controlled_shutdown_offset
        gone = until is None or all(offset >= until for offset in others)
        return gone, _fence(state, broker) if gone else []
    records = state.change_partitions(_in_isr(broker.id), removed=broker.id)
    if not broker.in_controlled_shutdown:
        change = BrokerRegistrationChangeRecord(
            broker.id, broker.epoch, in_controlled_shutdown=_IN_CONTROLLED_SHUTDOWN
        )
        records.insert(0, ApiMessageAndVersion(change, 1))
    if session.controlled_shutdown_offset is None:
        session.controlled_shutdown_offset = state.next_offset + len(records)
    return False, records


def fence_stale_brokers(state: ClusterState, now_ms: int) -> ControllerResult[None]:
    """Give up one broker whose session ended; the controller's own is alive by being asked."""
    for broker in state.image.brokers.values():
        if broker.fenced or broker.id == state.node_id:
            continue
        # After a start nobody has been heard of yet: everybody gets a whole session.
        state.sessions.setdefault(broker.id, BrokerSession(now_ms))
        if not _has_valid_session(state, broker.id, now_ms):
            return ControllerResult(_fence(state, broker), None)
    return ControllerResult([], None)


def _has_valid_session(state: ClusterState, broker_id: int, now_ms: int) -> bool:
    session = state.sessions.get(broker_id)
    timeout_ms = state.config.int("broker.session.timeout.ms")
    return session is not None and now_ms - session.last_contact_ms < timeout_ms


def _in_isr(broker_id: int) -> Callable[[PartitionImage], bool]:
    return lambda partition: broker_id in partition.isr
