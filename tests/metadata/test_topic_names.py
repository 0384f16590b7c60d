"""Names of topics, good and bad."""

from __future__ import annotations

import pytest

from kbroker.metadata.topic_names import is_valid_topic_name, unify_collision_characters, why_invalid


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "...", "a" * 249])
def test_good_names(name: str) -> None:
    assert is_valid_topic_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a" * 250, "a b", "ä", "a\n", "a/b", "٣"])
def test_bad_names(name: str) -> None:
    assert (why_invalid(name) or "").startswith("Topic name is invalid: ")


def test_metrics_confuse_dots_and_underscores() -> None:
    assert unify_collision_characters("a.b_c") == "a_b_c"
