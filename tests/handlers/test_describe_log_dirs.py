"""DescribeLogDirs: sizes of partitions and what the volume has left."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.protocol.generated.describe_log_dirs_request import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
)
from kbroker.protocol.generated.describe_log_dirs_response import DescribeLogDirsResult
from tests.handlers.support import ROOT, World, batch


@pytest.fixture
def world() -> World:
    made = World()
    made.create_topic("t", 2)
    made.create_topic("u")
    hosted = made.replicas.topics["t"]
    made.replicas.append(hosted, hosted.partitions[1], memoryview(batch()), 1, made.clock.now_ms)
    return made


def ask(world: World, topics: list[DescribableLogDirTopic] | None, version: int = 5) -> DescribeLogDirsResult:
    answer = world.call(DescribeLogDirsRequest(topics), version)
    (directory,) = answer.results
    assert directory.log_dir == ROOT
    result: DescribeLogDirsResult = directory
    return result


def sizes(directory: DescribeLogDirsResult) -> dict[str, dict[int, int]]:
    return {
        topic.name: {partition.partition_index: partition.partition_size for partition in topic.partitions}
        for topic in directory.topics
    }


@pytest.mark.parametrize("version", range(1, 6))
def test_all_partitions(world: World, version: int) -> None:
    directory = ask(world, None, version)
    assert sizes(directory) == {"t": {0: 0, 1: len(batch())}, "u": {0: 0}}
    known = version >= 4
    assert directory.total_bytes == (1_000_000 if known else -1)
    assert directory.usable_bytes == (400_000 if known else -1)


def test_only_what_was_asked_for(world: World) -> None:
    asked = [DescribableLogDirTopic("t", [1, 9]), DescribableLogDirTopic("no", [0])]
    assert sizes(ask(world, asked)) == {"t": {1: len(batch())}}
    assert sizes(ask(world, [])) == {}


def test_volume_that_does_not_answer(world: World) -> None:
    world.disk.fails_with["space"] = OSError(5, "broken")
    assert ask(world, None).error_code == errors.KAFKA_STORAGE_ERROR


def test_directory_that_went_offline(world: World) -> None:
    world.directory.on_failure(OSError(5, "broken"))
    directory = ask(world, None)
    assert (directory.error_code, directory.topics) == (errors.KAFKA_STORAGE_ERROR, [])
