"""The comparer finds what was planted, and only that."""

from collections import Counter
from typing import Any

import pytest

from compat.diff import report
from compat.diff.batches import Batch
from compat.diff.compare import ABSENT, Difference, differences, keyed
from compat.diff.explained import EXPLAINED, Explained
from compat.diff.names import Names, Unnamed
from compat.diff.trees import answer_tree, batches
from compat.diff.world import Found, Ledger, Question, can_carry
from kbroker.protocol.generated.fetch_request import FetchRequest
from kbroker.protocol.generated.list_offsets_request import ListOffsetsRequest
from kbroker.protocol.generated.metadata_response import (
    MetadataResponse,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

ID, OTHER_ID = b"a" * 16, b"b" * 16


def found(kbroker: Any, kafka: Any) -> list[Difference]:
    return list(differences(keyed(kbroker), keyed(kafka)))


def metadata(version: int, topic_id: bytes = ID, *partitions: int, behind: bytes = b"") -> Any:
    """What a broker's answer becomes."""
    answer = MetadataResponse(
        topics=[
            MetadataResponseTopic(
                name="t",
                topic_id=topic_id,
                partitions=[MetadataResponsePartition(partition_index=index) for index in partitions],
            )
        ]
    )
    parts: list[Any] = []
    answer.write(parts, version)
    return answer_tree(MetadataResponse, version, b"".join(parts) + behind)


# --- differences --------------------------------------------------------------------------------


def test_equal_answers_do_not_differ() -> None:
    assert found(metadata(13, ID, 0, 1), metadata(13, ID, 0, 1)) == []


@pytest.mark.parametrize(
    ("kbroker", "kafka", "path"),
    [
        ({"error_code": 0}, {"error_code": 3}, "error_code"),
        ({"error_message": None}, {"error_message": ""}, "error_message"),
        ({"a": [1, 2]}, {"a": [1]}, "a[1]"),
        ({"a": [1, 2]}, {"a": [2, 1]}, "a[0]"),
        ({"a": None}, {"a": []}, "a"),
        ({"a": 1}, {"a": True}, "a"),
        ({"a": b"x"}, {"a": "x"}, "a"),
        ({"error_code": 0}, "closed", ""),
        ("timed out", "closed", ""),
    ],
)
def test_a_planted_difference_is_found(kbroker: Any, kafka: Any, path: str) -> None:
    assert found(kbroker, kafka)[0].path == path


def test_bytes_behind_an_answer_are_a_difference() -> None:
    (one,) = found(metadata(13), metadata(13, behind=b"\0"))
    assert one == Difference("trailing bytes", ABSENT, 1)


def test_arrays_without_an_order_are_matched_by_key() -> None:
    ours = {"topics": [{"name": "a", "error_code": 0}, {"name": "b", "error_code": 0}]}
    theirs = {"topics": [{"name": "b", "error_code": 3}, {"name": "a", "error_code": 0}]}
    assert found(ours, theirs) == [Difference("topics.b.error_code", 0, 3)]


def test_elements_that_one_repeats_are_a_difference() -> None:
    ours = {"topics": [{"name": "a"}]}
    theirs = {"topics": [{"name": "a"}, {"name": "a"}]}
    assert found(ours, theirs) == [Difference("topics.a again", ABSENT, {"name": "a"})]


def test_records_are_compared_batch_by_batch() -> None:
    good, bad = (bytes(batch.of(lambda value: value)) for batch in (Batch(2), Batch(2, crc=1)))
    assert found(batches(good), batches(good)) == []
    assert [one.path for one in found(batches(good), batches(bad))] == ["batches[0].crc ok"]
    assert [one.path for one in found(batches(good + b"\0"), batches(good))] == ["cut bytes"]


# --- names --------------------------------------------------------------------------------------


def agreed(names: Names, kbroker: Any, kafka: Any) -> list[Difference]:
    left, right = names.agree(names.named(0, kbroker), names.named(1, kafka))
    return found(left, right)


def test_ids_at_the_same_place_become_one_token() -> None:
    names = Names()
    assert agreed(names, {"topic_id": ID}, {"topic_id": OTHER_ID}) == []
    token = names.named(0, {"topic_id": ID})["topic_id"]
    assert names.named(1, {"topic_id": OTHER_ID})["topic_id"] == token
    assert (names.own(0, token), names.own(1, token)) == (ID, OTHER_ID)


def test_an_id_told_before_by_one_only_is_a_difference() -> None:
    names = Names()
    agreed(names, {"producer_id": 5}, {"producer_id": 6})
    assert agreed(names, {"producer_id": 5}, {"producer_id": 7})
    assert agreed(names, {"producer_id": 8}, {"producer_id": 6})
    assert agreed(names, {"producer_id": 5}, {"producer_id": 6}) == []


def test_no_id_is_not_an_id() -> None:
    names = Names()
    assert agreed(names, {"producer_id": -1}, {"producer_id": 6})
    assert agreed(names, {"producer_id": -1}, {"producer_id": -1}) == []


def test_a_member_id_has_a_shape() -> None:
    names = Names()
    ours, theirs = "c-00000000-0000-4000-8000-000000000001", "c-00000000-0000-4000-8000-000000000002"
    assert agreed(names, {"member_id": ours}, {"member_id": theirs}) == []
    assert agreed(names, {"member_id": "d" + ours[1:]}, {"member_id": theirs})
    assert agreed(names, {"member_id": "plain"}, {"member_id": theirs})
    assert isinstance(names.named(0, {"member_id": "c-" + ours[2:-1] + "9"})["member_id"], Unnamed)


def test_each_broker_is_sent_its_own_ids() -> None:
    names = Names()
    token = names.give("session", (11, 22))
    request = FetchRequest(session_id=token, session_epoch=3)
    assert [names.own(side, request).session_id for side in (0, 1)] == [11, 22]
    assert request.session_id == token
    producer = names.give("producer", (7, 8))
    sent = [names.own(side, Batch(1, producer=(producer, 0, 0))) for side in (0, 1)]
    assert [batches(bytes(one))["batches"][0]["producer_id"] for one in sent] == [7, 8]
    assert all(batches(bytes(one))["batches"][0]["crc ok"] for one in sent)


def test_names_within_strings() -> None:
    names = Names()
    names.call("<data>", ("/tmp/a", "/tmp/b"))
    assert agreed(names, {"value": "/tmp/a/x"}, {"value": "/tmp/b/x"}) == []


# --- judging ------------------------------------------------------------------------------------


def ledger(*planted: Difference, case: str = "case") -> Ledger:
    made = Ledger(Counter({"Fetch": 1}))
    made.found.append(Found(Question("Fetch", 4, case, None), list(planted), {}, {}))
    return made


def test_what_no_line_explains_stays() -> None:
    line = Explained("because", api="Fetch", paths=("topics.*.error_code",), kbroker="0", kafka="3")
    explained = Difference("topics[0].error_code", 0, 3)
    other = Difference("topics[0].error_code", 0, 4)
    left, counts = report.judge(ledger(explained, other), [line])
    assert [list(one.differences) for one in left] == [[other]]
    assert counts == {"because": 1}


@pytest.mark.parametrize(
    "line",
    [
        Explained("another API", api="Produce"),
        Explained("another case", cases=("other",)),
        Explained("another place", paths=("error_message",)),
        Explained("another answer", kafka="4"),
    ],
)
def test_a_line_that_does_not_fit_explains_nothing(line: Explained) -> None:
    left, counts = report.judge(ledger(Difference("error_code", 0, 3)), [line])
    assert left
    assert counts == {line.why: 0}


def test_the_report_shows_a_case_once_for_all_versions_alike() -> None:
    planted = Difference("error_code", 0, 3)
    same = [Found(Question("Fetch", version, "case", None), [planted], {}, {}) for version in (4, 5)]
    (text,) = report.grouped(same)
    assert text.startswith("Fetch v4, 5: case")
    assert "kbroker 0, Kafka 3" in text


def test_the_list_is_short_and_each_line_says_why() -> None:
    assert len(EXPLAINED) <= 20
    assert len({line.why for line in EXPLAINED}) == len(EXPLAINED)


def test_a_version_that_lacks_a_field_is_left_out() -> None:
    assert not can_carry(ListOffsetsRequest(isolation_level=1), 1)
    assert can_carry(ListOffsetsRequest(isolation_level=1), 2)
