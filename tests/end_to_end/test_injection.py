"""X10: names and settings that would reach beyond the broker, if anybody let them.

A real broker in a folder of its own: whatever is asked for, nothing appears
outside of its data directory, no log line is a client's, and every name that
was taken can be read back under itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kbroker.handlers.table import SUPPORTED
from kbroker.protocol.errors import INVALID_TOPIC_EXCEPTION, NONE, UNKNOWN_TOPIC_OR_PARTITION
from kbroker.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from kbroker.protocol.generated.metadata_request import MetadataRequest, MetadataRequestTopic
from kbroker.protocol.primitives import Struct
from tests.end_to_end.conftest import StartBroker
from tests.end_to_end.plain_client import PlainClient
from tests.protocol.samples import sample
from tests.wire.requests import request_name

CREATE_TOPICS, METADATA = 19, 3
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARNING|ERROR) +[\w.]+: .*")

BAD_NAMES = [
    *("", ".", "..", "../outside", "../../outside", "/outside", "a/b", "a\\b", "..\\outside", "outside\0"),
    *("new\nline", "tab\t", "esc\x1b[2J", "ü", "a b", "a:b", "$(touch outside)", "`touch outside`", "%s%n"),
    *("x" * 250, "x" * 5000, "\u2028", "~", "*", "?"),
]
GOOD_NAMES = [
    "...",
    "x" * 249,
    "-",
    "_",
    "a.b",
    "C",
    "c",
    "__cluster_metadata_",
    "0-1",
    "t-delete",
    "t-stray",
]
# Differs from a taken name by '.' and '_' only: their metrics would be the same.
COLLIDING = ["a_b"]
INJECTIONS = [
    *BAD_NAMES,
    "1999-01-01 00:00:00.000 ERROR broker: forged\n1999-01-01 forged",
    "${file:/etc/passwd:x}",
]


def create(client: PlainClient, *names: str) -> dict[str, int]:
    """The error code of each."""
    topics = [CreatableTopic(name, num_partitions=1, replication_factor=1) for name in names]
    answer = client.ask(CREATE_TOPICS, 5, CreateTopicsRequest(topics=topics, timeout_ms=30_000))
    return {topic.name: topic.error_code for topic in answer.topics}


def outside(folder: Path) -> set[str]:
    """Everything beside the data directory."""
    return {str(path) for path in folder.rglob("*") if "data" not in path.relative_to(folder).parts[:1]}


def assert_nothing_reached_out(folder: Path, output: str) -> None:
    assert outside(folder) == set()
    assert "Internal error" not in output
    assert [line for line in output.split("\n") if line and not LOG_LINE.fullmatch(line)] == []
    directories = {path.name for path in (folder / "data").iterdir() if path.is_dir()}
    assert [name for name in directories if not re.fullmatch(r"[a-zA-Z0-9._-]{1,255}-\d+", name)] == []


def test_topic_names(start_broker: StartBroker, tmp_path: Path) -> None:
    broker = start_broker("-o", "auto.create.topics.enable=true")
    with PlainClient(broker.port) as client:
        for name in BAD_NAMES:
            assert create(client, name) == {name: INVALID_TOPIC_EXCEPTION}
        assert set(create(client, *GOOD_NAMES).values()) == {NONE}
        for name in COLLIDING:
            assert create(client, name) == {name: INVALID_TOPIC_EXCEPTION}
        codes = dict.fromkeys(BAD_NAMES, INVALID_TOPIC_EXCEPTION)
        codes |= dict.fromkeys(COLLIDING, UNKNOWN_TOPIC_OR_PARTITION)
        for name, code in codes.items():
            asked = MetadataRequest(topics=[MetadataRequestTopic(name=name)])
            (topic,) = client.ask(METADATA, 9, asked).topics
            assert (topic.name, topic.error_code) == (name, code)
        listed = {topic.name for topic in client.ask(METADATA, 9, MetadataRequest(topics=None)).topics}
        assert listed == set(GOOD_NAMES)
    assert broker.stop() == 0
    assert_nothing_reached_out(tmp_path, broker.output)
    # And all of them come back from the disk.
    again = start_broker()
    with PlainClient(again.port) as client:
        topics = client.ask(METADATA, 9, MetadataRequest(topics=None)).topics
        assert {topic.name: topic.error_code for topic in topics} == dict.fromkeys(GOOD_NAMES, NONE)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_every_text_of_every_request(start_broker: StartBroker, tmp_path: Path, log_format: str) -> None:
    """Client ids, groups, members, config names and values, transactional ids, racks, topics."""
    broker = start_broker("-o", "kbroker.log.level=DEBUG", "-o", f"kbroker.log.format={log_format}")
    sent = 0
    for api_key in SUPPORTED:
        version = SUPPORTED[api_key][2]
        for number, text in enumerate(INJECTIONS):
            request = sample(request_name(api_key), version, "rich", number)
            put_everywhere(request, text)
            with PlainClient(broker.port, client_id=text[:1000], timeout_s=2) as client:
                client.ask_or_be_closed(api_key, version, request)
            sent += 1
    assert sent == len(SUPPORTED) * len(INJECTIONS)
    assert broker.stop() == 0
    if log_format == "text":
        assert_nothing_reached_out(tmp_path, broker.output)
    else:
        assert all(line.startswith('{"time": ') and line.endswith("}") for line in broker.output.splitlines())
    assert outside(tmp_path) == set()


def put_everywhere(value: Any, text: str) -> None:
    """`text` in the place of every string that the version has; waiting and sizes kept short."""
    if isinstance(value, list):
        value[:] = [text if isinstance(item, str) else item for item in value]
        for item in value:
            put_everywhere(item, text)
    elif isinstance(value, Struct):
        for field in value.FIELDS:
            found = getattr(value, field)
            if isinstance(found, str) and found:
                setattr(value, field, text)
            elif field in ("max_wait_ms", "timeout_ms", "rebalance_timeout_ms"):
                setattr(value, field, 100)
            else:
                put_everywhere(found, text)
