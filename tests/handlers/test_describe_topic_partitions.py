"""DescribeTopicPartitions: page by page."""

import pytest

from kbroker.handlers import describe_topic_partitions
from kbroker.handlers.cluster_view import TOPIC_OPERATIONS
from kbroker.metadata.image import MetadataImage
from kbroker.protocol import errors
from kbroker.protocol.generated.describe_topic_partitions_request import (
    Cursor,
    DescribeTopicPartitionsRequest,
    TopicRequest,
)
from kbroker.protocol.generated.describe_topic_partitions_response import DescribeTopicPartitionsResponse
from tests.handlers import cluster
from tests.handlers.cluster import broker, partition, topic

THREE = cluster.image(
    topics=(topic("c", *[partition(1)] * 3), topic("a"), topic("b", partition(1), partition(1)))
)

Page = list[tuple[str | None, list[int]]]


def ask(
    names: list[str],
    limit: int = 2000,
    cursor: tuple[str, int] | None = None,
    image: MetadataImage = THREE,
    settings: dict[str, str] | None = None,
) -> DescribeTopicPartitionsResponse:
    request = DescribeTopicPartitionsRequest(
        [TopicRequest(name) for name in names], limit, None if cursor is None else Cursor(*cursor)
    )
    response = describe_topic_partitions.handle(
        request, cluster.context(cluster.services(image, settings), 75, 0)
    )
    response.write([], 0)
    return response


def page(response: DescribeTopicPartitionsResponse) -> Page:
    return [(entry.name, [p.partition_index for p in entry.partitions]) for entry in response.topics]


def cursor_of(response: DescribeTopicPartitionsResponse) -> tuple[str, int] | None:
    cursor = response.next_cursor
    return None if cursor is None else (cursor.topic_name, cursor.partition_index)


def test_all_topics_by_name() -> None:
    response = ask([])
    assert page(response) == [("a", [0]), ("b", [0, 1]), ("c", [0, 1, 2])]
    assert cursor_of(response) is None
    assert {entry.topic_authorized_operations for entry in response.topics} == {TOPIC_OPERATIONS}


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("names", [[], ["c", "b", "a", "b"]])
def test_pages_add_up_to_the_whole(limit: int, names: list[str]) -> None:
    seen: list[tuple[str | None, int]] = []
    cursor: tuple[str, int] | None = None
    for _ in range(10):
        response = ask(names, limit, cursor)
        indexes = [(name, index) for name, indexes in page(response) for index in indexes]
        assert len(indexes) <= limit
        seen += indexes
        cursor = cursor_of(response)
        if cursor is None:
            break
    assert seen == [("a", 0), ("b", 0), ("b", 1), ("c", 0), ("c", 1), ("c", 2)]


def test_a_full_page_points_at_the_beginning_of_the_next_topic() -> None:
    response = ask([], 1)
    assert page(response) == [("a", [0])]
    assert cursor_of(response) == ("b", 0)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_holds_at_least_one_partition(limit: int) -> None:
    assert page(ask([], limit)) == [("a", [0])]


def test_a_page_is_bounded_by_the_broker_too() -> None:
    response = ask([], 2000, settings={"max.request.partition.size.limit": "2"})
    assert page(response) == [("a", [0]), ("b", [0])]
    assert cursor_of(response) == ("b", 1)


def test_unknown_and_impossible_names() -> None:
    response = ask(["a", "no", "a b"])
    assert [(entry.name, entry.error_code) for entry in response.topics] == [
        ("a", errors.NONE),
        ("a b", errors.INVALID_TOPIC_EXCEPTION),
        ("no", errors.UNKNOWN_TOPIC_OR_PARTITION),
    ]


def test_a_cursor_at_a_topic_that_went_away() -> None:
    assert page(ask([], cursor=("aa", 5))) == [("b", [0, 1]), ("c", [0, 1, 2])]
    assert page(ask(["aa", "c"], cursor=("aa", 5))) == [("aa", []), ("c", [0, 1, 2])]


def test_a_cursor_behind_the_last_partition() -> None:
    assert page(ask([], cursor=("b", 2**31 - 1))) == [("b", []), ("c", [0, 1, 2])]


@pytest.mark.parametrize("cursor", [("aa", 0), ("b", -1)])
def test_a_cursor_that_points_nowhere(cursor: tuple[str, int]) -> None:
    response = ask(["a", "b"], cursor=cursor)
    assert [(entry.name, entry.error_code) for entry in response.topics] == [
        ("a", errors.INVALID_REQUEST),
        ("b", errors.INVALID_REQUEST),
    ]


def test_a_negative_cursor_over_all_topics_has_nothing_to_complain_about() -> None:
    assert ask([], cursor=("b", -1)).topics == []


def test_what_is_said_of_a_partition() -> None:
    image = cluster.image(
        brokers=(broker(1), broker(2, fenced=True)),
        topics=(topic("a", partition(1, 2, isr=(1,), elr=(2,), last_known_elr=(1,), epoch=3)),),
    )
    (entry,) = ask(["a"], image=image).topics
    (one,) = entry.partitions
    assert (one.leader_id, one.leader_epoch, one.replica_nodes, one.isr_nodes) == (1, 3, [1, 2], [1])
    assert (one.eligible_leader_replicas, one.last_known_elr, one.offline_replicas) == ([2], [1], [2])
