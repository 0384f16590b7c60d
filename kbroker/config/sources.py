"""Where settings come from: -o, KAFKA_* variables, a properties file.

In that order of precedence; below them the mode's defaults and Kafka's. The
rule for variables is the one of Kafka's container image: KAFKA_ABC_DEF is
abc.def, `__` stands for `_` and `___` for `-`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from kbroker.config.broker_keys import BROKER_KEYS
from kbroker.config.key import LIST, STRING, ConfigError, ConfigKey
from kbroker.config.own_keys import OWN_KEYS
from kbroker.config.supported import FOREIGN_KEYS, FOREIGN_PREFIXES, MEANINGLESS, REFUSED, REMOVED, SUPPORTED
from kbroker.config.topic_keys import SERVER_SYNONYM, TOPIC_KEYS

KEYS: dict[str, ConfigKey] = {**BROKER_KEYS, **OWN_KEYS}

# Variables that look like settings and are not: Kafka's scripts and images, and what people call their own.
_NO_SETTINGS = frozenset(
    (
        "KAFKA_CREATE_TOPICS",
        "KAFKA_CREATE_TOPICS_SEPARATOR",
        "KAFKA_DEBUG",
        "KAFKA_GC_LOG_OPTS",
        "KAFKA_HEAP_OPTS",
        "KAFKA_HOME",
        "KAFKA_OPTS",
        "KAFKA_TOOLS_LOG4J_LOGLEVEL",
        "KAFKA_VERSION",
    )
)
_NO_SETTING_PREFIXES = ("KAFKA_JMX_", "KAFKA_JVM_", "KAFKA_LOG4J_", "KAFKA_PORT_", "KAFKA_SERVICE_")

# A file or an -o is meant for us, so any unknown key is a mistake. A variable may
# belong to somebody else: only one that all but spells a key is.
_NEAR = 0.6
_NEAR_VARIABLE = 0.86

Notice = tuple[int, str]

# Who wins.
FILE, VARIABLE, OPTION = range(3)


class Setting:
    """One explicit value and where it was written."""

    __slots__ = ("origin", "rank", "value")

    def __init__(self, value: str, origin: str, rank: int) -> None:
        self.value = value
        self.origin = origin
        self.rank = rank


def variable_to_key(variable: str) -> str:
    dotted = variable.removeprefix("KAFKA_").lower().replace("_", ".")
    return dotted.replace("...", "-").replace("..", "_")


def collect(
    properties: Mapping[str, str], environment: Mapping[str, str], overrides: Mapping[str, str]
) -> tuple[dict[str, Setting], list[Notice]]:
    """All explicit settings of known keys, and what is to be logged about the others."""
    settings: dict[str, Setting] = {}
    notices: list[Notice] = []
    for name, value in properties.items():
        if _known(name, "the configuration file", _NEAR, notices):
            settings[name] = Setting(value, "the configuration file", FILE)
    for variable, name, value in _from_environment(environment):
        if _known(name, variable, _NEAR_VARIABLE, notices):
            settings[name] = Setting(value, variable, VARIABLE)
    for name, value in overrides.items():
        if _known(name, "-o", _NEAR, notices):
            settings[name] = Setting(value, "-o", OPTION)
    _declare_topics(settings, environment)
    for name in ("advertised.listeners", "log.dirs"):
        # A compose file's way to leave these unset.
        if name in settings and not settings[name].value.strip():
            del settings[name]
    _fit_listeners(settings, notices)
    return settings, notices


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for variable in sorted(environment):
        value = environment[variable]
        if variable == "CLUSTER_ID":
            yield variable, "kbroker.cluster.id", value
        elif variable.startswith("KAFKA_") and not _is_no_setting(variable):
            name = variable_to_key(variable)
            key = KEYS.get(name)
            # An empty variable is how compose files leave a number unset.
            if value.strip() or key is None or key.kind in (STRING, LIST):
                yield variable, name, value


def _is_no_setting(variable: str) -> bool:
    return variable in _NO_SETTINGS or variable.startswith(_NO_SETTING_PREFIXES)


def _declare_topics(settings: dict[str, Setting], environment: Mapping[str, str]) -> None:
    declared = environment.get("KAFKA_CREATE_TOPICS", "").strip()
    if declared and "kbroker.topics" not in settings:
        separator = environment.get("KAFKA_CREATE_TOPICS_SEPARATOR") or "\n"
        topics = declared.replace(separator.replace("$'\\n'", "\n"), ",")
        items = (item.strip() for item in topics.split(","))
        value = ",".join(filter(None, items))
        settings["kbroker.topics"] = Setting(value, "KAFKA_CREATE_TOPICS", VARIABLE)


def _fit_listeners(settings: dict[str, Setting], notices: list[Notice]) -> None:
    """Make `listeners` and `advertised.listeners` fit where only one of them is overridden.

    The one of lower precedence is dropped if it names other listeners: an image's file says HOST, a
    compose file's variable says PLAINTEXT. As in Kafka's image, listeners that only a variable
    advertises are listened on at their port on every interface.
    """
    listeners, advertised = settings.get("listeners"), settings.get("advertised.listeners")
    if advertised is None:
        return
    if listeners is not None and listeners.rank != advertised.rank:
        if set(_listener_names(advertised)) <= set(_listener_names(listeners)):
            return
        dropped = "listeners" if listeners.rank < advertised.rank else "advertised.listeners"
        origin = settings.pop(dropped).origin
        notices.append((logging.INFO, f"{dropped} ({origin}) names other listeners: ignored"))
    if "listeners" not in settings and advertised.rank == VARIABLE:
        ports = [item.rpartition(":")[2].strip() for item in advertised.value.split(",")]
        named = zip(_listener_names(advertised), ports, strict=True)
        value = ",".join(f"{name}://:{port}" for name, port in named)
        settings["listeners"] = Setting(value, advertised.origin, VARIABLE)


def _listener_names(setting: Setting) -> list[str]:
    return [item.partition("://")[0].strip().upper() for item in setting.value.split(",")]


def _known(name: str, origin: str, nearness: float, notices: list[Notice]) -> bool:
    """Whether kbroker takes this setting; else says why, or raises ConfigError for a typo."""
    if name in SUPPORTED or name in OWN_KEYS:
        return True
    if name in REFUSED:
        return True
    if name in BROKER_KEYS or listener_base_key(name) is not None:
        notices.append((logging.INFO, _no_support(name)))
        return True
    if name in FOREIGN_KEYS or name.startswith(FOREIGN_PREFIXES):
        notices.append((logging.INFO, f"{name} ({origin}) belongs to a plug-in that kbroker does not have"))
        return True
    if name in REMOVED:
        notices.append((logging.WARNING, f"{name} ({origin}) is a setting of older Kafka releases: ignored"))
        return False
    _refuse_unknown(name, origin, nearness)
    notices.append((logging.INFO, f"{origin} names no Kafka setting ({name}): ignored"))
    return False


def _no_support(name: str) -> str:
    if name in MEANINGLESS:
        return f"{name} is a Kafka setting that has no meaning in kbroker"
    return f"{name} is a Kafka setting that kbroker does not support yet"


def _refuse_unknown(name: str, origin: str, nearness: float) -> None:
    """Raise ConfigError if `name` looks like a typo; for a file or -o (the lower nearness) always."""
    from difflib import get_close_matches

    if name in TOPIC_KEYS:
        server_key = SERVER_SYNONYM.get(name)
        hint = f"; for all topics it is {server_key}" if server_key else ""
        raise ConfigError(f"{name} ({origin}) is a setting of one topic, not of a broker{hint}.")
    near = get_close_matches(name.lower(), KEYS, n=1, cutoff=nearness)
    if near:
        raise ConfigError(f"{name} ({origin}) is no setting of Kafka or kbroker. Did you mean {near[0]}?")
    if nearness < _NEAR_VARIABLE:
        raise ConfigError(f"{name} ({origin}) is no setting of Kafka or kbroker.")


def listener_base_key(name: str) -> ConfigKey | None:
    """The key that `listener.name.<listener>.[<mechanism>.]<key>` overrides for one listener."""
    if not name.startswith("listener.name."):
        return None
    _, _, base = name.removeprefix("listener.name.").partition(".")
    return BROKER_KEYS.get(base) or BROKER_KEYS.get(base.partition(".")[2])


def check_values(settings: Mapping[str, Setting]) -> None:
    """Raise ConfigError for the first value that does not fit its key."""
    for name, setting in settings.items():
        key = KEYS.get(name) or listener_base_key(name)
        if key is None:
            continue
        try:
            key.parse(setting.value)
        except ConfigError as error:
            raise ConfigError(f"{error} ({setting.origin})") from None
        if name in REFUSED and setting.value:
            raise ConfigError(
                f"{name} ({setting.origin}) asks for access control, which kbroker does not support yet."
            )
