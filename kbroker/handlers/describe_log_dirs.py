"""DescribeLogDirs (35): space that partitions take, and what is left.

Kafka: `ReplicaManager.describeLogDirs`. There is one log directory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.protocol import errors
from kbroker.protocol.generated.describe_log_dirs_response import (
    DescribeLogDirsPartition,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext, Services
    from kbroker.protocol.generated.describe_log_dirs_request import DescribeLogDirsRequest

API_KEY = 35
VERSIONS = (1, 5)


def handle(request: DescribeLogDirsRequest, context: RequestContext) -> DescribeLogDirsResponse:
    services = context.services
    wanted: dict[str, set[int]] | None = None
    if request.topics is not None:
        wanted = {}
        for asked in request.topics:
            wanted.setdefault(asked.topic, set()).update(asked.partitions)
    topics = []
    for hosted in services.replicas.topics.values():
        indexes = hosted.partitions.keys() if wanted is None else wanted.get(hosted.name, set())
        partitions = [
            # The leader's own log lags behind nobody, and there are no logs on the move.
            DescribeLogDirsPartition(index, partition.log.size_bytes, 0, False)
            for index, partition in hosted.partitions.items()
            if index in indexes
        ]
        if partitions:
            topics.append(DescribeLogDirsTopic(hosted.name, partitions))
    path = services.log_directory_path
    space = _space(services)
    if space is None:
        result = DescribeLogDirsResult(errors.KAFKA_STORAGE_ERROR, path)
    else:
        result = DescribeLogDirsResult(errors.NONE, path, topics, *space)
    return DescribeLogDirsResponse(results=[result])


def _space(services: Services) -> tuple[int, int] | None:
    """Total and usable bytes; None when the directory is offline."""
    if services.replicas.directory.offline_because is not None:
        return None
    try:
        return services.environment.disk.space(services.log_directory_path)
    except OSError:
        return None
