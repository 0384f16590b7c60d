"""The metrics page: plain counters, named for known dashboards.

Two worlds of names, both on one page: those of kafka_exporter
(`kafka_topic_partition_*`, `kafka_consumergroup_*`) and those of the JMX
exporter's example rules (`kafka_server_brokertopicmetrics_*`). What belongs
to neither begins with `kbroker_`. Nothing is counted here: the data path adds
to integers, and this reads them when somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from kbroker.metadata.image import NO_LEADER
from kbroker.protocol.messages import API

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kbroker.broker.group_coordinators import GroupOffsets
    from kbroker.broker.loop_lag import LoopLag
    from kbroker.broker.network import NetworkState
    from kbroker.handlers.context import Services

_TOPIC = ["topic"]
_PARTITION = ["topic", "partition"]
_GROUP_PARTITION = ["consumergroup", "topic", "partition"]


class MetricsPage:
    """Renders the page from the broker's rooms."""

    def __init__(self, services: Services, network: NetworkState, lag: LoopLag) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        for collector in (
            _ClusterCollector(services),
            _TopicCollector(services),
            _PartitionCollector(services),
            _GroupCollector(services),
            _NetworkCollector(network, lag),
        ):
            registry.register(collector)
        self._registry = registry

    def render(self) -> tuple[bytes, str]:
        """The page and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _RoomCollector(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> list[Metric]:
        """Nothing ahead of time: registering must not collect."""
        return []


class _ClusterCollector(_RoomCollector):
    """Brokers and the controller."""

    def collect(self) -> Iterator[Metric]:
        services, image = self._services, self._services.metadata.image
        yield _gauge("kafka_brokers", "Brokers in the cluster", len(image.brokers))
        info = GaugeMetricFamily("kafka_broker_info", "Brokers and where they are", labels=["id", "address"])
        for broker in image.brokers.values():
            for endpoint in list(broker.endpoints.values())[:1]:
                info.add_metric([str(broker.id), f"{endpoint.host}:{endpoint.port}"], 1)
        yield info
        offline = sum(
            partition.leader == NO_LEADER
            for topic in image.topics.values()
            for partition in topic.partitions.values()
        )
        prefix = "kafka_controller_kafkacontroller"
        yield _gauge(f"{prefix}_activecontrollercount", "1 on the active controller", 1)
        yield _gauge(f"{prefix}_offlinepartitionscount", "Partitions without a leader", offline)
        yield _gauge(f"{prefix}_globaltopiccount", "Topics of the cluster", len(image.topics))
        partitions = sum(len(topic.partitions) for topic in image.topics.values())
        yield _gauge(f"{prefix}_globalpartitioncount", "Partitions of the cluster", partitions)
        prefix = "kafka_server_raftmetrics"
        yield _gauge(f"{prefix}_current_leader", "The active controller", services.node_id)
        yield _gauge(f"{prefix}_current_epoch", "Epoch of the quorum's leader", image.epoch)
        yield _gauge(f"{prefix}_high_watermark", "Committed end of the metadata log", image.offset + 1)


class _TopicCollector(_RoomCollector):
    """What each topic has seen."""

    NAMES = (
        ("messages_in", "messagesin", "Records appended"),
        ("bytes_in", "bytesin", "Bytes appended"),
        ("bytes_out", "bytesout", "Bytes fetched"),
        ("total_produce_requests", "totalproducerequests", "Partitions asked to append"),
        ("total_fetch_requests", "totalfetchrequests", "Partitions asked to be read"),
        ("failed_produce_requests", "failedproducerequests", "Partitions that refused to append"),
        ("failed_fetch_requests", "failedfetchrequests", "Partitions that could not be read"),
    )

    def collect(self) -> Iterator[Metric]:
        topics = self._services.replicas.topics
        for attribute, name, documentation in self.NAMES:
            family = CounterMetricFamily(
                f"kafka_server_brokertopicmetrics_{name}", documentation, labels=_TOPIC
            )
            for topic in topics.values():
                family.add_metric([topic.name], getattr(topic.statistics, attribute))
            yield family


class _PartitionCollector(_RoomCollector):
    """Offsets, replicas and sizes."""

    def collect(self) -> Iterator[Metric]:
        yield from self._from_image()
        yield from self._from_logs()

    def _from_image(self) -> Iterator[Metric]:
        prefix = "kafka_topic_partition"
        count = GaugeMetricFamily("kafka_topic_partitions", "Partitions of the topic", labels=_TOPIC)
        leader = GaugeMetricFamily(f"{prefix}_leader", "Broker id of the leader", labels=_PARTITION)
        preferred = GaugeMetricFamily(
            f"{prefix}_leader_is_preferred", "1 where the first replica leads", labels=_PARTITION
        )
        replicas = GaugeMetricFamily(f"{prefix}_replicas", "Replicas", labels=_PARTITION)
        in_sync = GaugeMetricFamily(f"{prefix}_in_sync_replica", "In-sync replicas", labels=_PARTITION)
        under = GaugeMetricFamily(
            f"{prefix}_under_replicated_partition", "1 where replicas are missing", labels=_PARTITION
        )
        replicas_count = GaugeMetricFamily(
            "kafka_cluster_partition_replicascount", "Replicas", labels=_PARTITION
        )
        for topic in self._services.metadata.image.topics.values():
            count.add_metric([topic.name], len(topic.partitions))
            for index, partition in topic.partitions.items():
                labels = [topic.name, str(index)]
                leader.add_metric(labels, partition.leader)
                preferred.add_metric(labels, partition.leader == partition.replicas[0])
                replicas.add_metric(labels, len(partition.replicas))
                replicas_count.add_metric(labels, len(partition.replicas))
                in_sync.add_metric(labels, len(partition.isr))
                under.add_metric(labels, len(partition.isr) < len(partition.replicas))
        yield from (count, leader, preferred, replicas, in_sync, under, replicas_count)

    def _from_logs(self) -> Iterator[Metric]:
        prefix = "kafka_topic_partition"
        current = GaugeMetricFamily(f"{prefix}_current_offset", "High watermark", labels=_PARTITION)
        oldest = GaugeMetricFamily(f"{prefix}_oldest_offset", "Log start offset", labels=_PARTITION)
        size = GaugeMetricFamily("kafka_log_log_size", "Bytes on disk", labels=_PARTITION)
        end = GaugeMetricFamily("kafka_log_log_logendoffset", "Log end offset", labels=_PARTITION)
        under_min = GaugeMetricFamily(
            "kafka_cluster_partition_underminisr", "1 below min.insync.replicas", labels=_PARTITION
        )
        at_min = GaugeMetricFamily(
            "kafka_cluster_partition_atminisr", "1 at min.insync.replicas", labels=_PARTITION
        )
        hosted = led = under_replicated = 0
        for partition in self._services.replicas.partitions():
            labels = [partition.topic, str(partition.index)]
            log = partition.log
            current.add_metric(labels, log.high_watermark)
            oldest.add_metric(labels, log.log_start_offset)
            size.add_metric(labels, log.size_bytes)
            end.add_metric(labels, log.log_end_offset)
            under_min.add_metric(labels, partition.under_min_isr)
            at_min.add_metric(labels, len(partition.isr) == partition.min_isr)
            hosted += 1
            led += partition.is_leader
            under_replicated += partition.is_under_replicated
        yield from (current, oldest, size, end, under_min, at_min)
        prefix = "kafka_server_replicamanager"
        yield _gauge(f"{prefix}_partitioncount", "Partitions on this broker", hosted)
        yield _gauge(f"{prefix}_leadercount", "Partitions this broker leads", led)
        yield _gauge(
            f"{prefix}_underreplicatedpartitions", "Led partitions that miss replicas", under_replicated
        )


class _GroupCollector(_RoomCollector):
    """Committed offsets and lag of the groups coordinated here."""

    def collect(self) -> Iterator[Metric]:
        prefix = "kafka_consumergroup"
        members = GaugeMetricFamily(f"{prefix}_members", "Members of the group", labels=["consumergroup"])
        current = GaugeMetricFamily(f"{prefix}_current_offset", "Committed offset", labels=_GROUP_PARTITION)
        lag = GaugeMetricFamily(f"{prefix}_lag", "Records not yet committed", labels=_GROUP_PARTITION)
        sum_labels = ["consumergroup", "topic"]
        current_sum = GaugeMetricFamily(
            f"{prefix}_current_offset_sum", "Committed offsets", labels=sum_labels
        )
        lag_sum = GaugeMetricFamily(f"{prefix}_lag_sum", "Records not yet committed", labels=sum_labels)
        for group in self._services.groups.group_offsets():
            members.add_metric([group.group_id], group.member_count)
            sums: dict[str, list[int]] = {}
            for topic, index, offset, behind in self._lags(group):
                labels = [group.group_id, topic, str(index)]
                current.add_metric(labels, offset)
                lag.add_metric(labels, behind)
                of_topic = sums.setdefault(topic, [0, 0])
                of_topic[0] += offset
                of_topic[1] += behind
            for topic, (offset, behind) in sums.items():
                current_sum.add_metric([group.group_id, topic], offset)
                lag_sum.add_metric([group.group_id, topic], behind)
        yield from (members, current, lag, current_sum, lag_sum)

    def _lags(self, group: GroupOffsets) -> Iterator[tuple[str, int, int, int]]:
        topics = self._services.replicas.topics
        for (topic, index), offset in group.offsets.items():
            hosted = topics.get(topic)
            partition = None if hosted is None else hosted.partitions.get(index)
            if partition is not None:
                yield topic, index, offset, max(partition.log.high_watermark - offset, 0)


class _NetworkCollector(Collector):
    """Connections, requests, memory and the loop."""

    def __init__(self, network: NetworkState, lag: LoopLag) -> None:
        self._network = network
        self._lag = lag

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        network = self._network
        prefix = "kafka_server_socket_server_metrics"
        yield _gauge(f"{prefix}_connection_count", "Open connections", len(network.connections))
        yield _counter("kbroker_connections_accepted", "Connections accepted", network.accepted_count)
        yield _counter("kbroker_connections_refused", "Connections over a limit", network.refused_count)
        yield _gauge("kbroker_request_bytes_in_flight", "Bytes of unfinished frames", network.charged_bytes)
        requests = CounterMetricFamily(
            "kafka_network_requestmetrics_requests", "Requests handled", labels=["request"]
        )
        for api_key, route in sorted(network.routes.items()):
            requests.add_metric([API[api_key].name], route.requests)
        yield requests
        lag = self._lag
        yield _gauge("kbroker_loop_lag_seconds", "How late the loop ran last", lag.last_s)
        yield _gauge(
            "kbroker_loop_lag_worst_seconds", "The latest it ran since this was asked", lag.take_worst()
        )
        yield _counter("kbroker_loop_lag_seconds_sum", "Sum of all lateness", lag.sum_s)


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=value)


def _counter(name: str, documentation: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, documentation, value=value)
