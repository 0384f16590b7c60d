"""CreateTopics and CreatePartitions: Kafka's checks, then records.

Of a request the good topics are created and the bad ones answered with their
error; what is created is one atomic batch. Authorization, quotas and the
capping of replication factors in dev mode happen before.

Kafka: `ReplicationControlManager`, the topic parts of `ControllerApis`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kbroker.config import validate_topic_config
from kbroker.config.describe import created_topic_configs
from kbroker.controller.assignments import assigned, placed
from kbroker.controller.configs import refuse_long_values
from kbroker.controller.placement import place
from kbroker.controller.result import MAX_RECORDS_PER_USER_OPERATION, ControllerResult, too_large
from kbroker.controller.state import ClusterState
from kbroker.metadata.image import TOPIC, PartitionImage, TopicImage
from kbroker.metadata.image_records import partition_record
from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.metadata.topic_names import (
    CLUSTER_METADATA_TOPIC,
    may_collide,
    unify_collision_characters,
    why_invalid,
)
from kbroker.protocol.errors import (
    INVALID_CONFIG,
    INVALID_PARTITIONS,
    INVALID_REPLICA_ASSIGNMENT,
    INVALID_REPLICATION_FACTOR,
    INVALID_REQUEST,
    INVALID_TOPIC_EXCEPTION,
    POLICY_VIOLATION,
    TOPIC_ALREADY_EXISTS,
    UNKNOWN_TOPIC_OR_PARTITION,
    KafkaError,
)
from kbroker.protocol.generated.config_record import ConfigRecord
from kbroker.protocol.generated.create_partitions_response import (
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)
from kbroker.protocol.generated.create_topics_response import (
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsResponse,
)
from kbroker.protocol.generated.topic_record import TopicRecord

if TYPE_CHECKING:
    from kbroker.protocol.generated.create_partitions_request import (
        CreatePartitionsRequest,
        CreatePartitionsTopic,
    )
    from kbroker.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest

Records = list[ApiMessageAndVersion]

# Kafka: ReplicationControlManager.MAX_PARTITIONS_PER_BATCH
_MAX_PARTITIONS_PER_REQUEST = 10_000
_DEFAULT = -1


def create_topics(
    state: ClusterState, request: CreateTopicsRequest
) -> ControllerResult[CreateTopicsResponse]:
    """Topics in the order asked for, then those named twice or reserved."""
    count = Counter(topic.name for topic in request.topics)
    refused = {name: "Duplicate topic name." for name in count if count[name] > 1}
    if count[CLUSTER_METADATA_TOPIC] == 1:
        refused[CLUSTER_METADATA_TOPIC] = (
            f"Creation of internal topic {CLUSTER_METADATA_TOPIC} is prohibited."
        )
    wanted = [topic for topic in request.topics if topic.name not in refused]

    records: Records = []
    results: list[CreatableTopicResult] = []
    try:
        _refuse_too_many_partitions(state, wanted)
    except KafkaError as error:
        results = [_create_error(topic.name, error) for topic in wanted]
    else:
        names = _TakenNames(state.image.topics)
        for topic in wanted:
            try:
                result, created = _create_topic(state, topic, names)
                _refuse_too_many_records(records, created)
            except KafkaError as error:
                results.append(_create_error(topic.name, error))
            else:
                results.append(result)
                records += created
    results += [_create_error(name, KafkaError(INVALID_REQUEST, why)) for name, why in refused.items()]
    return ControllerResult([] if request.validate_only else records, CreateTopicsResponse(topics=results))


def _create_error(name: str, error: KafkaError) -> CreatableTopicResult:
    return CreatableTopicResult(name, error_code=error.code, error_message=error.message)


def _refuse_too_many_partitions(state: ClusterState, topics: Sequence[CreatableTopic]) -> None:
    default = state.config.int("num.partitions")
    total = 0
    for topic in topics:
        if topic.assignments:
            total += len(topic.assignments)
        else:
            total += default if topic.num_partitions == _DEFAULT else max(topic.num_partitions, 0)
    if total > _MAX_PARTITIONS_PER_REQUEST:
        raise KafkaError(POLICY_VIOLATION, "Excessively large number of partitions per request.")


def _refuse_too_many_records(records: Sequence[object], more: Sequence[object]) -> None:
    if len(records) + len(more) > MAX_RECORDS_PER_USER_OPERATION:
        raise too_large()


class _TakenNames:
    """Whether a new name is good, free, and unlike all others but for '.' and '_'."""

    __slots__ = ("_topics", "_unified")

    def __init__(self, topics: Mapping[str, TopicImage]) -> None:
        self._topics = topics
        self._unified: dict[str, str] | None = None

    def check(self, name: str) -> None:
        why = why_invalid(name)
        if why is not None:
            raise KafkaError(INVALID_TOPIC_EXCEPTION, why)
        if name in self._topics:
            raise KafkaError(TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
        other = self._colliding(name) if may_collide(name) else None
        if other is not None:
            raise KafkaError(INVALID_TOPIC_EXCEPTION, f"Topic '{name}' collides with existing topic: {other}")

    def _colliding(self, name: str) -> str | None:
        if self._unified is None:
            self._unified = {
                unify_collision_characters(known): known for known in self._topics if may_collide(known)
            }
        return self._unified.get(unify_collision_characters(name))


def _create_topic(
    state: ClusterState, topic: CreatableTopic, names: _TakenNames
) -> tuple[CreatableTopicResult, Records]:
    names.check(topic.name)
    configs = _new_configs(state, topic)
    partitions = _manual(state, topic) if topic.assignments else _automatic(state, topic)

    topic_id = _new_topic_id(state)
    level = state.metadata_version
    records: Records = [ApiMessageAndVersion(TopicRecord(topic.name, topic_id))]
    for name, value in configs.items():
        records.append(ApiMessageAndVersion(ConfigRecord(TOPIC, topic.name, name, value)))
    for index, partition in enumerate(partitions):
        records.append(partition_record(topic_id, index, partition, level))
    result = CreatableTopicResult(
        topic.name,
        topic_id,
        error_message=None,
        num_partitions=len(partitions),
        replication_factor=len(partitions[0].replicas),
        configs=[
            CreatableTopicConfigs(entry.name, entry.value, entry.read_only, entry.source, entry.sensitive)
            for entry in created_topic_configs(configs, state.broker_config())
        ],
    )
    return result, records


def _new_topic_id(state: ClusterState) -> bytes:
    # Ids that begin with a dash are a nuisance on the command line (Kafka: Uuid.randomUuid).
    while True:
        topic_id = state.random.uuid()
        if topic_id[0] >> 2 != 0b111110 and topic_id not in state.image.topics_by_id:
            return topic_id


def _new_configs(state: ClusterState, topic: CreatableTopic) -> dict[str, str]:
    configs: dict[str, str] = {}
    nulls = []
    for config in topic.configs:
        if config.value is None:
            nulls.append(config.name)
        else:
            configs[config.name] = config.value
    if nulls:
        raise KafkaError(INVALID_CONFIG, f"Null value not supported for topic configs: {','.join(nulls)}")
    if configs:
        refuse_long_values(configs)
        validate_topic_config(configs, state.broker_config())
    return configs


# Partitions of a new topic


def _manual(state: ClusterState, topic: CreatableTopic) -> list[PartitionImage]:
    if topic.replication_factor != _DEFAULT:
        raise KafkaError(
            INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        )
    if topic.num_partitions != _DEFAULT:
        raise KafkaError(
            INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        )
    partitions: dict[int, PartitionImage] = {}
    replication_factor: int | None = None
    for assignment in topic.assignments:
        index = assignment.partition_index
        if index in partitions:
            raise KafkaError(
                INVALID_REPLICA_ASSIGNMENT,
                f"Found multiple manual partition assignments for partition {index}",
            )
        partitions[index] = assigned(state, index, assignment.broker_ids, replication_factor)
        replication_factor = len(assignment.broker_ids)
    if sorted(partitions) != list(range(len(partitions))):
        raise KafkaError(
            INVALID_REPLICA_ASSIGNMENT, "partitions should be a consecutive 0-based integer sequence"
        )
    return [partitions[index] for index in range(len(partitions))]


def _automatic(state: ClusterState, topic: CreatableTopic) -> list[PartitionImage]:
    factor, count = topic.replication_factor, topic.num_partitions
    if factor < _DEFAULT or factor == 0:
        raise KafkaError(
            INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        )
    if count < _DEFAULT or count == 0:
        raise KafkaError(INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.")
    if factor == _DEFAULT:
        factor = state.config.int("default.replication.factor")
    if count == _DEFAULT:
        count = state.config.int("num.partitions")
    try:
        chosen = place(state.image.brokers.values(), count, factor, state.random)
    except KafkaError as error:
        raise KafkaError(
            error.code, f"Unable to replicate the partition {factor} time(s): {error.message}"
        ) from None
    return [placed(state, replicas) for replicas in chosen]


# More partitions


def create_partitions(
    state: ClusterState, request: CreatePartitionsRequest
) -> ControllerResult[CreatePartitionsResponse]:
    """New partitions behind the present ones, as many replicas each as partition 0 has."""
    count = Counter(topic.name for topic in request.topics)
    records: Records = []
    results: list[CreatePartitionsTopicResult] = []
    for name in count:
        if count[name] > 1:
            results.append(CreatePartitionsTopicResult(name, INVALID_REQUEST, "Duplicate topic name."))
    for topic in request.topics:
        if count[topic.name] > 1:
            continue
        try:
            added = _add_partitions(state, topic)
            _refuse_too_many_records(records, added)
        except KafkaError as error:
            results.append(CreatePartitionsTopicResult(topic.name, error.code, error.message))
        else:
            results.append(CreatePartitionsTopicResult(topic.name, error_message=None))
            records += added
    response = CreatePartitionsResponse(results=results)
    return ControllerResult([] if request.validate_only else records, response)


def _add_partitions(state: ClusterState, asked: CreatePartitionsTopic) -> Records:
    topic = state.image.topics.get(asked.name)
    if topic is None:
        raise KafkaError(UNKNOWN_TOPIC_OR_PARTITION)
    present = len(topic.partitions)
    _check_count(asked, present)
    additional = asked.count - present
    replication_factor = len(topic.partitions[0].replicas)
    if asked.assignments is not None:
        new = [
            assigned(state, index, assignment.broker_ids, replication_factor)
            for index, assignment in enumerate(asked.assignments, present)
        ]
    else:
        if additional > MAX_RECORDS_PER_USER_OPERATION:
            raise too_large()
        chosen = place(state.image.brokers.values(), additional, replication_factor, state.random)
        new = [placed(state, replicas) for replicas in chosen]
    level = state.metadata_version
    return [
        partition_record(topic.id, index, partition, level) for index, partition in enumerate(new, present)
    ]


def _check_count(asked: CreatePartitionsTopic, present: int) -> None:
    if asked.count == present:
        raise KafkaError(INVALID_PARTITIONS, f"Topic already has {present} partition(s).")
    if asked.count < present:
        raise KafkaError(
            INVALID_PARTITIONS,
            f"The topic {asked.name} currently has {present} partition(s); {asked.count} "
            "would not be an increase.",
        )
    additional = asked.count - present
    if asked.assignments is not None and len(asked.assignments) != additional:
        raise KafkaError(
            INVALID_REPLICA_ASSIGNMENT,
            f"Attempted to add {additional} additional partition(s), but only {len(asked.assignments)} "
            "assignment(s) were specified.",
        )
