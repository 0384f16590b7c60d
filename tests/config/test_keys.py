"""The tables of keys against Apache Kafka's own definitions."""

import json
from pathlib import Path
from typing import Any

import pytest

from kbroker.config.broker_keys import BROKER_KEYS, BROKER_SYNONYMS
from kbroker.config.documentation import documentation
from kbroker.config.group_keys import CLIENT_METRICS_KEYS, GROUP_KEYS, GROUP_SYNONYM
from kbroker.config.key import (
    CLUSTER_WIDE,
    DOUBLE,
    INT,
    LIST,
    PER_BROKER,
    READ_ONLY,
    TYPE_NAMES,
    ConfigError,
    ConfigKey,
    format_value,
    parse_value,
)
from kbroker.config.own_keys import OWN_KEYS
from kbroker.config.supported import MEANINGLESS, REFUSED, REMOVED, SUPPORTED
from kbroker.config.topic_keys import SERVER_SYNONYM, TOPIC_KEYS
from kbroker.config.topics import broker_units

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "kafka" / "facts.json").read_text())
UPDATE = {None: READ_ONLY, "per-broker": PER_BROKER, "cluster-wide": CLUSTER_WIDE}


@pytest.mark.parametrize(
    ("keys", "section"),
    [
        (BROKER_KEYS, "broker"),
        (TOPIC_KEYS, "topic"),
        (GROUP_KEYS, "group"),
        (CLIENT_METRICS_KEYS, "client_metrics"),
    ],
)
def test_every_key_is_as_in_kafka(keys: dict[str, ConfigKey], section: str) -> None:
    facts: dict[str, Any] = FACTS[section]
    # These three exist only as dynamic configs.
    assert set(keys) - set(facts) == (set(FACTS["quota"]) if section == "broker" else set())
    assert set(facts) <= set(keys)
    for name, fact in facts.items():
        key = keys[name]
        assert (TYPE_NAMES[key.kind], key.default, key.internal) == (
            fact["type"],
            fact["default"],
            fact["internal"],
        ), name


def test_update_modes_are_as_in_kafka() -> None:
    modes = FACTS["dynamic"]
    assert {name: key.update for name, key in BROKER_KEYS.items()} == {
        name: UPDATE[modes.get(name)] for name in BROKER_KEYS
    }
    assert set(modes) <= set(BROKER_KEYS)


@pytest.mark.parametrize("section", ["broker", "topic", "group"])
def test_limits_are_as_in_kafka(section: str) -> None:
    """Values at and beyond the ends of every range Kafka prints."""
    keys = {"broker": BROKER_KEYS, "topic": TOPIC_KEYS, "group": GROUP_KEYS}[section]
    tried = 0
    for name, fact in FACTS[section].items():
        if fact["validator_class"] != "Range":
            continue
        low, *_, high = fact["validator"].strip("[]").split(",")
        key = keys[name]
        key.parse(low)
        with pytest.raises(ConfigError, match=f"Value must be at least {low}"):
            key.parse(str(int(low) - 1))
        if high != "...":
            key.parse(high)
            with pytest.raises(ConfigError):
                key.parse(str(float(high) + 1) if key.kind == DOUBLE else str(int(high) + 1))
        tried += 1
    assert tried > (5 if section == "group" else 15)


@pytest.mark.parametrize("section", ["broker", "topic", "group", "client_metrics"])
def test_list_rules_are_as_in_kafka(section: str) -> None:
    keys = {
        "broker": BROKER_KEYS,
        "topic": TOPIC_KEYS,
        "group": GROUP_KEYS,
        "client_metrics": CLIENT_METRICS_KEYS,
    }[section]
    for name, fact in FACTS[section].items():
        rule = fact["list_rule"]
        if rule is None:
            continue
        if rule["isEmptyAllowed"]:
            assert keys[name].parse("") == []
        else:
            with pytest.raises(ConfigError, match="must not be empty"):
                keys[name].parse("")


def test_words_are_as_in_kafka() -> None:
    for name, fact in {**FACTS["broker"], **FACTS["topic"]}.items():
        if fact["validator_class"] in ("ValidString", "CaseInsensitiveValidString"):
            key = BROKER_KEYS.get(name) or TOPIC_KEYS[name]
            for word in fact["validator"].rpartition("[")[2].strip("]").split(", "):
                assert key.parse(word) == word
            with pytest.raises(ConfigError, match="String must be one of"):
                key.parse("no such word")


def test_synonyms_are_as_in_kafka() -> None:
    assert FACTS["topic_synonym"] == SERVER_SYNONYM
    for name, units in FACTS["topic_synonyms"].items():
        assert [[key, str(factor)] for key, factor in broker_units(name)] == units
    assert {name: GROUP_SYNONYM.get(name) for name in GROUP_KEYS} == FACTS["group_synonym"]
    assert {name: list(names) for name, names in BROKER_SYNONYMS.items()} == FACTS["broker_synonyms"]


def test_the_sorting_into_supported_or_not_names_only_real_keys() -> None:
    assert set(BROKER_KEYS) >= SUPPORTED
    assert set(BROKER_KEYS) >= MEANINGLESS
    assert set(BROKER_KEYS) >= REFUSED
    assert not SUPPORTED & MEANINGLESS
    assert not REMOVED & set(BROKER_KEYS)


def test_every_key_is_documented() -> None:
    for name in (*BROKER_KEYS, *TOPIC_KEYS, *GROUP_KEYS, *CLIENT_METRICS_KEYS, *OWN_KEYS):
        text = documentation(name)
        assert text, name
        assert text[0].isupper(), name
        assert text.endswith("."), name


def test_every_default_fits_its_own_key() -> None:
    for key in (*BROKER_KEYS.values(), *TOPIC_KEYS.values(), *GROUP_KEYS.values(), *OWN_KEYS.values()):
        if key.default is not None and key.name != "group.initial.rebalance.delay.ms":
            assert format_value(key.parse(key.default)) == key.default, key.name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (1.0, "1.0"),
        (0.001, "0.001"),
        (1e-4, "1.0E-4"),
        (1234567.5, "1234567.5"),
        (1e7, "1.0E7"),
        (12345678.9, "1.23456789E7"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_doubles_print_as_in_java(value: float, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize("text", ["", " ", "1_0", "0x1", "1.0", "--1", "2147483648", "9" * 10_000, "٣"])
def test_what_is_no_int(text: str) -> None:
    with pytest.raises(ConfigError, match="Not a number of type INT"):
        parse_value("x", INT, text)


def test_what_is_an_int() -> None:
    assert [parse_value("x", INT, text) for text in (" 7 ", "+7", "-0", "0007")] == [7, 7, 0, 7]


def test_lists_split_at_commas_and_lose_the_space_around() -> None:
    assert parse_value("x", LIST, " a , b,c ") == ["a", "b", "c"]
    assert parse_value("x", LIST, " ") == []
