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
    from kbroker.handlers.context import RequestContext
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
    try:
        total_bytes, usable_bytes = services.environment.disk.space(path)
    except OSError:
        return DescribeLogDirsResponse(results=[DescribeLogDirsResult(errors.KAFKA_STORAGE_ERROR, path)])
    return DescribeLogDirsResponse(
        results=[DescribeLogDirsResult(errors.NONE, path, topics, total_bytes, usable_bytes)]
    )
