"""The `quorum-state` file, in both of its versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.protocol.primitives import uuid_to_text
from kbroker.raft.election_state import CorruptElectionState, ElectionState

_KAFKA = Path(__file__).parents[1] / "metadata" / "kafka"


def test_version_0_is_written_as_kafka_does() -> None:
    theirs = (_KAFKA / "static" / "quorum-state").read_bytes()
    assert ElectionState.decode(theirs) == ElectionState(2, 1)
    assert ElectionState(2, 1).encode(0, (1,)) == theirs


def test_version_1_is_written_as_kafka_does() -> None:
    theirs = (_KAFKA / "standalone" / "quorum-state").read_bytes()
    assert ElectionState.decode(theirs) == ElectionState(1, 1)
    assert ElectionState(1, 1).encode(1, (1,)) == theirs


def test_a_vote_survives() -> None:
    state = ElectionState(5, -1, 2, b"d" * 16)
    assert ElectionState.decode(state.encode(1, ())) == state
    assert uuid_to_text(b"d" * 16).encode() in state.encode(1, ())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"data_version":2}',
        b'{"data_version":0,"leaderEpoch":"x"}',
    ],
)
def test_what_is_no_election_state(data: bytes) -> None:
    with pytest.raises(CorruptElectionState):
        ElectionState.decode(data)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(CorruptElectionState):
        ElectionState.decode(data)
