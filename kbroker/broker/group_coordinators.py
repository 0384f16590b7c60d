"""The group coordinator of this broker: requests to shards.

Handlers have checked what concerns topics; here a group id finds its shard,
and every way to fail gets the shape of the API's own response.

Kafka: `GroupCoordinatorService`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kbroker.broker.coordinator_driver import CoordinatorDriver, Shard
from kbroker.coordinator.group.client import Client
from kbroker.coordinator.group.config import GroupCoordinatorConfig
from kbroker.coordinator.group.partitioning import partition_for
from kbroker.coordinator.shard import Result
from kbroker.handlers.context import Pending
from kbroker.handlers.gather import gather
from kbroker.metadata.topic_names import GROUP_METADATA_TOPIC
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.heartbeat_response import HeartbeatResponse

if TYPE_CHECKING:
    from kbroker.config import Config
    from kbroker.coordinator.group.group_coordinator import GroupCoordinator
    from kbroker.handlers.context import RequestContext, Services
    from kbroker.metadata.delta import MetadataDelta
    from kbroker.metadata.image import MetadataImage
    from kbroker.protocol.generated.delete_groups_request import DeleteGroupsRequest
    from kbroker.protocol.generated.delete_groups_response import DeletableGroupResult, DeleteGroupsResponse
    from kbroker.protocol.generated.describe_groups_request import DescribeGroupsRequest
    from kbroker.protocol.generated.describe_groups_response import DescribedGroup, DescribeGroupsResponse
    from kbroker.protocol.generated.heartbeat_request import HeartbeatRequest
    from kbroker.protocol.generated.join_group_request import JoinGroupRequest
    from kbroker.protocol.generated.join_group_response import JoinGroupResponse
    from kbroker.protocol.generated.leave_group_request import LeaveGroupRequest
    from kbroker.protocol.generated.leave_group_response import LeaveGroupResponse
    from kbroker.protocol.generated.list_groups_request import ListGroupsRequest
    from kbroker.protocol.generated.list_groups_response import ListedGroup, ListGroupsResponse
    from kbroker.protocol.generated.offset_commit_request import OffsetCommitRequest
    from kbroker.protocol.generated.offset_commit_response import OffsetCommitResponse
    from kbroker.protocol.generated.offset_delete_request import OffsetDeleteRequest
    from kbroker.protocol.generated.offset_delete_response import OffsetDeleteResponse
    from kbroker.protocol.generated.offset_fetch_request import OffsetFetchRequest, OffsetFetchRequestGroup
    from kbroker.protocol.generated.offset_fetch_response import OffsetFetchResponse, OffsetFetchResponseGroup
    from kbroker.protocol.generated.sync_group_request import SyncGroupRequest
    from kbroker.protocol.generated.sync_group_response import SyncGroupResponse

R = TypeVar("R")

# Group ids are hashed with every heartbeat; they may be long, so few are remembered.
_partition_for = lru_cache(maxsize=1024)(partition_for)


class GroupOffsets(NamedTuple):
    """One group, for metrics."""

    group_id: str
    member_count: int
    offsets: Mapping[tuple[str, int], int]


class GroupCoordinators:
    """Implements `context.GroupCoordinators`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._config = _coordinator_config(services.config)
        self.driver: CoordinatorDriver[GroupCoordinator] = CoordinatorDriver(
            GROUP_METADATA_TOPIC, services, self._make_shard
        )

    def _make_shard(self) -> GroupCoordinator:
        # A broker that coordinates no group starts without this.
        from kbroker.coordinator.group.group_coordinator import GroupCoordinator

        return GroupCoordinator(self._config, self._services.environment.random)

    # ── the metadata log ─────────────────────────────────────────────────────

    def start(self, image: MetadataImage) -> None:
        """Load what this broker leads in its first image."""
        self.driver.apply(image, None)

    def apply(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Follow the metadata log by one step, after the replicas have."""
        self.driver.apply(image, delta)
        deleted = [(topic.name, topic_id) for topic_id, topic in delta.deleted_topics.items()]
        if deleted:
            for shard in self.driver.loaded_shards():
                self.driver.write(shard, lambda machine, _: machine.delete_topics(deleted), _nothing)

    def close(self) -> None:
        self.driver.close()

    def partition_for(self, group_id: str) -> int:
        topic = self._services.metadata.image.topics.get(GROUP_METADATA_TOPIC)
        if topic is None:
            return _partition_for(group_id, self._services.config.int("offsets.topic.num.partitions"))
        return _partition_for(group_id, len(topic.partitions))

    def when_loaded(self, index: int, timeout_ms: int) -> Pending[None] | None:
        """None unless the shard is being loaded here; then completed after it, or after the timeout."""
        if not self.driver.is_loading(index):
            return None
        loaded = self._services.waiting.wait(
            [self.driver.loaded_key(index)],
            timeout_ms,
            lambda: None if self.driver.is_loading(index) else True,
            lambda: False,
        )
        return loaded.then(lambda _: None)

    def _shard(self, group_id: str) -> Shard[GroupCoordinator]:
        return self.driver.shard(self.partition_for(group_id))

    # ── members ──────────────────────────────────────────────────────────────

    def join_group(
        self, request: JoinGroupRequest, context: RequestContext
    ) -> JoinGroupResponse | Pending[JoinGroupResponse]:
        from kbroker.protocol.generated.join_group_response import JoinGroupResponse

        config = self._config
        if request.group_id == "":
            return JoinGroupResponse(error_code=errors.INVALID_GROUP_ID, member_id=request.member_id)
        if not config.min_session_timeout_ms <= request.session_timeout_ms <= config.max_session_timeout_ms:
            return JoinGroupResponse(error_code=errors.INVALID_SESSION_TIMEOUT, member_id=request.member_id)
        try:
            shard = self._shard(request.group_id)
        except KafkaError as error:
            return JoinGroupResponse(error_code=error.code)
        host = f"/{context.connection.remote[0]}"
        client = Client(context.client_id, host, context.api_version)
        answer: Pending[JoinGroupResponse] = Pending()
        self.driver.write(shard, lambda machine, now: machine.join(request, client, answer, now), _nothing)
        return answer

    def sync_group(
        self, request: SyncGroupRequest, context: RequestContext
    ) -> SyncGroupResponse | Pending[SyncGroupResponse]:
        from kbroker.protocol.generated.sync_group_response import SyncGroupResponse

        if request.group_id == "":
            return SyncGroupResponse(error_code=errors.INVALID_GROUP_ID)
        try:
            shard = self._shard(request.group_id)
        except KafkaError as error:
            return SyncGroupResponse(error_code=error.code)
        answer: Pending[SyncGroupResponse] = Pending()
        self.driver.write(shard, lambda machine, now: machine.sync(request, answer, now), _nothing)
        return answer

    def heartbeat(self, request: HeartbeatRequest, context: RequestContext) -> HeartbeatResponse:
        if request.group_id == "":
            return HeartbeatResponse(error_code=errors.INVALID_GROUP_ID)
        try:
            shard = self._shard(request.group_id)
            return self.driver.touch(shard, lambda machine, now: machine.heartbeat(request, now))
        except KafkaError as error:
            if error.code == errors.COORDINATOR_LOAD_IN_PROGRESS:
                # The member will be there once its group is; no reason to worry it.
                return HeartbeatResponse()
            return HeartbeatResponse(error_code=error.code)

    def leave_group(
        self, request: LeaveGroupRequest, context: RequestContext
    ) -> LeaveGroupResponse | Pending[LeaveGroupResponse]:
        from kbroker.protocol.generated.leave_group_response import LeaveGroupResponse, MemberResponse

        def on_error(code: int) -> LeaveGroupResponse:
            if code != errors.UNKNOWN_MEMBER_ID:
                return LeaveGroupResponse(error_code=code)
            # No such group: an error of each member, not of the request.
            return LeaveGroupResponse(
                members=[
                    MemberResponse(member.member_id, member.group_instance_id, code)
                    for member in request.members
                ]
            )

        if request.group_id == "":
            return on_error(errors.INVALID_GROUP_ID)
        return self._write(
            request.group_id,
            lambda shard: self.driver.write(
                shard, lambda machine, now: machine.leave(request.group_id, request.members, now), on_error
            ),
            on_error,
        )

    def _write(
        self,
        group_id: str,
        ask: Callable[[Shard[GroupCoordinator]], R | Pending[R]],
        on_error: Callable[[int], R],
    ) -> R | Pending[R]:
        try:
            shard = self._shard(group_id)
        except KafkaError as error:
            return on_error(error.code)
        return ask(shard)

    # ── offsets ──────────────────────────────────────────────────────────────

    def offset_commit(
        self, request: OffsetCommitRequest, context: RequestContext
    ) -> OffsetCommitResponse | Pending[OffsetCommitResponse]:
        """The handler has made sure that the topics exist and carry both name and id."""
        from kbroker.protocol.generated.offset_commit_response import (
            OffsetCommitResponse,
            OffsetCommitResponsePartition,
            OffsetCommitResponseTopic,
        )

        def on_error(code: int) -> OffsetCommitResponse:
            return OffsetCommitResponse(
                topics=[
                    OffsetCommitResponseTopic(
                        topic.name,
                        topic.topic_id,
                        [
                            OffsetCommitResponsePartition(partition.partition_index, code)
                            for partition in topic.partitions
                        ],
                    )
                    for topic in request.topics
                ]
            )

        version = context.api_version
        return self._write(
            request.group_id,
            lambda shard: self.driver.write(
                shard, lambda machine, now: machine.commit_offsets(request, version, now), on_error
            ),
            on_error,
        )

    def offset_fetch(
        self, request: OffsetFetchRequest, context: RequestContext
    ) -> OffsetFetchResponse | Pending[OffsetFetchResponse]:
        """`request.groups` holds the groups in every version, and so does the response."""
        from kbroker.protocol.generated.offset_fetch_response import OffsetFetchResponse

        groups = gather([self._fetch_group(group, request.require_stable) for group in request.groups])
        if isinstance(groups, Pending):
            return groups.then(lambda answers: OffsetFetchResponse(groups=answers))
        return OffsetFetchResponse(groups=groups)

    def _fetch_group(
        self, request: OffsetFetchRequestGroup, require_stable: bool
    ) -> OffsetFetchResponseGroup | Pending[OffsetFetchResponseGroup]:
        from kbroker.protocol.generated.offset_fetch_response import OffsetFetchResponseGroup

        def on_error(code: int) -> OffsetFetchResponseGroup:
            return OffsetFetchResponseGroup(request.group_id, error_code=code)

        return self._write(
            request.group_id,
            lambda shard: self.driver.read(
                shard, lambda machine: machine.fetch_offsets(request, require_stable=require_stable), on_error
            ),
            on_error,
        )

    def offset_delete(
        self, request: OffsetDeleteRequest, context: RequestContext
    ) -> OffsetDeleteResponse | Pending[OffsetDeleteResponse]:
        from kbroker.protocol.generated.offset_delete_response import OffsetDeleteResponse

        def on_error(code: int) -> OffsetDeleteResponse:
            return OffsetDeleteResponse(error_code=code)

        if request.group_id == "":
            return on_error(errors.INVALID_GROUP_ID)
        return self._write(
            request.group_id,
            lambda shard: self.driver.write(
                shard, lambda machine, _: machine.delete_offsets(request), on_error
            ),
            on_error,
        )

    # ── groups ───────────────────────────────────────────────────────────────

    def list_groups(
        self, request: ListGroupsRequest, context: RequestContext
    ) -> ListGroupsResponse | Pending[ListGroupsResponse]:
        from kbroker.coordinator.group.descriptions import list_group
        from kbroker.protocol.generated.list_groups_response import ListGroupsResponse

        # Java trims the filters of states but not those of types.
        states = {state.strip().lower() for state in request.states_filter}
        types = {group_type.lower() for group_type in request.types_filter}

        def matching(machine: GroupCoordinator) -> list[ListedGroup]:
            listed = map(list_group, machine.groups.values())
            return [
                group
                for group in listed
                if (not states or group.group_state.lower() in states)
                and (not types or group.group_type in types)
            ]

        def to_response(parts: list[list[ListedGroup]]) -> ListGroupsResponse:
            return ListGroupsResponse(groups=[group for part in parts for group in part])

        try:
            shards = list(self.driver.active_shards())
        except KafkaError as error:
            return ListGroupsResponse(error_code=error.code)
        # A shard that was lost while its answer waited lists nothing.
        parts = gather([self.driver.read(shard, matching, lambda _: []) for shard in shards])
        return parts.then(to_response) if isinstance(parts, Pending) else to_response(parts)

    def describe_groups(
        self, request: DescribeGroupsRequest, context: RequestContext
    ) -> DescribeGroupsResponse | Pending[DescribeGroupsResponse]:
        from kbroker.protocol.generated.describe_groups_response import DescribeGroupsResponse

        # Each once: a small request that repeats a large group must not become a huge answer.
        group_ids = dict.fromkeys(request.groups)
        described = gather([self._describe(group_id, context.api_version) for group_id in group_ids])
        if isinstance(described, Pending):
            return described.then(lambda groups: DescribeGroupsResponse(groups=groups))
        return DescribeGroupsResponse(groups=described)

    def _describe(self, group_id: str, api_version: int) -> DescribedGroup | Pending[DescribedGroup]:
        from kbroker.coordinator.group.descriptions import describe_group, describe_missing_group
        from kbroker.protocol.generated.describe_groups_response import DescribedGroup

        def describe(machine: GroupCoordinator) -> DescribedGroup:
            group = machine.classic_group(group_id)
            return describe_missing_group(group_id, api_version) if group is None else describe_group(group)

        def on_error(code: int) -> DescribedGroup:
            return DescribedGroup(error_code=code, group_id=group_id)

        return self._write(group_id, lambda shard: self.driver.read(shard, describe, on_error), on_error)

    def delete_groups(
        self, request: DeleteGroupsRequest, context: RequestContext
    ) -> DeleteGroupsResponse | Pending[DeleteGroupsResponse]:
        from kbroker.protocol.generated.delete_groups_response import DeleteGroupsResponse

        group_ids = dict.fromkeys(request.groups_names)
        results = gather([self._delete(group_id) for group_id in group_ids])
        if isinstance(results, Pending):
            return results.then(lambda deleted: DeleteGroupsResponse(results=deleted))
        return DeleteGroupsResponse(results=results)

    def group_offsets(self) -> Iterator[GroupOffsets]:
        """Every group coordinated here, with what it has committed."""
        for shard in self.driver.loaded_shards():
            committed = shard.machine.offsets.store.committed.by_group
            for group_id, group in shard.machine.groups.items():
                offsets = {
                    (topic, index): offset.offset
                    for topic, partitions in committed.get(group_id, {}).items()
                    for index, offset in partitions.items()
                }
                yield GroupOffsets(group_id, group.member_count, offsets)

    def _delete(self, group_id: str) -> DeletableGroupResult | Pending[DeletableGroupResult]:
        from kbroker.protocol.generated.delete_groups_response import DeletableGroupResult

        def on_error(code: int) -> DeletableGroupResult:
            return DeletableGroupResult(group_id, code)

        def delete(machine: GroupCoordinator) -> Result[DeletableGroupResult]:
            return Result(DeletableGroupResult(group_id), machine.delete_group(group_id).records)

        return self._write(
            group_id,
            lambda shard: self.driver.write(shard, lambda machine, _: delete(machine), on_error),
            on_error,
        )


def _coordinator_config(config: Config) -> GroupCoordinatorConfig:
    return GroupCoordinatorConfig(
        min_session_timeout_ms=config.int("group.min.session.timeout.ms"),
        max_session_timeout_ms=config.int("group.max.session.timeout.ms"),
        max_size=config.int("group.max.size"),
        initial_rebalance_delay_ms=config.int("group.initial.rebalance.delay.ms"),
        consumer_session_timeout_ms=config.int("group.consumer.session.timeout.ms"),
        offset_metadata_max_bytes=config.int("offset.metadata.max.bytes"),
        offsets_retention_ms=config.int("offsets.retention.minutes") * 60_000,
        offsets_retention_check_interval_ms=config.int("offsets.retention.check.interval.ms"),
    )


def _nothing(code: int) -> None:
    """JoinGroup and SyncGroup are answered by replies, also when an append fails."""
