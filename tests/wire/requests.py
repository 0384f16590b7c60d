"""Valid requests that lead deep: they name what exists."""

from __future__ import annotations

import random
from typing import Any

from kbroker.handlers.table import SUPPORTED
from kbroker.protocol.messages import API
from tests.handlers.support import batch
from tests.protocol.samples import Profile, encode, sample

# Every API in every version that is announced and served.
PAIRS = [
    (api_key, version)
    for api_key, (_, first, last) in SUPPORTED.items()
    for version in range(first, last + 1)
]

# What a text may be replaced by: a topic, a group, a broker, a config key and its value.
_TEXTS = ("t", "__consumer_offsets", "g", "1", "", "retention.ms", "1000", "range")
# Some sizes and counts would only keep the test busy.
_TAMED = {"num_partitions": 3, "count": 4, "max_wait_ms": 0, "timeout_ms": 100}


def request_name(api_key: int) -> str:
    return f"{API[api_key].name}Request"


def request_body(
    api_key: int, version: int, rng: random.Random, topic_ids: list[bytes], profile: Profile = "small"
) -> bytes:
    """A request that its version can carry."""
    message = sample(request_name(api_key), version, profile, rng.randrange(1 << 30))
    _make_plausible(message, rng, topic_ids)
    return encode(message, version)


def _make_plausible(value: Any, rng: random.Random, topic_ids: list[bytes]) -> None:
    if isinstance(value, list):
        for item in value:
            _make_plausible(item, rng, topic_ids)
    elif hasattr(value, "FIELDS"):
        for field in value.FIELDS:
            found = getattr(value, field)
            replaced = _plausible(field, found, rng, topic_ids)
            if replaced is found:
                _make_plausible(found, rng, topic_ids)
            else:
                setattr(value, field, replaced)


def _plausible(field: str, found: Any, rng: random.Random, topic_ids: list[bytes]) -> Any:
    """Something for `found` that exists, most of the time; itself else."""
    if field in _TAMED:
        return _TAMED[field]
    if rng.random() < 0.3:
        return found
    if isinstance(found, str) and found:
        return rng.choice(_TEXTS)
    if isinstance(found, bytes) and len(found) == 16:
        return rng.choice(topic_ids)
    if isinstance(found, memoryview):
        return memoryview(bytes(batch(b"one", b"two")))
    if type(found) is int and found > 10:
        return rng.choice((0, 1, -1, 2))
    return found


def damaged(body: bytes, rng: random.Random) -> bytes:
    """One to five bytes changed; every fourth is cut besides."""
    data = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        if data:
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    if rng.random() < 0.25:
        del data[rng.randrange(len(data) + 1) :]
    return bytes(data)
