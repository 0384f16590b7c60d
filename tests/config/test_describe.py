"""What DescribeConfigs says, against the answers of a running Apache Kafka."""

import json
from pathlib import Path
from typing import Any

import pytest

from kbroker.config import Config, properties
from kbroker.config.describe import (
    ConfigEntry,
    created_topic_configs,
    describe_broker,
    describe_broker_default,
    describe_client_metrics,
    describe_group,
    describe_topic,
)
from kbroker.config.key import TYPE_NAMES

KAFKA = Path(__file__).parent / "kafka"
ANSWERS: dict[str, Any] = json.loads((KAFKA / "answers.json").read_text())
SOURCES = {
    1: "DYNAMIC_TOPIC_CONFIG",
    2: "DYNAMIC_BROKER_CONFIG",
    3: "DYNAMIC_DEFAULT_BROKER_CONFIG",
    4: "STATIC_BROKER_CONFIG",
    5: "DEFAULT_CONFIG",
    7: "DYNAMIC_CLIENT_METRICS_CONFIG",
    8: "DYNAMIC_GROUP_CONFIG",
}
TOPIC = {"cleanup.policy": "compact,delete", "segment.bytes": "2097152", "min.cleanable.dirty.ratio": "0.10"}


@pytest.fixture(scope="module")
def config() -> Config:
    """The broker that gave the answers: its file and its dynamic configs."""
    static = Config.from_sources(properties.parse((KAFKA / "server.properties").read_text()), mode="kafka")
    return static.with_dynamic(
        {
            "log.retention.ms": "7200000",
            "log.cleaner.min.cleanable.ratio": "0.75",
            "log.roll.ms": "100000",
            "log.flush.interval.ms": "1000",
            "min.insync.replicas": "1",
        },
        {"log.retention.ms": "3600000", "leader.replication.throttled.rate": "12345"},
    )


def shown(entries: list[ConfigEntry]) -> list[dict[str, Any]]:
    return [
        {
            "name": entry.name,
            "value": entry.value,
            "source": SOURCES[entry.source],
            "type": TYPE_NAMES[entry.kind],
            "read_only": entry.read_only,
            "sensitive": entry.sensitive,
            "synonyms": [[name, value, SOURCES[source]] for name, value, source in entry.synonyms],
        }
        for entry in entries
    ]


def test_topic(config: Config) -> None:
    assert shown(describe_topic(TOPIC, config)) == ANSWERS["topic"]


def test_broker(config: Config) -> None:
    ours = {entry["name"]: entry for entry in shown(describe_broker(config))}
    # A single node has defaults for what Kafka requires, and Kafka shows none.
    for name in ("node.id", "process.roles", "controller.listener.names", "log.dirs"):
        ours[name]["synonyms"] = [s for s in ours[name]["synonyms"] if s[2] != "DEFAULT_CONFIG"]
    ours["broker.id"]["synonyms"][-1][1] = "-1"
    theirs = {entry["name"]: entry for entry in ANSWERS["broker"]}
    for name, answer in theirs.items():
        assert ours.get(name) == answer, name
    assert [name for name in ours if not name.startswith("kbroker.")] == list(theirs)


def test_broker_default(config: Config) -> None:
    assert shown(describe_broker_default(config)) == ANSWERS["broker_default"]


def test_group(config: Config) -> None:
    entries = describe_group({"consumer.session.timeout.ms": "50000"}, config)
    assert shown(entries) == ANSWERS["group"]


def test_client_metrics() -> None:
    assert shown(describe_client_metrics({"interval.ms": "60000"})) == ANSWERS["client_metrics"]


def test_only_the_names_asked_for(config: Config) -> None:
    assert [e.name for e in describe_topic({}, config, ["retention.ms", "nonsense"])] == ["retention.ms"]
    assert [e.name for e in describe_broker(config, ["num.partitions"])] == ["num.partitions"]
    # An empty list asks for all, like none.
    assert len(describe_topic({}, config, [])) == 33


def test_the_default_broker_has_the_number_of_keys_kafka_has() -> None:
    assert len(describe_broker(Config.from_sources())) == 340


def test_keys_of_our_own_appear_when_set() -> None:
    config = Config.from_sources({"kbroker.log.level": "debug"})
    (entry,) = describe_broker(config, ["kbroker.log.level"])
    assert (entry.value, entry.read_only, entry.sensitive, entry.source) == ("debug", True, False, 4)


def test_secrets_and_strangers_are_hidden() -> None:
    config = Config.from_sources(
        dict.fromkeys(
            ("ssl.keystore.password", "confluent.license", "listener.name.x.ssl.key.password"), "s3cret"
        )
    )
    entries = describe_broker(config)
    assert "s3cret" not in repr(shown(entries))
    assert {entry.name for entry in entries if entry.sensitive and entry.source == 4} == set(config.static)


def test_created_topics_show_the_static_value_behind_another_unit() -> None:
    config = Config.from_sources({"log.retention.hours": "24"})
    entries = {entry.name: entry for entry in created_topic_configs({"segment.bytes": "2097152"}, config)}
    assert (entries["retention.ms"].value, entries["retention.ms"].source) == ("86400000", 4)
    assert (entries["segment.bytes"].value, entries["segment.bytes"].source) == ("2097152", 1)
    assert entries["segment.ms"].source == 5
    assert list(entries) == sorted(entries)
    assert len(entries) == 33
