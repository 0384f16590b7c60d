"""Every setting: what it is, where it comes from, what it means.

Kafka's names, types, defaults and rules throughout; keys of our own begin with
`kbroker.`. Knows nothing of who uses a setting.
"""

from kbroker.config.key import ConfigError, ConfigKey, Value, format_value
from kbroker.config.listeners import Listener
from kbroker.config.settings import Config
from kbroker.config.sources import KEYS
from kbroker.config.topic_keys import TOPIC_KEYS
from kbroker.config.topics import effective_topic_config, validate_topic_config

__all__ = [
    "KEYS",
    "TOPIC_KEYS",
    "Config",
    "ConfigError",
    "ConfigKey",
    "Listener",
    "Value",
    "effective_topic_config",
    "format_value",
    "validate_topic_config",
]
