"""A topic's configuration: its own values over the broker's defaults.

Kafka: `LogConfig`, `KafkaConfig.extractLogConfigMap`, `KafkaConfigSchema`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kbroker.config.key import ConfigError, Value
from kbroker.config.topic_keys import SERVER_SYNONYM, TOPIC_KEYS
from kbroker.protocol.errors import INVALID_CONFIG, KafkaError

if TYPE_CHECKING:
    from kbroker.config.settings import Config

logger = logging.getLogger(__name__)

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000

# Topic keys whose default several broker keys may give: the first that is set, in its unit.
BROKER_UNITS: dict[str, tuple[tuple[str, int], ...]] = {
    "retention.ms": (
        ("log.retention.ms", 1),
        ("log.retention.minutes", _MINUTE_MS),
        ("log.retention.hours", _HOUR_MS),
    ),
    "segment.ms": (("log.roll.ms", 1), ("log.roll.hours", _HOUR_MS)),
    "segment.jitter.ms": (("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", _HOUR_MS)),
    "flush.ms": (("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)),
}


def broker_units(name: str) -> tuple[tuple[str, int], ...]:
    """The broker keys behind a topic key, each with the factor to the topic key's unit."""
    units = BROKER_UNITS.get(name)
    if units is None:
        server_key = SERVER_SYNONYM.get(name)
        units = ((server_key, 1),) if server_key else ()
    return units


def broker_topic_defaults(config: Config) -> dict[str, Value]:
    """What a topic without values of its own gets on this broker; the caller's own copy."""
    if config.topic_defaults is None:
        config.topic_defaults = {name: _broker_default(name, config) for name in TOPIC_KEYS}
    return dict(config.topic_defaults)


def _broker_default(name: str, config: Config) -> Value:
    for server_key, factor in broker_units(name):
        value = config.value(server_key)
        if value is not None:
            if factor != 1 or name in BROKER_UNITS:
                assert isinstance(value, int)
                value *= factor
                # Any negative retention means for ever.
                return max(value, -1) if name == "retention.ms" else value
            return value
    return TOPIC_KEYS[name].default_value()


def effective_topic_config(overrides: Mapping[str, str], config: Config) -> dict[str, Value]:
    """Every topic key's typed value. A stored value that does not fit is logged and left out."""
    values = broker_topic_defaults(config)
    for name, text in overrides.items():
        key = TOPIC_KEYS.get(name)
        if key is None:
            continue
        try:
            values[name] = key.parse(text)
        except ConfigError as error:
            logger.error("Ignoring a topic config: %s", error)
    return values


def validate_topic_config(overrides: Mapping[str, str], config: Config) -> None:
    """Raise KafkaError(INVALID_CONFIG) unless a topic may have these values, all together."""
    values = broker_topic_defaults(config)
    for name, text in overrides.items():
        key = TOPIC_KEYS.get(name)
        if key is None:
            raise KafkaError(INVALID_CONFIG, f"Unknown topic config name: {name}")
        values[name] = _parsed(key.parse, text)
    low, high = values["min.compaction.lag.ms"], values["max.compaction.lag.ms"]
    assert isinstance(low, int)
    assert isinstance(high, int)
    if low > high:
        raise KafkaError(
            INVALID_CONFIG,
            f"conflict topic config setting min.compaction.lag.ms ({low}) > max.compaction.lag.ms ({high})",
        )
    if values["remote.storage.enable"]:
        raise KafkaError(
            INVALID_CONFIG,
            "Tiered Storage functionality is disabled in the broker. "
            "Topic cannot be configured with remote log storage.",
        )


def _parsed(parse: Callable[[str], Value], text: str) -> Value:
    try:
        return parse(text)
    except ConfigError as error:
        raise KafkaError(INVALID_CONFIG, str(error)) from None
