"""Which partition coordinates a group: by Java's hash."""

from __future__ import annotations

import pytest

from kbroker.coordinator.group.partitioning import java_hash, partition_for


@pytest.mark.parametrize(
    ("text", "hash_code"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("console-consumer-12345", 158455506),
        ("gruppe-ä€", -595618278),
        ("\N{GRINNING FACE}", 1772899),
        # The smallest int there is.
        ("polygenelubricants", -(2**31)),
    ],
)
def test_java_hash(text: str, hash_code: int) -> None:
    assert java_hash(text) == hash_code


def test_partition() -> None:
    assert partition_for("hello", 50) == 22
    assert partition_for("gruppe-ä€", 50) == 595618278 % 50
    assert partition_for("polygenelubricants", 50) == 0
    assert partition_for("", 50) == 0
