"""A controller and its cluster as a story: commands in, records and answers as text out.

    bootstrap [feature=level …]           an empty log's first records
    register 1 [rack=a] [again] [clean] [cluster=…] [features=…] [dirs=…]
    heartbeat 1 [fence] [shutdown] [behind]
    time 10s                              the clock moves
    stale                                 fence who was silent for too long
    stop                                  the controller's own broker stops cleanly
    create NAME partitions=3 replication=2 [0:1,2 …] [key=value …] [validate]
    delete NAME|id:NAME …
    partitions NAME 5 [1,2 …] [validate]
    alter TYPE NAME set key=value | delete key | append key=value | subtract key=value
    replace TYPE NAME key=value …
    producer-ids 1
    topics                                every partition as it stands

Ids are random; they are shown as the name of what they stand for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kbroker.config import Config
from kbroker.controller.activation import bootstrap_records
from kbroker.controller.controller import Controller
from kbroker.controller.result import ControllerResult
from kbroker.metadata.features import registered_features
from kbroker.metadata.image import BROKER, CLIENT_METRICS, GROUP, TOPIC, PartitionImage
from kbroker.metadata.records import ApiMessageAndVersion, decode_record, encode_record
from kbroker.metadata.replay import Replay
from kbroker.protocol.errors import KafkaError, name_of
from kbroker.protocol.generated.allocate_producer_ids_request import AllocateProducerIdsRequest
from kbroker.protocol.generated.alter_configs_request import AlterableConfig as LegacyConfig
from kbroker.protocol.generated.alter_configs_request import AlterConfigsRequest
from kbroker.protocol.generated.alter_configs_request import AlterConfigsResource as LegacyResource
from kbroker.protocol.generated.broker_heartbeat_request import BrokerHeartbeatRequest
from kbroker.protocol.generated.broker_registration_request import (
    BrokerRegistrationRequest,
    Feature,
    Listener,
)
from kbroker.protocol.generated.create_partitions_request import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kbroker.protocol.generated.create_topics_request import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest, DeleteTopicState
from kbroker.protocol.generated.feature_level_record import FeatureLevelRecord
from kbroker.protocol.generated.incremental_alter_configs_request import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kbroker.protocol.generated.topic_record import TopicRecord
from tests.fakes.world import SeededRandom

CLUSTER_ID = "a-cluster"
NODE_ID = 1

_RESOURCES = {"topic": TOPIC, "broker": BROKER, "metrics": CLIENT_METRICS, "group": GROUP, "logger": 8}
_OPERATIONS = ("set", "delete", "append", "subtract")
_MANY = 10_000_000
_UNINTERESTING = ("incarnation_id", "end_points", "features")


class Cluster:
    """Node 1's controller, with every record passed through its bytes."""

    def __init__(self, overrides: dict[str, str] | None = None) -> None:
        self.random = SeededRandom(1)
        self.now_ms = 0
        config = Config.from_sources(overrides=overrides or {})
        self.controller = Controller(NODE_ID, CLUSTER_ID, config, self.random, Replay())
        self._names: dict[bytes, str] = {}
        self._incarnations: dict[int, bytes] = {}
        self._directories: dict[int, bytes] = {}

    def run(self, result: ControllerResult[Any]) -> str:
        """Append the records; what they are, and the response's own lines are up to the caller."""
        records = [decode_record(encode_record(record)) for record in result.records]
        for record in records:
            if isinstance(record.message, TopicRecord):
                self._names[record.message.topic_id] = record.message.name
        self.controller.replay(records, 1)
        return "\n".join(self._shown(record) for record in records)

    def carry_out(self, script: str) -> str:
        """Each line is one command."""
        return "\n".join(filter(None, (self._command(line.split()) for line in script.splitlines())))

    def _command(self, words: list[str]) -> str:
        name = words[0].replace("-", "_")
        try:
            answer: str = getattr(self, f"_on_{name}")(words[1:])
            return answer
        except KafkaError as error:
            return f"{name_of(error.code)}: {error.message}"

    # --- the cluster

    def _on_bootstrap(self, words: list[str]) -> str:
        records = bootstrap_records()
        for name, level in _pairs(words).items():
            records.append(ApiMessageAndVersion(FeatureLevelRecord(name, int(level))))
        return self.run(self.controller.activate(records))

    def _on_register(self, words: list[str]) -> str:
        broker_id = int(words[0])
        options = _pairs(words[1:])
        if "again" not in words:
            self._incarnations[broker_id] = self.random.uuid()
        directories = [self._directory(int(one)) for one in options.get("dirs", words[0]).split(",") if one]
        features = options.get("features")
        claimed = registered_features() if features is None else {features: (0, 0)}
        known = self.controller.image.brokers.get(broker_id)
        request = BrokerRegistrationRequest(
            broker_id,
            options.get("cluster", CLUSTER_ID),
            self._incarnations[broker_id],
            [Listener("PLAINTEXT", f"host{broker_id}", 9092, 0)],
            [Feature(name, low, high) for name, (low, high) in claimed.items()],
            options.get("rack"),
            False,
            directories,
            known.epoch if known is not None and "clean" in words else -1,
        )
        result = self.controller.register_broker(request, self.now_ms)
        return f"{self.run(result)}\nbroker epoch {result.response.broker_epoch}"

    def _directory(self, number: int) -> bytes:
        if number < 1:
            return bytes(16)
        if number not in self._directories:
            self._directories[number] = self.random.uuid()
            self._names[self._directories[number]] = f"dir{number}"
        return self._directories[number]

    def _on_heartbeat(self, words: list[str]) -> str:
        broker = self.controller.image.brokers.get(int(words[0]))
        request = BrokerHeartbeatRequest(
            int(words[0]),
            -1 if broker is None or "stale-epoch" in words else broker.epoch,
            0 if "behind" in words else _MANY,
            "fence" in words,
            "shutdown" in words,
        )
        result = self.controller.broker_heartbeat(request, self.now_ms)
        response = result.response
        facts = {
            "caught up": response.is_caught_up,
            "fenced": response.is_fenced,
            "may shut down": response.should_shut_down,
        }
        said = ", ".join(fact for fact, holds in facts.items() if holds)
        return _lines(self.run(result), said or "neither caught up nor fenced")

    def _on_time(self, words: list[str]) -> str:
        self.now_ms += int(words[0].removesuffix("s")) * 1000
        return ""

    def _on_stale(self, words: list[str]) -> str:
        return self.run(self.controller.fence_stale_brokers(self.now_ms))

    def _on_stop(self, words: list[str]) -> str:
        return self.run(self.controller.stop_own_broker())

    def _on_producer_ids(self, words: list[str]) -> str:
        broker_id = int(words[0])
        broker = self.controller.image.brokers.get(broker_id)
        request = AllocateProducerIdsRequest(broker_id, -1 if broker is None else broker.epoch)
        result = self.controller.allocate_producer_ids(request, self.now_ms)
        response = result.response
        return _lines(self.run(result), f"{response.producer_id_len} from {response.producer_id_start}")

    # --- topics

    def _on_create(self, words: list[str]) -> str:
        topics = []
        for one in " ".join(words).split(" and "):
            topics.append(_creatable(one.split()))
        request = CreateTopicsRequest(topics, validate_only="validate" in words)
        result = self.controller.create_topics(request, self.now_ms)
        answers = []
        for topic in result.response.topics:
            outcome = f"{topic.num_partitions} × {topic.replication_factor}"
            own = [
                f"{config.name}={config.value}" for config in topic.configs or [] if config.config_source == 1
            ]
            if topic.error_code:
                outcome, own = f"{name_of(topic.error_code)}: {topic.error_message}", []
            answers.append(" ".join([f"{topic.name or repr(topic.name)}: {outcome}", *own]))
        return _lines(self.run(result), *answers)

    def _on_delete(self, words: list[str]) -> str:
        topics = []
        for word in words:
            name, _, id_of = word.partition("id:")
            known = self.controller.image.topics.get(id_of)
            topic_id = bytes(16) if not id_of else known.id if known else b"\x07" * 16
            topics.append(DeleteTopicState(name.rstrip("+") or None, topic_id))
        result = self.controller.delete_topics(DeleteTopicsRequest(topics), self.now_ms)
        answers = []
        for topic in result.response.responses:
            outcome = "deleted"
            if topic.error_code:
                outcome = f"{name_of(topic.error_code)}: {topic.error_message}"
            answers.append(f"{topic.name} {self._named(topic.topic_id)}: {outcome}")
        return _lines(self.run(result), *answers)

    def _on_partitions(self, words: list[str]) -> str:
        name, count, *rest = words
        assignments = [
            CreatePartitionsAssignment([int(broker) for broker in word.split(",")])
            for word in rest
            if word != "validate"
        ]
        request = CreatePartitionsRequest(
            [CreatePartitionsTopic(name, int(count), assignments or None)], validate_only="validate" in rest
        )
        result = self.controller.create_partitions(request, self.now_ms)
        answers = [
            f"{one.name}: {name_of(one.error_code)}{f': {one.error_message}' if one.error_message else ''}"
            for one in result.response.results
        ]
        return _lines(self.run(result), *answers)

    def _on_topics(self, words: list[str]) -> str:
        return "\n".join(
            f"{topic.name}-{index}: {_state(partition)}"
            for topic in self.controller.image.topics.values()
            for index, partition in topic.partitions.items()
        )

    # --- configs

    def _on_alter(self, words: list[str]) -> str:
        kind, name, *rest = words
        changes = []
        for operation, argument in zip(rest[::2], rest[1::2], strict=True):
            key, _, value = argument.partition("=")
            code = _OPERATIONS.index(operation) if operation in _OPERATIONS else 9
            changes.append(AlterableConfig(key, code, _unquoted(value) if operation != "delete" else None))
        resource = AlterConfigsResource(_RESOURCES.get(kind, 99), _unquoted(name), changes)
        request = IncrementalAlterConfigsRequest([resource])
        return self._altered(self.controller.incremental_alter_configs(request, self.now_ms))

    def _on_replace(self, words: list[str]) -> str:
        kind, name, *rest = words
        configs = [LegacyConfig(key, _unquoted(value)) for key, value in _pairs(rest).items()]
        request = AlterConfigsRequest([LegacyResource(_RESOURCES[kind], _unquoted(name), configs)])
        return self._altered(self.controller.alter_configs(request, self.now_ms))

    def _altered(self, result: ControllerResult[Any]) -> str:
        answers = [
            f"{name_of(one.error_code)}{f': {one.error_message}' if one.error_message else ''}"
            for one in result.response.responses
        ]
        return _lines(self.run(result), *answers)

    # --- as text

    def _shown(self, record: ApiMessageAndVersion) -> str:
        message = record.message
        default = type(message)()
        fields = [
            f"{field}={self._value(getattr(message, field))}"
            for field in message.FIELDS
            if getattr(message, field) != getattr(default, field) and field not in _UNINTERESTING
        ]
        name = type(message).__name__.removesuffix("Record")
        return " ".join([f"{name}.{record.version}", *fields])

    def _value(self, value: object) -> str:
        if isinstance(value, bytes):
            return self._named(value)
        if isinstance(value, list):
            return f"[{', '.join(map(self._value, value))}]"
        if hasattr(value, "FIELDS"):
            return ":".join(str(getattr(value, field)) for field in value.FIELDS)
        return str(value)

    def _named(self, value: bytes) -> str:
        return self._names.get(value, "0" if value == bytes(16) else "…")


def _creatable(words: list[str]) -> CreatableTopic:
    options = _pairs(words[1:])
    assignments = [
        CreatableReplicaAssignment(int(index), [int(broker) for broker in brokers.split(",") if broker])
        for index, colon, brokers in (word.partition(":") for word in words[1:] if "=" not in word)
        if colon
    ]
    default = "-1" if assignments else "1"
    return CreatableTopic(
        _unquoted(words[0]),
        int(options.pop("partitions", default)),
        int(options.pop("replication", default)),
        assignments,
        [CreatableTopicConfig(key, None if value == "null" else value) for key, value in options.items()],
    )


def _state(partition: PartitionImage) -> str:
    text = f"leader {partition.leader} epoch {partition.leader_epoch}.{partition.partition_epoch}"
    for name in ("replicas", "isr", "elr", "last_known_elr"):
        members = getattr(partition, name)
        if members or name in ("replicas", "isr"):
            text += f" {name} {','.join(map(str, members)) or '-'}"
    return text + (" recovering" if partition.leader_recovery_state else "")


def _pairs(words: Iterable[str]) -> dict[str, str]:
    return {key: value for key, equals, value in (word.partition("=") for word in words) if equals}


def _unquoted(word: str) -> str:
    """`''` is the empty string."""
    return "" if word == "''" else word


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)
