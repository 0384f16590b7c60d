"""Transactions in the log, and what is published when."""

from __future__ import annotations

from typing import Any

import pytest

from kbroker.metadata.delta import CorruptMetadata
from kbroker.metadata.image import EMPTY
from kbroker.metadata.replay import Replay
from kbroker.protocol.generated.abort_transaction_record import AbortTransactionRecord
from kbroker.protocol.generated.begin_transaction_record import BeginTransactionRecord
from kbroker.protocol.generated.end_transaction_record import EndTransactionRecord
from kbroker.protocol.generated.topic_record import TopicRecord

BEGIN, END, ABORT = BeginTransactionRecord(), EndTransactionRecord(), AbortTransactionRecord()


def topic(name: str) -> TopicRecord:
    return TopicRecord(name, name.encode() * 16)


def apply(replay: Replay, *messages: Any) -> list[list[str]]:
    """The topics of each image that came out."""
    return [list(one.image.topics) for one in replay.apply(messages, replay.next_offset, 1)]


def test_each_batch_makes_an_image() -> None:
    replay = Replay()
    assert apply(replay, topic("a"), topic("b")) == [["a", "b"]]
    assert (replay.image.offset, replay.image.epoch) == (1, 1)
    replay.skip(5, 2)
    assert replay.next_offset == 6
    assert apply(replay, topic("c")) == [["a", "b", "c"]]
    assert replay.image.offset == 6


def test_a_transaction_is_seen_whole_or_not_at_all() -> None:
    replay = Replay()
    assert apply(replay, topic("a"), BEGIN, topic("b")) == [["a"]]
    assert replay.transaction_start_offset == 1
    assert apply(replay, topic("c")) == []
    assert list(replay.image.topics) == ["a"]
    assert apply(replay, topic("d"), END, topic("e")) == [["a", "b", "c", "d", "e"]]
    assert replay.transaction_start_offset is None


def test_an_aborted_transaction_leaves_nothing() -> None:
    replay = Replay()
    apply(replay, topic("a"))
    assert apply(replay, BEGIN, topic("b")) == []
    assert apply(replay, topic("c"), ABORT, topic("d")) == [["a", "d"]]


def test_a_transaction_within_one_batch() -> None:
    replay = Replay()
    assert apply(replay, BEGIN, topic("a"), END) == [["a"]]
    assert apply(replay, topic("b"), BEGIN, topic("c"), ABORT) == [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize("messages", [[END], [ABORT], [BEGIN, BEGIN]])
def test_borders_out_of_place_are_refused(messages: list[Any]) -> None:
    with pytest.raises(CorruptMetadata):
        Replay(EMPTY).apply(messages, 0, 1)
