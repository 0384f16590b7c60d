"""What the leader says of the quorum (Kafka: DescribeQuorum)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kbroker.protocol import errors
from kbroker.protocol.generated.describe_quorum_response import (
    DescribeQuorumResponse,
    Node,
    PartitionData,
    ReplicaState,
    TopicData,
)
from kbroker.raft.quorum import Quorum

if TYPE_CHECKING:
    from kbroker.protocol.generated.describe_quorum_request import DescribeQuorumRequest

CLUSTER_METADATA_TOPIC = "__cluster_metadata"


def describe_quorum(quorum: Quorum, request: DescribeQuorumRequest, now_ms: int) -> DescribeQuorumResponse:
    """The one partition there is; error 3 for any other, 6 unless this member leads."""
    asked = [(topic.topic_name, [p.partition_index for p in topic.partitions]) for topic in request.topics]
    if asked != [(CLUSTER_METADATA_TOPIC, [0])]:
        return DescribeQuorumResponse(topics=[_unknown_topic(name, partitions) for name, partitions in asked])
    if not quorum.is_leader:
        partition = PartitionData(0, errors.NOT_LEADER_OR_FOLLOWER, leader_id=quorum.leader_id)
        partition.leader_epoch = quorum.epoch
        return DescribeQuorumResponse(topics=[TopicData(CLUSTER_METADATA_TOPIC, [partition])])
    partition = PartitionData(
        0,
        leader_id=quorum.leader_id,
        leader_epoch=quorum.epoch,
        high_watermark=quorum.high_watermark,
        current_voters=_voters(quorum, now_ms),
    )
    return DescribeQuorumResponse(
        topics=[TopicData(CLUSTER_METADATA_TOPIC, [partition])],
        nodes=[Node(voter_id) for voter_id in quorum.voters.ids],
    )


def _voters(quorum: Quorum, now_ms: int) -> list[ReplicaState]:
    # The leader is always caught up with itself.
    ends = quorum.end_offsets()
    return [
        ReplicaState(voter.id, voter.directory_id, ends[voter.id], now_ms, now_ms)
        for voter in quorum.voters.voters
    ]


def _unknown_topic(name: str, partitions: Iterable[int]) -> TopicData:
    code = errors.UNKNOWN_TOPIC_OR_PARTITION
    unknown = [PartitionData(index, code, errors.message_of(code)) for index in partitions]
    return TopicData(name, unknown)
