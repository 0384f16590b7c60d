"""What DescribeConfigs says: values, their sources and synonyms.

Kafka: `ConfigHelper`, `KafkaConfigSchema`. Held against a running broker's
answers by a test.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from kbroker.config.broker_keys import BROKER_KEYS, broker_synonyms
from kbroker.config.group_keys import CLIENT_METRICS_KEYS, GROUP_KEYS, GROUP_SYNONYM
from kbroker.config.key import READ_ONLY, UNKNOWN, ConfigKey, Value, format_value
from kbroker.config.sources import KEYS, listener_base_key
from kbroker.config.topic_keys import SERVER_SYNONYM, TOPIC_KEYS
from kbroker.config.topics import broker_units, effective_topic_config

if TYPE_CHECKING:
    from kbroker.config.settings import Config

TOPIC_CONFIG = 1
DYNAMIC_BROKER_CONFIG = 2
DYNAMIC_DEFAULT_BROKER_CONFIG = 3
STATIC_BROKER_CONFIG = 4
DEFAULT_CONFIG = 5
CLIENT_METRICS_CONFIG = 7
GROUP_CONFIG = 8

# Name, value, source.
Synonym = tuple[str, str | None, int]


class ConfigEntry:
    """One described setting."""

    __slots__ = ("kind", "name", "read_only", "sensitive", "source", "synonyms", "value")

    def __init__(
        self,
        name: str,
        value: str | None,
        kind: int,
        synonyms: list[Synonym],
        *,
        read_only: bool = False,
        sensitive: bool = False,
    ) -> None:
        self.name = name
        self.value = None if sensitive else value
        self.kind = kind
        self.synonyms = synonyms
        self.source = synonyms[0][2] if synonyms else DEFAULT_CONFIG
        self.read_only = read_only
        self.sensitive = sensitive

    @property
    def documentation(self) -> str | None:
        """What the setting means, in one or two sentences."""
        from kbroker.config.documentation import documentation

        return documentation(self.name)


def describe_topic(
    overrides: Mapping[str, str], config: Config, names: Collection[str] | None = None
) -> list[ConfigEntry]:
    """Every topic key, or those of `names`, sorted."""
    values = effective_topic_config(overrides, config)
    return [
        _topic_entry(key, values[key.name], name in overrides, config)
        for name, key in _wanted(TOPIC_KEYS, overrides, names)
    ]


def _topic_entry(key: ConfigKey, value: Value, overridden: bool, config: Config) -> ConfigEntry:
    text = format_value(value)
    server_key = SERVER_SYNONYM.get(key.name)
    synonyms = _broker_chain(server_key, config) if server_key else []
    if overridden:
        synonyms.insert(0, (key.name, text, TOPIC_CONFIG))
    return ConfigEntry(key.name, text, key.kind, synonyms)


def created_topic_configs(overrides: Mapping[str, str], config: Config) -> list[ConfigEntry]:
    """What CreateTopics answers: the effective settings.

    Unlike in DescribeConfigs a value from log.retention.hours counts as static, not as a default,
    and the topic's own values are shown as they were written.
    """
    values = effective_topic_config(overrides, config)
    entries = []
    for name, key in _wanted(TOPIC_KEYS, overrides, None):
        text = overrides[name] if name in overrides else format_value(values[name])
        entry = ConfigEntry(name, text, key.kind, [])
        entry.source = TOPIC_CONFIG if name in overrides else _broker_source(name, config)
        entries.append(entry)
    return entries


def _broker_source(name: str, config: Config) -> int:
    layers = (
        (config.dynamic_broker, DYNAMIC_BROKER_CONFIG),
        (config.dynamic_default, DYNAMIC_DEFAULT_BROKER_CONFIG),
        (config.static, STATIC_BROKER_CONFIG),
    )
    for layer, source in layers:
        if any(server_key in layer for server_key, _ in broker_units(name)):
            return source
    return DEFAULT_CONFIG


def describe_broker(config: Config, names: Collection[str] | None = None) -> list[ConfigEntry]:
    """This broker's settings. Kafka's internal keys and kbroker's own appear when they are set."""
    explicit = {**config.static, **config.dynamic_default, **config.dynamic_broker}
    return [
        _broker_entry(name, format_value(config.value(name)) if name in KEYS else explicit[name], config)
        for name, _ in _wanted(BROKER_KEYS, explicit, names)
    ]


def describe_broker_default(config: Config, names: Collection[str] | None = None) -> list[ConfigEntry]:
    """What is set for all brokers, and nothing else."""
    entries = []
    for name in sorted(config.dynamic_default):
        if names is None or name in names:
            entry = _broker_entry(name, config.dynamic_default[name], config)
            entry.synonyms = [s for s in entry.synonyms if s[2] == DYNAMIC_DEFAULT_BROKER_CONFIG]
            entry.source = DYNAMIC_DEFAULT_BROKER_CONFIG
            entries.append(entry)
    return entries


def _broker_entry(name: str, value: str | None, config: Config) -> ConfigEntry:
    key = KEYS.get(name) or listener_base_key(name)
    # What nobody knows may be a secret.
    sensitive = key is None or key.sensitive
    synonyms = _broker_chain(name, config, sensitive)
    return ConfigEntry(
        name,
        value,
        UNKNOWN if key is None else key.kind,
        synonyms,
        read_only=key is None or key.update == READ_ONLY or name not in KEYS,
        sensitive=sensitive,
    )


def describe_group(
    overrides: Mapping[str, str], config: Config, names: Collection[str] | None = None
) -> list[ConfigEntry]:
    """Every group key; its broker-wide default is the broker key `group.<name>`."""
    entries = []
    for name, key in _wanted(GROUP_KEYS, overrides, names):
        server_key = GROUP_SYNONYM.get(name)
        synonyms = _broker_chain(server_key, config) if server_key else []
        if name in overrides:
            value = format_value(key.parse(overrides[name]))
            synonyms.insert(0, (name, value, GROUP_CONFIG))
        else:
            value = format_value(config.value(server_key)) if server_key else key.default
            if server_key is None:
                synonyms = [(name, value, DEFAULT_CONFIG)]
        entries.append(ConfigEntry(name, value, key.kind, synonyms))
    return entries


def describe_client_metrics(
    overrides: Mapping[str, str], names: Collection[str] | None = None
) -> list[ConfigEntry]:
    """One client metrics subscription."""
    entries = []
    for name, key in _wanted(CLIENT_METRICS_KEYS, overrides, names):
        value = overrides.get(name, key.default)
        synonyms: list[Synonym] = [(name, value, CLIENT_METRICS_CONFIG)] if name in overrides else []
        entries.append(ConfigEntry(name, value, key.kind, synonyms))
    return entries


def _wanted(
    keys: Mapping[str, ConfigKey], explicit: Collection[str], names: Collection[str] | None
) -> Iterator[tuple[str, ConfigKey]]:
    """The public keys and those set explicitly, in order; an unknown name with a stand-in key."""
    public = {name for name, key in keys.items() if not key.internal}
    for name in sorted(public.union(explicit)):
        if not names or name in names:
            yield name, keys.get(name) or ConfigKey(name, UNKNOWN, None)


def _broker_chain(name: str, config: Config, sensitive: bool = False) -> list[Synonym]:
    """Where a broker key and its synonyms are set, nearest first, from the first that bears its name."""
    base = listener_base_key(name)
    synonyms = broker_synonyms(name) if base is None else (name, base.name)
    chain: list[Synonym] = []
    for layer, source in (
        (config.dynamic_broker, DYNAMIC_BROKER_CONFIG),
        (config.dynamic_default, DYNAMIC_DEFAULT_BROKER_CONFIG),
        (config.static, STATIC_BROKER_CONFIG),
    ):
        chain += [(n, None if sensitive else layer[n], source) for n in synonyms if n in layer]
    for synonym in synonyms:
        default = config.default_text(synonym) if synonym in KEYS else None
        # A key that only exists while it is set dynamically has no default to show.
        if default is not None:
            chain.append((synonym, None if sensitive else default, DEFAULT_CONFIG))
    while chain and chain[0][0] != name:
        del chain[0]
    return chain
