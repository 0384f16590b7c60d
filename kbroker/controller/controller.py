"""The controller as one object: operations in, records and responses out.

    operation   reads the state, returns ControllerResult, changes nothing
    replay      the only way the state changes; also for records of the past

Operations that no start needs are imported with their first use.

One operation at a time: each sees the records of all before it, committed or
not. Kafka: `QuorumController`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kbroker.controller import activation, brokers
from kbroker.controller.result import ControllerResult
from kbroker.controller.state import ClusterState
from kbroker.metadata.image import MetadataImage
from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.metadata.replay import Publication, Replay

if TYPE_CHECKING:
    from kbroker.config import Config
    from kbroker.environment import Random
    from kbroker.protocol.generated.allocate_producer_ids_request import AllocateProducerIdsRequest
    from kbroker.protocol.generated.allocate_producer_ids_response import AllocateProducerIdsResponse
    from kbroker.protocol.generated.alter_configs_request import AlterConfigsRequest
    from kbroker.protocol.generated.alter_configs_response import AlterConfigsResponse
    from kbroker.protocol.generated.broker_heartbeat_request import BrokerHeartbeatRequest
    from kbroker.protocol.generated.broker_heartbeat_response import BrokerHeartbeatResponse
    from kbroker.protocol.generated.broker_registration_request import BrokerRegistrationRequest
    from kbroker.protocol.generated.broker_registration_response import BrokerRegistrationResponse
    from kbroker.protocol.generated.create_partitions_request import CreatePartitionsRequest
    from kbroker.protocol.generated.create_partitions_response import CreatePartitionsResponse
    from kbroker.protocol.generated.create_topics_request import CreateTopicsRequest
    from kbroker.protocol.generated.create_topics_response import CreateTopicsResponse
    from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest
    from kbroker.protocol.generated.delete_topics_response import DeleteTopicsResponse
    from kbroker.protocol.generated.incremental_alter_configs_request import IncrementalAlterConfigsRequest
    from kbroker.protocol.generated.incremental_alter_configs_response import IncrementalAlterConfigsResponse


class Controller:
    """`now_ms` is the monotonic clock's, as far as an operation cares for time at all."""

    __slots__ = ("_replay", "_state")

    def __init__(self, node_id: int, cluster_id: str, config: Config, random: Random, replay: Replay) -> None:
        self._replay = replay
        self._state = ClusterState(node_id, cluster_id, config, random, replay.image, replay.next_offset)

    @property
    def image(self) -> MetadataImage:
        """Everything replayed, committed or not, outside an unfinished transaction."""
        return self._state.image

    @property
    def next_offset(self) -> int:
        """Where the next record will stand."""
        return self._state.next_offset

    def replay(self, records: Sequence[ApiMessageAndVersion], epoch: int) -> list[Publication]:
        """Take in a batch at `next_offset`; the images it makes, oldest first."""
        state = self._state
        published = self._replay.apply([record.message for record in records], state.next_offset, epoch)
        state.next_offset = self._replay.next_offset
        state.image = self._replay.image
        return published

    def activate(self, bootstrap: Sequence[ApiMessageAndVersion]) -> ControllerResult[None]:
        """What a new leader writes before anything else."""
        return activation.activate(
            self._replay.image,
            self._replay.transaction_start_offset,
            bootstrap,
            self._state.config.int("min.insync.replicas"),
        )

    def create_topics(
        self, request: CreateTopicsRequest, now_ms: int
    ) -> ControllerResult[CreateTopicsResponse]:
        from kbroker.controller import topics

        return topics.create_topics(self._state, request)

    def delete_topics(
        self, request: DeleteTopicsRequest, now_ms: int
    ) -> ControllerResult[DeleteTopicsResponse]:
        from kbroker.controller import topic_deletion

        return topic_deletion.delete_topics(self._state, request)

    def create_partitions(
        self, request: CreatePartitionsRequest, now_ms: int
    ) -> ControllerResult[CreatePartitionsResponse]:
        from kbroker.controller import topics

        return topics.create_partitions(self._state, request)

    def alter_configs(
        self, request: AlterConfigsRequest, now_ms: int
    ) -> ControllerResult[AlterConfigsResponse]:
        from kbroker.controller import configs

        return configs.alter_configs(self._state, request)

    def incremental_alter_configs(
        self, request: IncrementalAlterConfigsRequest, now_ms: int
    ) -> ControllerResult[IncrementalAlterConfigsResponse]:
        from kbroker.controller import configs

        return configs.incremental_alter_configs(self._state, request)

    def register_broker(
        self, request: BrokerRegistrationRequest, now_ms: int
    ) -> ControllerResult[BrokerRegistrationResponse]:
        return brokers.register_broker(self._state, request, now_ms)

    def broker_heartbeat(
        self, request: BrokerHeartbeatRequest, now_ms: int
    ) -> ControllerResult[BrokerHeartbeatResponse]:
        return brokers.broker_heartbeat(self._state, request, now_ms)

    def stop_own_broker(self) -> ControllerResult[None]:
        return brokers.stop_own_broker(self._state)

    def fence_stale_brokers(self, now_ms: int) -> ControllerResult[None]:
        return brokers.fence_stale_brokers(self._state, now_ms)

    def allocate_producer_ids(
        self, request: AllocateProducerIdsRequest, now_ms: int
    ) -> ControllerResult[AllocateProducerIdsResponse]:
        from kbroker.controller import producer_ids

        return producer_ids.allocate_producer_ids(self._state, request)
