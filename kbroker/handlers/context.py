"""All that a handler may reach: the request's facts and the services.

Services that wait live at the edge, so they appear here as protocols: the
edge implements them, handlers and machines only see their shape.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from kbroker.config import Config
    from kbroker.controller.controller import Controller
    from kbroker.controller.result import ControllerResult
    from kbroker.environment import Environment
    from kbroker.metadata.image import BrokerImage, MetadataImage
    from kbroker.protocol.generated.delete_groups_request import DeleteGroupsRequest
    from kbroker.protocol.generated.delete_groups_response import DeleteGroupsResponse
    from kbroker.protocol.generated.describe_groups_request import DescribeGroupsRequest
    from kbroker.protocol.generated.describe_groups_response import DescribeGroupsResponse
    from kbroker.protocol.generated.describe_quorum_request import DescribeQuorumRequest
    from kbroker.protocol.generated.describe_quorum_response import DescribeQuorumResponse
    from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
    from kbroker.protocol.generated.heartbeat_response import HeartbeatResponse
    from kbroker.protocol.generated.join_group_request import JoinGroupRequest
    from kbroker.protocol.generated.join_group_response import JoinGroupResponse
    from kbroker.protocol.generated.leave_group_request import LeaveGroupRequest
    from kbroker.protocol.generated.leave_group_response import LeaveGroupResponse
    from kbroker.protocol.generated.list_groups_request import ListGroupsRequest
    from kbroker.protocol.generated.list_groups_response import ListGroupsResponse
    from kbroker.protocol.generated.offset_commit_request import OffsetCommitRequest
    from kbroker.protocol.generated.offset_commit_response import OffsetCommitResponse
    from kbroker.protocol.generated.offset_delete_request import OffsetDeleteRequest
    from kbroker.protocol.generated.offset_delete_response import OffsetDeleteResponse
    from kbroker.protocol.generated.offset_fetch_request import OffsetFetchRequest
    from kbroker.protocol.generated.offset_fetch_response import OffsetFetchResponse
    from kbroker.protocol.generated.sync_group_request import SyncGroupRequest
    from kbroker.protocol.generated.sync_group_response import SyncGroupResponse
    from kbroker.protocol.primitives import Part
    from kbroker.replication.fetch_session import FetchSessionCache
    from kbroker.replication.replica_manager import ReplicaManager

T = TypeVar("T")
U = TypeVar("U")


class Response(Protocol):
    """A generated response message."""

    def write(self, out: list[Part], version: int, /) -> None: ...


class CloseConnection(Exception):
    """The only Kafka answer to this request is to close the connection; says why in one line."""


class Pending(Generic[T]):
    """An answer that is not there yet; completed exactly once.

    `abandoned` is set when nobody waits any more (the connection closed);
    whoever would complete it may then forget it. A value that is an exception
    stands for "no answer": it passes through `then` and closes the connection.
    """

    __slots__ = ("_callbacks", "abandoned", "done", "value")

    def __init__(self) -> None:
        self.done = False
        self.abandoned = False
        self.value: T | None = None
        self._callbacks: list[Callable[[T], None]] = []

    @classmethod
    def completed(cls, value: T) -> Pending[T]:
        pending = cls()
        pending.complete(value)
        return pending

    def complete(self, value: T) -> None:
        assert not self.done
        self.done = True
        self.value = value
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(value)

    def on_done(self, callback: Callable[[T], None]) -> None:
        """Call `callback` with the value: now if it is there, else when it comes."""
        if self.done:
            callback(self.value)  # type: ignore[arg-type]
        else:
            self._callbacks.append(callback)

    def then(self, transform: Callable[[T], U]) -> Pending[U]:
        """A Pending of the transformed value."""
        following: Pending[U] = Pending()

        def pass_on(value: T) -> None:
            outcome: Any = value
            if not isinstance(value, Exception):
                try:
                    outcome = transform(value)
                except Exception as error:
                    outcome = error
            following.complete(outcome)

        self.on_done(pass_on)
        return following


class Timer(Protocol):
    def cancel(self) -> None: ...


class Waiting(Protocol):
    """Everything that waits: one timer heap, and operations woken by key (Kafka: purgatory)."""

    def wait(
        self,
        keys: Iterable[Hashable],
        timeout_ms: int,
        attempt: Callable[[], T | None],
        expire: Callable[[], T],
    ) -> Pending[T]:
        """Complete with `attempt()` once it is not None; tried whenever one of `keys` is woken.

        After `timeout_ms` complete with `expire()`. `attempt` is not tried before the first wake-up:
        the caller has just done so.
        """

    def wake(self, keys: Iterable[Hashable]) -> None:
        """Retry the operations that wait for one of `keys`, in the order they came."""

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> Timer:
        """Run `callback` on the loop after `delay_ms` of the monotonic clock."""


class ControllerChannel(Protocol):
    """The way to the active controller; answers come after commit and publication of the image."""

    def submit(self, operation: Callable[[Controller, int], ControllerResult[T]]) -> Pending[T]:
        """Run `operation(controller, now_ms)`, append its records, commit, publish, then complete.

        The image that contains the records has been applied on this node (logs created,
        leaders serving) before the Pending completes.
        """

    def describe_quorum(self, request: DescribeQuorumRequest) -> DescribeQuorumResponse: ...


class ProducerIds(Protocol):
    def next(self) -> Pending[int] | int:
        """A producer id nobody else has; waits when a new block must come from the controller."""


class MetadataView(Protocol):
    """The committed and published cluster metadata."""

    @property
    def image(self) -> MetadataImage: ...


class GroupCoordinators(Protocol):
    """Group requests in, responses out, for groups whose coordinator is this broker.

    Topics carry both name and id; OffsetFetch has its groups as in the newest version.
    Implemented by `broker.group_coordinators`.
    """

    def join_group(
        self, request: JoinGroupRequest, context: RequestContext
    ) -> JoinGroupResponse | Pending[JoinGroupResponse]: ...

    def sync_group(
        self, request: SyncGroupRequest, context: RequestContext
    ) -> SyncGroupResponse | Pending[SyncGroupResponse]: ...

    def heartbeat(self, request: HeartbeatRequest, context: RequestContext) -> HeartbeatResponse: ...

    def leave_group(
        self, request: LeaveGroupRequest, context: RequestContext
    ) -> LeaveGroupResponse | Pending[LeaveGroupResponse]: ...

    def offset_commit(
        self, request: OffsetCommitRequest, context: RequestContext
    ) -> OffsetCommitResponse | Pending[OffsetCommitResponse]: ...

    def offset_fetch(
        self, request: OffsetFetchRequest, context: RequestContext
    ) -> OffsetFetchResponse | Pending[OffsetFetchResponse]: ...

    def offset_delete(
        self, request: OffsetDeleteRequest, context: RequestContext
    ) -> OffsetDeleteResponse | Pending[OffsetDeleteResponse]: ...

    def list_groups(
        self, request: ListGroupsRequest, context: RequestContext
    ) -> ListGroupsResponse | Pending[ListGroupsResponse]: ...

    def describe_groups(
        self, request: DescribeGroupsRequest, context: RequestContext
    ) -> DescribeGroupsResponse | Pending[DescribeGroupsResponse]: ...

    def delete_groups(
        self, request: DeleteGroupsRequest, context: RequestContext
    ) -> DeleteGroupsResponse | Pending[DeleteGroupsResponse]: ...

    def group_offsets(self) -> Iterable[Any]:
        """Each group with its committed offsets, for metrics."""

    def partition_for(self, group_id: str) -> int:
        """The `__consumer_offsets` partition that coordinates the group."""

    def when_loaded(self, index: int, timeout_ms: int) -> Pending[None] | None:
        """None unless that partition is being loaded here; else completed after it, or after the timeout."""


class Services:
    """What the broker is made of, as handlers see it. Filled once at start by `broker.broker`."""

    __slots__ = (
        "cluster_id",
        "config",
        "controller",
        "environment",
        "fetch_sessions",
        "groups",
        "log_directory_path",
        "metadata",
        "node_id",
        "producer_ids",
        "replicas",
        "waiting",
    )

    node_id: int
    cluster_id: str
    config: Config  # with the dynamic broker configs of the current image applied
    environment: Environment
    metadata: MetadataView
    replicas: ReplicaManager
    controller: ControllerChannel
    groups: GroupCoordinators
    producer_ids: ProducerIds
    fetch_sessions: FetchSessionCache
    waiting: Waiting
    log_directory_path: str


class ConnectionFacts:
    """What is known of a connection from its first byte on."""

    __slots__ = ("advertised", "listener_name", "local", "principal", "remote")

    def __init__(
        self,
        listener_name: str,
        local: tuple[str, int],
        remote: tuple[str, int],
        advertised: tuple[str, int] | None,
    ) -> None:
        self.listener_name = listener_name
        self.local = local
        self.remote = remote
        # None means "auto": tell each client the address by which it reached us.
        self.advertised = advertised
        self.principal = "User:ANONYMOUS"


class RequestContext:
    """One request's header, its connection and the services."""

    __slots__ = ("api_key", "api_version", "client_id", "connection", "correlation_id", "services")

    def __init__(
        self,
        api_key: int,
        api_version: int,
        correlation_id: int,
        client_id: str,
        connection: ConnectionFacts,
        services: Services,
    ) -> None:
        self.api_key = api_key
        self.api_version = api_version
        self.correlation_id = correlation_id
        self.client_id = client_id
        self.connection = connection
        self.services = services

    def endpoint_of(self, broker: BrokerImage) -> tuple[str, int] | None:
        """Host and port of `broker` on the listener of this request; None if it lacks that listener."""
        connection = self.connection
        if broker.id == self.services.node_id:
            return connection.advertised or connection.local
        endpoint = broker.endpoints.get(connection.listener_name)
        return None if endpoint is None else (endpoint[0], endpoint[1])
