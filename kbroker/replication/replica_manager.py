"""All partitions on this node: opened and closed by the metadata image.

Appends go through here, so that statistics, wake-ups and flushes are counted
once. Kafka: `ReplicaManager`, without its purgatories: whoever waits is woken
by the keys that `take_woken` hands out after each turn of the loop.

    invariant  a partition's log is open exactly as long as the image assigns
               it to this node, unless its storage failed
    invariant  `topics` and `topics_by_id` hold the same topics
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from kbroker.config.key import format_value
from kbroker.config.topics import effective_topic_config
from kbroker.log.config import log_config_from
from kbroker.log.partition_log import AppendOrigin
from kbroker.metadata.image import EMPTY, TOPIC
from kbroker.metadata.topic_names import INTERNAL_TOPICS
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.replication.partition import ACKS_ALL, Partition
from kbroker.replication.statistics import TopicStatistics

if TYPE_CHECKING:
    from kbroker.config.settings import Config
    from kbroker.log.config import LogConfig
    from kbroker.log.directory import LogDirectory, Progress
    from kbroker.log.partition_log import AppendInfo
    from kbroker.metadata.delta import MetadataDelta
    from kbroker.metadata.image import MetadataImage, PartitionImage, TopicImage

_log = logging.getLogger(__name__)

# (topic, partition index): also the key by which waiting operations are woken.
PartitionName: TypeAlias = tuple[str, int]

NEWEST_PRODUCE_VERSION = 13
# DeleteRecords' way to say "all that is committed".
_UP_TO_HIGH_WATERMARK = -1
# Known mistakes of clients and known states of a cluster: not a failure of this broker.
_EXPECTED_FAILURES = frozenset(
    (
        errors.UNKNOWN_TOPIC_OR_PARTITION,
        errors.NOT_LEADER_OR_FOLLOWER,
        errors.MESSAGE_TOO_LARGE,
        errors.RECORD_LIST_TOO_LARGE,
        errors.CORRUPT_MESSAGE,
        errors.KAFKA_STORAGE_ERROR,
        errors.UNKNOWN_TOPIC_ID,
    )
)


def _unheard(done: int, total: int) -> None:
    """Nobody wants to know how far loading is."""


class HostedTopic:
    """A topic of which this node has at least one partition."""

    __slots__ = (
        "failed",
        "id",
        "is_internal",
        "log_config",
        "min_insync_replicas",
        "name",
        "partitions",
        "statistics",
    )

    def __init__(self, name: str, id_: bytes, log_config: LogConfig, min_insync_replicas: int) -> None:
        self.name = name
        self.id = id_
        self.log_config = log_config
        self.min_insync_replicas = min_insync_replicas
        self.is_internal = name in INTERNAL_TOPICS
        self.partitions: dict[int, Partition] = {}
        # Partitions assigned to this node whose log could not be opened.
        self.failed: set[int] = set()
        self.statistics = TopicStatistics()


class ReplicaManager:
    """The way to every partition on this node."""

    def __init__(self, node_id: int, directory: LogDirectory, config: Config) -> None:
        self.node_id = node_id
        self.directory = directory
        self.topics: dict[str, HostedTopic] = {}
        self.topics_by_id: dict[bytes, HostedTopic] = {}
        self._config = config
        self._image: MetadataImage = EMPTY
        self._woken: set[PartitionName] = set()

    # --- metadata -------------------------------------------------------------------------------

    def start(self, image: MetadataImage, progress: Progress | None = None) -> None:
        """Load all logs and take over the first image; set aside what nobody knows.

        `progress` hears (bytes checked, bytes to check) after an unclean stop.
        """
        self._image = image
        topic_config = cache(self._topic_config)
        self.directory.load(lambda topic: topic_config(topic)[0], progress or _unheard)
        for log in list(self.directory.logs.values()):
            topic = image.topics_by_id.get(log.topic_id)
            partition = None if topic is None else topic.partitions.get(log.partition)
            if topic is None or topic.name != log.topic or not self._is_assigned(partition):
                _log.warning("%s-%d belongs to no topic of this cluster: set aside", log.topic, log.partition)
                self.directory.mark_stray(log)
        for topic in image.topics.values():
            self._update_topic(topic, topic.partitions)

    def _is_assigned(self, partition: PartitionImage | None) -> bool:
        return partition is not None and self.node_id in partition.replicas

    def apply(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Follow the metadata log by one step."""
        self._image = image
        for topic_id in delta.deleted_topics:
            topic = self.topics_by_id.get(topic_id)
            if topic is not None:
                topic.failed.clear()
                for index in list(topic.partitions):
                    self._delete(topic, index)
                self._forget_if_empty(topic)
        for topic_id, indexes in delta.changed_topics.items():
            self._update_topic(image.topics_by_id[topic_id], sorted(indexes))
        self._apply_configs(delta.changed_configs)

    def _update_topic(self, image: TopicImage, indexes: Iterable[int]) -> None:
        topic = self.topics_by_id.get(image.id)
        if topic is None:
            topic = HostedTopic(image.name, image.id, *self._topic_config(image.name))
            self.topics[image.name] = topic
            self.topics_by_id[image.id] = topic
        for index in indexes:
            partition = image.partitions[index]
            if self._is_assigned(partition):
                self._update_partition(topic, index, partition)
            elif index in topic.partitions:
                self._delete(topic, index)
        self._forget_if_empty(topic)

    def _update_partition(self, topic: HostedTopic, index: int, image: PartitionImage) -> None:
        partition = topic.partitions.get(index)
        if partition is None:
            try:
                partition = self._open(topic, index)
            except (OSError, KafkaError) as error:
                _log.error("%s-%d can't be opened: %s", topic.name, index, error)
                topic.failed.add(index)
                return
        partition.update(image)
        self._woken.add(partition.key)

    def _open(self, topic: HostedTopic, index: int) -> Partition:
        log = self.directory.logs.get((topic.name, index))
        if log is None:
            log = self.directory.create(topic.name, index, topic.id, topic.log_config)
        else:
            log.update_config(topic.log_config)
        partition = Partition(self.node_id, topic.id, log)
        partition.min_insync_replicas = topic.min_insync_replicas
        topic.partitions[index] = partition
        topic.failed.discard(index)
        return partition

    def _delete(self, topic: HostedTopic, index: int) -> None:
        partition = topic.partitions.pop(index)
        partition.take_out_of_service(errors.UNKNOWN_TOPIC_OR_PARTITION)
        self._woken.add(partition.key)
        try:
            self.directory.delete(partition.log)
        except OSError as error:
            self.directory.on_failure(error)
            self.on_storage_failure()

    def _forget_if_empty(self, topic: HostedTopic) -> None:
        if topic.partitions or topic.failed:
            return
        del self.topics_by_id[topic.id]
        if self.topics.get(topic.name) is topic:
            del self.topics[topic.name]

    def _apply_configs(self, changed: Iterable[tuple[int, str]]) -> None:
        names = {name for kind, name in changed if kind == TOPIC}
        for name in names:
            topic = self.topics.get(name)
            if topic is not None:
                self._update_config(topic)

    def update_broker_config(self, config: Config) -> None:
        """The broker's defaults changed: give every log its config anew."""
        self._config = config
        for topic in self.topics.values():
            self._update_config(topic)

    def _update_config(self, topic: HostedTopic) -> None:
        topic.log_config, topic.min_insync_replicas = self._topic_config(topic.name)
        for partition in topic.partitions.values():
            partition.log.update_config(topic.log_config)
            partition.min_insync_replicas = topic.min_insync_replicas
            if partition.advance_high_watermark():
                self._woken.add(partition.key)

    def _topic_config(self, topic: str) -> tuple[LogConfig, int]:
        """What its logs obey, and `min.insync.replicas`."""
        values = effective_topic_config(self._image.topic_configs(topic), self._config)
        texts = {name: format_value(value) or "" for name, value in values.items()}
        return log_config_from(texts), int(texts["min.insync.replicas"])

    # --- finding partitions ---------------------------------------------------------------------

    def partitions(self) -> Iterator[Partition]:
        """All of them, for housekeeping and metrics."""
        for topic in self.topics.values():
            yield from topic.partitions.values()

    def partition(self, topic: str, index: int) -> Partition:
        """By name. KafkaError: not here, or not anywhere."""
        hosted = self.topics.get(topic)
        partition = None if hosted is None else hosted.partitions.get(index)
        if partition is None:
            raise self.not_hosted(topic, index)
        return partition

    def not_hosted(self, topic: str | bytes, index: int) -> KafkaError:
        """Why this node has no such partition; `topic` is a name or an id."""
        if isinstance(topic, str):
            known = self._image.topics.get(topic)
        else:
            known = self._image.topics_by_id.get(topic)
            if known is None:
                return KafkaError(errors.UNKNOWN_TOPIC_ID)
        if known is None or index not in known.partitions:
            return KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION)
        hosted = self.topics_by_id.get(known.id)
        if hosted is not None and index in hosted.failed:
            return KafkaError(errors.KAFKA_STORAGE_ERROR)
        return KafkaError(errors.NOT_LEADER_OR_FOLLOWER)

    # --- records --------------------------------------------------------------------------------

    def append(
        self,
        topic: HostedTopic,
        partition: Partition,
        records: memoryview,
        acks: int,
        now_ms: int,
        origin: AppendOrigin = AppendOrigin.CLIENT,
        produce_version: int = NEWEST_PRODUCE_VERSION,
    ) -> AppendInfo:
        """Append one batch on the leader; whoever must wait asks `Partition.outcome` when woken."""
        statistics = topic.statistics
        statistics.total_produce_requests += 1
        try:
            info = partition.append(records, acks, now_ms, origin, produce_version)
        except KafkaError as error:
            if error.code == errors.KAFKA_STORAGE_ERROR:
                self.on_storage_failure()
            if error.code not in _EXPECTED_FAILURES:
                statistics.failed_produce_requests += 1
            raise
        if partition.advance_high_watermark():
            self._woken.add(partition.key)
        if not info.duplicate:
            statistics.messages_in += info.last_offset - info.first_offset + 1
            statistics.bytes_in += len(records)
        return info

    def append_internal(self, topic: str, index: int, records: bytearray, now_ms: int) -> AppendInfo:
        """Append a coordinator's batch; it counts once `Partition.outcome(last_offset, ACKS_ALL)` is 0."""
        partition = self.partition(topic, index)
        return self.append(
            self.topics[topic], partition, memoryview(records), ACKS_ALL, now_ms, AppendOrigin.COORDINATOR
        )

    def delete_records(self, partition: Partition, before_offset: int, now_ms: int) -> int:
        """Move the log start up to `before_offset`, -1 meaning the high watermark; the new low watermark."""
        log = partition.local_log()
        if log.config.compact and not log.config.delete:
            raise KafkaError(errors.POLICY_VIOLATION, "records of a compacted topic can't be deleted")
        if before_offset == _UP_TO_HIGH_WATERMARK:
            before_offset = log.high_watermark
        if before_offset < 0:
            raise KafkaError(errors.OFFSET_OUT_OF_RANGE)
        log.set_log_start_offset(before_offset, now_ms)
        self._woken.add(partition.key)
        return log.log_start_offset

    def take_woken(self) -> set[PartitionName]:
        """Partitions whose log grew, got committed, was cut or changed hands since the last call."""
        woken = self._woken
        if woken:
            self._woken = set()
        return woken

    # --- storage --------------------------------------------------------------------------------

    def take_flush_due(self) -> list[Partition]:
        """Partitions whose log is to be flushed now; `on_flushed` after each."""
        due = []
        for log in self.directory.take_flush_requests():
            topic = self.topics_by_id.get(log.topic_id)
            partition = None if topic is None else topic.partitions.get(log.partition)
            # The metadata log is none of these: whoever commits there flushes it.
            if partition is not None:
                due.append(partition)
        return due

    def on_flushed(self, partition: Partition, error: BaseException | None) -> None:
        """A flush has ended: commit what waited for it or, the log being offline now, say so."""
        if error is not None:
            self.on_storage_failure()
        elif partition.advance_high_watermark():
            self._woken.add(partition.key)

    def on_storage_failure(self) -> None:
        """The disk failed: take every partition whose log went offline by it out of service."""
        for partition in self.partitions():
            if partition.log.offline and not partition.unavailable:
                partition.take_out_of_service(errors.KAFKA_STORAGE_ERROR)
                self._woken.add(partition.key)
