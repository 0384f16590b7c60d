"""What the quorum says of itself."""

from __future__ import annotations

from kbroker.protocol import errors
from kbroker.protocol.generated.describe_quorum_request import DescribeQuorumRequest, PartitionData, TopicData
from kbroker.raft.describe import describe_quorum
from kbroker.raft.quorum import Quorum
from kbroker.raft.voters import Voter, VoterSet

METADATA = DescribeQuorumRequest([TopicData("__cluster_metadata", [PartitionData(0)])])


def leader() -> Quorum:
    quorum = Quorum(Voter(3, b"d" * 16), VoterSet((Voter(3),)))
    quorum.on_start(None, 0, 0, voters_in_log=False)
    quorum.on_flushed(9)
    return quorum


def test_the_leader_tells_of_itself() -> None:
    response = describe_quorum(leader(), METADATA, 1234)
    assert response.error_code == errors.NONE
    [partition] = response.topics[0].partitions
    assert (partition.leader_id, partition.leader_epoch, partition.high_watermark) == (3, 1, 9)
    [voter] = partition.current_voters
    assert (voter.replica_id, voter.log_end_offset, voter.last_fetch_timestamp) == (3, 9, 1234)
    assert partition.observers == []
    assert [node.node_id for node in response.nodes] == [3]
    response.write([], 2)
    # Older versions have no field for the nodes: whoever writes those leaves them out.
    response.nodes = []
    response.write([], 0)


def test_other_topics_are_unknown() -> None:
    request = DescribeQuorumRequest([TopicData("t", [PartitionData(0), PartitionData(1)])])
    [topic] = describe_quorum(leader(), request, 0).topics
    assert [partition.error_code for partition in topic.partitions] == [errors.UNKNOWN_TOPIC_OR_PARTITION] * 2


def test_only_the_leader_knows() -> None:
    quorum = leader()
    quorum.on_shutdown()
    response = describe_quorum(quorum, METADATA, 0)
    assert response.topics[0].partitions[0].error_code == errors.NOT_LEADER_OR_FOLLOWER
