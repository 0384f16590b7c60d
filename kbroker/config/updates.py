"""Whether a broker, group or subscription may be changed so.

Kafka: `DynamicBrokerConfig.validate`, `GroupConfig.validate`,
`ClientMetricsConfigs.validate`, with their messages.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from kbroker.config.broker_keys import BROKER_KEYS
from kbroker.config.group_keys import CLIENT_METRICS_KEYS, GROUP_KEYS, GROUP_SYNONYM
from kbroker.config.key import LIST, PER_BROKER, READ_ONLY, ConfigError, ConfigKey
from kbroker.config.settings import check_consistent
from kbroker.config.sources import listener_base_key
from kbroker.config.topic_keys import SERVER_SYNONYM, TOPIC_KEYS
from kbroker.protocol.errors import INVALID_CONFIG, INVALID_REQUEST, KafkaError

if TYPE_CHECKING:
    from kbroker.config.settings import Config

# DescribeConfigs' numbers for what has settings.
TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32

_KEYS_OF: dict[int, Mapping[str, ConfigKey]] = {
    TOPIC: TOPIC_KEYS,
    BROKER: BROKER_KEYS,
    CLIENT_METRICS: CLIENT_METRICS_KEYS,
    GROUP: GROUP_KEYS,
}

# What they hold is loaded, run or read from disk wherever the directory is served next: by Apache Kafka
# too. So they are set where the server's own files are, never over the network (CVE-2023-25194 and its kin).
_FILES_AND_CODE = frozenset(
    {
        "metric.reporters",
        "principal.builder.class",
        "sasl.jaas.config",
        "sasl.kerberos.kinit.cmd",
        "ssl.engine.factory.class",
        "ssl.keystore.location",
        "ssl.provider",
        "ssl.truststore.location",
    }
)
_CONFIG_PROVIDERS = "config.providers"

_CLUSTER_LEVEL_LISTENER_KEYS = ("max.connection.creation.rate", "max.connections", "num.network.threads")
_MATCH_PARAMETERS = (
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
)


def key_of(resource_type: int, name: str) -> ConfigKey | None:
    """The key a resource of this type knows by this name."""
    return _KEYS_OF.get(resource_type, {}).get(name)


def is_list(resource_type: int, name: str) -> bool:
    """Whether APPEND and SUBTRACT work on the key."""
    key = key_of(resource_type, name)
    return key is not None and key.kind == LIST


def static_or_default(resource_type: int, name: str, config: Config) -> str:
    """What APPEND to an unset key starts from: the static value behind it, else the default."""
    broker_key: str | None = name
    if resource_type == TOPIC:
        broker_key = SERVER_SYNONYM.get(name)
    elif resource_type == GROUP:
        broker_key = GROUP_SYNONYM.get(name)
    elif resource_type != BROKER:
        broker_key = None
    if broker_key is not None and broker_key in config.static:
        return config.static[broker_key]
    key = key_of(resource_type, name)
    return (key.default if key else None) or ""


def validate_broker_update(entries: Mapping[str, str], config: Config, *, per_broker: bool) -> None:
    """Raise KafkaError(INVALID_REQUEST) unless these may be all dynamic configs of the resource.

    `per_broker`: of one broker, else of all. Unknown keys pass, as in Kafka; unlike in Kafka, those that
    name files or code never do.
    """
    _refuse(_read_only(entries), "Cannot update these configs dynamically")
    _refuse(
        {name for name in entries if name.startswith("ssl.") and _update(name) == PER_BROKER},
        "These security configs can be dynamically updated only per-listener using the listener prefix",
    )
    # What Apache Kafka has once taken may stay as it is.
    stored = config.dynamic_broker if per_broker else config.dynamic_default
    _refuse(
        {name for name, value in entries.items() if _names_file_or_code(name) and stored.get(name) != value},
        "These configs name files or code and can only be set in the server's own properties",
    )
    for name, value in entries.items():
        key = BROKER_KEYS.get(name) or listener_base_key(name)
        if key is not None:
            _parse(key, value, INVALID_REQUEST)
    if not per_broker:
        _refuse(
            {name for name in entries if _update(name) == PER_BROKER or _of_one_listener(name)},
            "Cannot update these configs at default cluster level, broker id must be specified",
        )
    layers = (config.dynamic_default, entries) if per_broker else (entries, config.dynamic_broker)
    try:
        check_consistent(config.with_dynamic(*layers))
    except ConfigError as error:
        raise KafkaError(INVALID_REQUEST, f"requirement failed: {error}") from None


def _read_only(names: Collection[str]) -> set[str]:
    return {name for name in names if _update(name) == READ_ONLY}


def _update(name: str) -> int | None:
    key = BROKER_KEYS.get(name)
    return None if key is None else key.update


def _names_file_or_code(name: str) -> bool:
    key = listener_base_key(name)
    base = name if key is None else key.name
    return base in _FILES_AND_CODE or base.startswith(_CONFIG_PROVIDERS)


def _of_one_listener(name: str) -> bool:
    key = listener_base_key(name)
    return key is not None and key.name not in _CLUSTER_LEVEL_LISTENER_KEYS


def _refuse(names: set[str], why: str) -> None:
    if names:
        raise KafkaError(INVALID_REQUEST, f"{why}: [{', '.join(sorted(names))}]")


def _parse(key: ConfigKey, value: str, code: int) -> object:
    try:
        return key.parse(value)
    except ConfigError as error:
        raise KafkaError(code, str(error)) from None


def validate_group_config(overrides: Mapping[str, str], config: Config) -> None:
    """Raise KafkaError(INVALID_CONFIG) unless a group may have these values."""
    values: dict[str, object] = {}
    for name, text in overrides.items():
        key = GROUP_KEYS.get(name)
        if key is None:
            raise KafkaError(INVALID_CONFIG, f"Unknown group config name: {name}")
        values[name] = _parse(key, text, INVALID_CONFIG)
    for name, value in values.items():
        if isinstance(value, int):
            _check_bounds(name, value, config)
    for kind in ("consumer", "share", "streams"):
        session, heartbeat = f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms"
        session_ms = values.get(session, config.value(f"group.{session}"))
        heartbeat_ms = values.get(heartbeat, config.value(f"group.{heartbeat}"))
        assert isinstance(session_ms, int)
        assert isinstance(heartbeat_ms, int)
        if session_ms <= heartbeat_ms:
            raise KafkaError(INVALID_CONFIG, f"{session} must be greater than {heartbeat}")


def _check_bounds(name: str, value: int, config: Config) -> None:
    """The broker keys group.<kind>.min.<rest> and group.<kind>.max.<rest> bound <kind>.<rest>."""
    kind, _, rest = name.partition(".")
    low, high = f"group.{kind}.min.{rest}", f"group.{kind}.max.{rest.removeprefix('num.')}"
    if low in BROKER_KEYS and value < config.int(low):
        raise KafkaError(INVALID_CONFIG, f"{name} must be greater than or equal to {low}")
    if high in BROKER_KEYS and value > config.int(high):
        raise KafkaError(INVALID_CONFIG, f"{name} must be less than or equal to {high}")


def validate_client_metrics(subscription: str, entries: Mapping[str, str]) -> None:
    """Raise KafkaError unless a client metrics subscription may have these values."""
    if not subscription:
        raise KafkaError(INVALID_REQUEST, "Subscription name can't be empty")
    for name, text in entries.items():
        key = CLIENT_METRICS_KEYS.get(name)
        if key is None:
            raise KafkaError(INVALID_REQUEST, f"Unknown client metrics configuration: {name}")
        value = _parse(key, text, INVALID_CONFIG)
        if isinstance(value, int) and not 100 <= value <= 3_600_000:
            raise KafkaError(
                INVALID_REQUEST,
                f"Invalid value {value} for interval.ms, interval must be between 100 and 3600000 (1 hour)",
            )
        if name == "match":
            assert isinstance(value, list)
            for pattern in value:
                _check_match(pattern)


def _check_match(pattern: str) -> None:
    import re

    parameter, equals, expression = pattern.partition("=")
    try:
        re.compile(expression)
        valid = bool(equals) and parameter.strip() in _MATCH_PARAMETERS
    except (re.error, RecursionError, OverflowError):
        valid = False
    if not valid:
        raise KafkaError(INVALID_CONFIG, f"Illegal client matching pattern: {pattern}")
