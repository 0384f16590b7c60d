"""At each turn of a log written by Apache Kafka: would this controller have written the same?

The log of `tests/metadata/kafka/static` tells of a broker that is created,
killed, found silent, registered anew and stopped. Only the order of partitions
differs: Kafka's is that of a hash map.
"""

from __future__ import annotations

from typing import Any

import pytest

from kbroker.config import Config
from kbroker.controller.controller import Controller
from kbroker.controller.result import ControllerResult
from kbroker.metadata.records import ApiMessageAndVersion, encode_record
from kbroker.protocol.generated.broker_heartbeat_request import BrokerHeartbeatRequest
from kbroker.protocol.generated.broker_registration_request import (
    BrokerRegistrationRequest,
    Feature,
    Listener,
)
from kbroker.protocol.generated.create_topics_request import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest
from kbroker.protocol.generated.register_broker_record import RegisterBrokerRecord
from kbroker.protocol.generated.topic_record import TopicRecord
from tests.metadata.kafka_logs import batches, replayed

CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"


class GivenIds:
    """Random, except that topics get the ids they have in the log."""

    def __init__(self, topic_id: bytes = bytes(16)) -> None:
        self._topic_id = topic_id

    def uuid(self) -> bytes:
        return self._topic_id

    def below(self, limit: int) -> int:
        return 0


def written(first: int, last: int) -> list[ApiMessageAndVersion]:
    """The records of the log from offset `first` to `last`."""
    return [
        record
        for batch in batches("static")
        if not batch.header.is_control
        for offset, record in enumerate(batch.records, batch.header.base_offset)
        if first <= offset <= last
    ]


def controller_at(offset: int, random: GivenIds | None = None) -> Controller:
    """The controller of another node that has replayed everything before `offset`."""
    replay = replayed("static", offset)
    return Controller(9, CLUSTER_ID, Config.from_sources(), random or GivenIds(), replay)


def same(ours: ControllerResult[Any], first: int, last: int) -> bool:
    theirs = written(first, last)
    return sorted(map(encode_record, ours.records)) == sorted(map(encode_record, theirs))


@pytest.mark.parametrize(("first", "last"), [(14, 16), (17, 19), (20, 21)])
def test_topics_are_created_alike(first: int, last: int) -> None:
    topic, *rest = (record.message for record in written(first, last))
    assert isinstance(topic, TopicRecord)
    configs = [CreatableTopicConfig("cleanup.policy", "compact")] if topic.name == "compacted" else []
    request = CreateTopicsRequest([CreatableTopic(topic.name, len(rest) - len(configs), 1, [], configs)])
    controller = controller_at(first, GivenIds(topic.topic_id))
    assert same(controller.create_topics(request, 0), first, last)


def test_topics_are_deleted_alike() -> None:
    assert same(controller_at(22).delete_topics(DeleteTopicsRequest([], ["doomed"]), 0), 22, 22)


def test_a_silent_broker_is_fenced_alike() -> None:
    controller = controller_at(27)
    assert controller.fence_stale_brokers(0).records == []
    assert same(controller.fence_stale_brokers(9_000), 27, 30)


def test_a_broker_that_was_killed_registers_alike() -> None:
    registered = written(34, 34)[0].message
    assert isinstance(registered, RegisterBrokerRecord)
    request = BrokerRegistrationRequest(
        broker_id=1,
        cluster_id=CLUSTER_ID,
        incarnation_id=registered.incarnation_id,
        listeners=[
            Listener(one.name, one.host, one.port, one.security_protocol) for one in registered.end_points
        ],
        features=[
            Feature(one.name, one.min_supported_version, one.max_supported_version)
            for one in registered.features
        ],
        log_dirs=registered.log_dirs,
        rack=None,
    )
    result = controller_at(31).register_broker(request, 0)
    assert same(result, 31, 34)
    assert result.response.broker_epoch == 31


def test_the_last_known_leader_is_elected_alike() -> None:
    heartbeat = BrokerHeartbeatRequest(1, 31, 34, want_fence=False)
    assert same(controller_at(35).broker_heartbeat(heartbeat, 0), 35, 38)


def test_a_broker_shuts_down_alike() -> None:
    controller = controller_at(40)
    heartbeat = BrokerHeartbeatRequest(1, 31, 39, want_fence=False, want_shut_down=True)
    result = controller.broker_heartbeat(heartbeat, 0)
    assert same(result, 40, 43)
    controller.replay(result.records, 2)
    gone = controller.broker_heartbeat(heartbeat, 0)
    assert same(gone, 44, 44)
    assert gone.response.should_shut_down
