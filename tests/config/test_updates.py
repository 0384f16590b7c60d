"""Which changes are refused and how, against the answers of a running Apache Kafka."""

import json
from pathlib import Path
from typing import Any

import pytest

from kbroker.config import Config, validate_topic_config
from kbroker.config.updates import (
    BROKER,
    CLIENT_METRICS,
    GROUP,
    TOPIC,
    is_list,
    static_or_default,
    validate_broker_update,
    validate_client_metrics,
    validate_group_config,
)
from kbroker.protocol.errors import KafkaError

ANSWERS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "kafka" / "answers.json").read_text())[
    "alter"
]

# Not a matter of values: eligible leader replicas, thread pools, a map that would close open ports.
ELSEWHERE = ("background.threads", "listener.security.protocol.map", "min.insync.replicas")

CASES = [
    case
    for case in ANSWERS
    if not (case["type"] == "BROKER" and case["key"] in ELSEWHERE)
    # The name of a group is checked by the handler.
    and not (case["type"] == "GROUP" and not case["resource"])
]

CONFIG = Config.from_sources(
    {
        "controller.quorum.voters": "1@localhost:19393",
        "listeners": "PLAINTEXT://127.0.0.1:19392,CONTROLLER://127.0.0.1:19393",
    },
    mode="kafka",
)


def answer(kind: str, resource: str, key: str, value: str) -> tuple[int, str | None]:
    entries = {key: value}
    try:
        if kind == "TOPIC":
            validate_topic_config(entries, CONFIG)
        elif kind == "BROKER":
            validate_broker_update(entries, CONFIG, per_broker=bool(resource))
        elif kind == "GROUP":
            validate_group_config(entries, CONFIG)
        else:
            validate_client_metrics(resource, entries)
    except KafkaError as error:
        return error.code, error.message
    return 0, None


@pytest.mark.parametrize(
    "case",
    CASES,
    ids=lambda case: f"{case['type']}-{case['resource']}-{case['key']}={case['value']}",
)
def test_refused_as_by_kafka(case: dict[str, Any]) -> None:
    ours = answer(case["type"], case["resource"], case["key"], case["value"])
    if case["key"] == "max.connections.per.ip.overrides":
        assert ours[0] == case["error"]  # Kafka's text is Java's of a failed substring
    else:
        assert ours == (case["error"], case["message"])


def test_lags_are_checked_together_with_the_brokers() -> None:
    config = Config.from_sources({"log.cleaner.max.compaction.lag.ms": "10"})
    with pytest.raises(KafkaError, match=r"lag\.ms \(11\) > max\.compaction\.lag\.ms \(10\)"):
        validate_topic_config({"min.compaction.lag.ms": "11"}, config)


def test_a_sessions_timeout_is_longer_than_its_heartbeats() -> None:
    config = Config.from_sources({"group.consumer.max.heartbeat.interval.ms": "90000"})
    with pytest.raises(KafkaError, match=r"consumer\.session\.timeout\.ms must be greater than"):
        validate_group_config({"consumer.heartbeat.interval.ms": "50000"}, config)


def test_append_starts_from_the_static_value_or_the_default() -> None:
    config = Config.from_sources({"log.cleanup.policy": "compact"})
    assert static_or_default(TOPIC, "cleanup.policy", config) == "compact"
    assert static_or_default(TOPIC, "cleanup.policy", CONFIG) == "delete"
    assert static_or_default(TOPIC, "leader.replication.throttled.replicas", CONFIG) == ""
    assert static_or_default(BROKER, "log.cleanup.policy", config) == "compact"
    assert static_or_default(GROUP, "consumer.session.timeout.ms", CONFIG) == "45000"
    assert static_or_default(CLIENT_METRICS, "match", CONFIG) == ""


def test_which_keys_are_lists() -> None:
    assert is_list(TOPIC, "cleanup.policy")
    assert is_list(BROKER, "log.cleanup.policy")
    assert is_list(CLIENT_METRICS, "match")
    assert not is_list(TOPIC, "retention.ms")
    assert not is_list(GROUP, "no.such.key")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metric.reporters", "com.example.Evil"),
        ("config.providers", "file"),
        ("config.providers.file.class", "org.apache.kafka.common.config.provider.FileConfigProvider"),
        ("principal.builder.class", "com.example.Evil"),
        ("sasl.kerberos.kinit.cmd", "/bin/sh"),
        ("sasl.jaas.config", "com.sun.security.auth.module.JndiLoginModule required;"),
        ("listener.name.plaintext.ssl.keystore.location", "/etc/shadow"),
        ("listener.name.plaintext.ssl.truststore.location", "/etc/shadow"),
        ("listener.name.plaintext.ssl.engine.factory.class", "com.example.Evil"),
        ("listener.name.plaintext.scram-sha-256.sasl.jaas.config", "com.example.Evil required;"),
    ],
)
def test_no_file_and_no_code_can_be_named_over_the_network(name: str, value: str) -> None:
    with pytest.raises(KafkaError, match="name files or code"):
        validate_broker_update({name: value}, CONFIG, per_broker=True)
    # What Apache Kafka left in the directory does not stand in the way of other changes.
    kept = CONFIG.with_dynamic({}, {name: value})
    validate_broker_update({name: value, "log.retention.ms": "1000"}, kept, per_broker=True)


@pytest.mark.parametrize("expression", ["(" * 5000 + ")" * 5000, "a{1,99999999999}", "("])
def test_a_pattern_that_is_too_much_for_the_compiler_is_refused(expression: str) -> None:
    with pytest.raises(KafkaError, match="Illegal client matching pattern"):
        validate_client_metrics("s", {"match": f"client_id={expression}"})
