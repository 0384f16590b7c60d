"""Reading subscriptions: all versions, and bytes that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.coordinator.group.subscription import subscribed_topics
from tests.coordinator.bench import subscription


def test_topics() -> None:
    assert subscribed_topics(subscription("a", "bb", "a")) == frozenset({"a", "bb"})
    assert subscribed_topics(subscription()) == frozenset()


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"\x00\x00\x00\x00\x00",
        b"\xff\xff\x00\x00\x00\x00",
        b"\x00\x00\xff\xff\xff\xff",
        b"\x00\x00\x7f\xff\xff\xff\x00\x01a",
        b"\x00\x00\x00\x00\x00\x01\x00",
        b"\x00\x00\x00\x00\x00\x01\x00\x05a",
        b"\x00\x00\x00\x00\x00\x01\xff\xffa",
        b"\x00\x00\x00\x00\x00\x01\x00\x01\xff",
    ],
)
def test_other_bytes(metadata: bytes) -> None:
    assert subscribed_topics(metadata) is None


@given(st.binary(max_size=60))
def test_never_breaks(metadata: bytes) -> None:
    subscribed_topics(metadata)
