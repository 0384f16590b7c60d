"""One broker's configuration: what is set over what is default.

A `Config` never changes; dynamic broker configs make a new one
(`with_dynamic`). All values are checked when it is made, so getters cannot fail.

    dev    a laptop: data in ./kbroker-data, loopback only, no 3-second wait for
           a group's first members, internal topics fit the live brokers
    kafka  Apache Kafka's defaults

Kafka: `KafkaConfig` and the values' side of `DynamicBrokerConfig`.
"""

from __future__ import annotations

import builtins
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kbroker.config.broker_keys import broker_synonyms
from kbroker.config.key import ConfigError, Value
from kbroker.config.listeners import (
    Listener,
    broker_listeners,
    controller_listeners,
    parse_address,
    parse_endpoints,
)
from kbroker.config.sources import KEYS, OPTION, Setting, check_values, collect, listener_base_key

if TYPE_CHECKING:
    from kbroker.config.declared_topics import DeclaredTopic

logger = logging.getLogger(__name__)

# Kafka has no defaults for the first three; a single node knows better.
_BOTH_MODES = {
    "node.id": "1",
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
}
MODE_DEFAULTS: dict[str, dict[str, str]] = {
    "dev": {
        **_BOTH_MODES,
        "group.initial.rebalance.delay.ms": "0",
        "listeners": "PLAINTEXT://127.0.0.1:9092",
        "log.dirs": "./kbroker-data",
        # A thousand clients of a test suite may come at once.
        "socket.listen.backlog.size": "1024",
        # Left to the system it grows with the batches: large ones come in few reads.
        "socket.receive.buffer.bytes": "-1",
    },
    "kafka": _BOTH_MODES,
}


class Values:
    """Typed access to the effective value of any key."""

    __slots__ = ("_defaults", "_explicit", "_values")

    def __init__(self, explicit: dict[str, str], defaults: dict[str, str]) -> None:
        self._explicit = explicit
        self._defaults = defaults
        self._values: dict[str, Value] = {}

    def value(self, key: builtins.str) -> Value:
        """The typed value; None where nothing is set and Kafka has no default."""
        if key not in self._values:
            text = self._explicit.get(key)
            if text is None:
                text = self.default_text(key)
            self._values[key] = None if text is None else KEYS[key].parse(text)
        return self._values[key]

    def default_text(self, key: builtins.str) -> builtins.str | None:
        """What a file would have to say for the default; None if there is none."""
        default = self._defaults.get(key)
        return KEYS[key].default if default is None else default

    def has(self, key: builtins.str) -> builtins.bool:
        """Whether the key was set explicitly."""
        return key in self._explicit

    def int(self, key: builtins.str) -> builtins.int:
        value = self.value(key)
        assert type(value) is builtins.int, key
        return value

    def bool(self, key: builtins.str) -> builtins.bool:
        value = self.value(key)
        assert type(value) is builtins.bool, key
        return value

    def double(self, key: builtins.str) -> float:
        value = self.value(key)
        assert type(value) is float, key
        return value

    def str(self, key: builtins.str) -> builtins.str:
        """Text; "" where nothing is set."""
        value = self.value(key)
        assert value is None or type(value) is builtins.str, key
        return value or ""

    def list(self, key: builtins.str) -> builtins.list[builtins.str]:
        """A list; empty where nothing is set. Do not change it."""
        value = self.value(key)
        assert value is None or type(value) is builtins.list, key
        return value or []


class Config(Values):
    """All settings of this broker, checked."""

    __slots__ = (
        "dynamic_broker",
        "dynamic_default",
        "listeners",
        "mode",
        "notices",
        "static",
        "topic_defaults",
    )

    def __init__(
        self,
        static: dict[str, str],
        mode: str,
        defaults: dict[str, str],
        *,
        dynamic_default: Mapping[str, str] | None = None,
        dynamic_broker: Mapping[str, str] | None = None,
    ) -> None:
        self.static = static
        self.mode = mode
        self.dynamic_default = dict(dynamic_default or {})
        self.dynamic_broker = dict(dynamic_broker or {})
        super().__init__(_overlay(static, self.dynamic_default, self.dynamic_broker), defaults)
        # Lines for the log, once there is one: (level, text).
        self.notices: list[tuple[int, str]] = []
        self.listeners: tuple[Listener, ...] = ()
        # Filled on first use by `topics.broker_topic_defaults`.
        self.topic_defaults: dict[str, Value] | None = None

    @classmethod
    def from_sources(
        cls,
        properties: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        overrides: Mapping[str, str] | None = None,
        mode: str | None = None,
    ) -> Config:
        """The checked whole; raises ConfigError with one sentence.

        `properties` are a file's, `environment` all variables of the process,
        `overrides` those of the command line.
        """
        settings, notices = collect(properties or {}, environment or {}, overrides or {})
        if mode is not None:
            settings["kbroker.mode"] = Setting(mode, "--mode", OPTION)
        check_values(settings)
        static = {name: setting.value for name, setting in settings.items()}
        _share_node_id(static)
        mode = static.get("kbroker.mode", "dev").strip()
        config = cls(static, mode, _defaults(mode, static))
        config.listeners = _check_listeners(config)
        config.notices = notices + _listener_notices(config)
        _check_single_node(config)
        check_consistent(config)
        _check_own(config)
        return config

    def with_dynamic(self, cluster_default: Mapping[str, str], broker: Mapping[str, str]) -> Config:
        """The same with dynamic broker configs on top: this broker's own, then those of all brokers.

        A value that does not fit (another release wrote it) is logged and left out, as Kafka does.
        """
        config = Config(
            self.static,
            self.mode,
            self._defaults,
            dynamic_default=_fitting(cluster_default),
            dynamic_broker=_fitting(broker),
        )
        config.listeners = self.listeners
        config.notices = self.notices
        return config

    @property
    def node_id(self) -> int:
        return self.int("node.id")

    @property
    def log_directory(self) -> str:
        return self.list("log.dirs")[0]

    @property
    def admin_address(self) -> tuple[str, int] | None:
        """Where the admin port listens; None if it is off."""
        text = self.str("kbroker.admin.listener")
        return parse_address(text, "kbroker.admin.listener") if text else None

    @property
    def declared_topics(self) -> tuple[DeclaredTopic, ...]:
        """Topics that must exist once the broker is up."""
        from kbroker.config.declared_topics import parse_declared_topics

        return parse_declared_topics(self.list("kbroker.topics"))

    @property
    def max_connections_per_ip_overrides(self) -> dict[str, int]:
        """Address or host name → connections."""
        return _parse_overrides(self.str("max.connections.per.ip.overrides"))

    def capped(self, key: str, live_brokers: int) -> int:
        """An internal topic's replication factor or min ISR.

        In dev mode no more than there are brokers, so that one node just works; an explicit key wins.
        """
        value = self.int(key)
        if self.mode == "dev" and not self.has(key):
            return max(1, min(value, live_brokers))
        return value


def _overlay(*layers: Mapping[str, str]) -> dict[str, str]:
    """Later layers win; a dynamic key also drops its synonyms below it."""
    merged = dict(layers[0])
    for layer in layers[1:]:
        for name, value in layer.items():
            for synonym in broker_synonyms(name):
                merged.pop(synonym, None)
            merged[name] = value
    return merged


def _fitting(entries: Mapping[str, str]) -> dict[str, str]:
    fitting = {}
    for name, value in entries.items():
        key = KEYS.get(name) or listener_base_key(name)
        try:
            if key is not None:
                key.parse(value)
        except ConfigError as error:
            logger.error("Ignoring a dynamic broker config: %s", error)
        else:
            fitting[name] = value
    return fitting


def _share_node_id(static: dict[str, str]) -> None:
    """Two names of one setting (Kafka: `populateSynonyms`)."""
    if int(static.get("broker.id", -1)) >= 0:
        static.setdefault("node.id", static["broker.id"])
    else:
        static.pop("broker.id", None)
    if "node.id" in static:
        static.setdefault("broker.id", static["node.id"])


def _defaults(mode: str, static: Mapping[str, str]) -> dict[str, str]:
    """The mode's defaults, and those that follow from another explicit key."""
    defaults = dict(MODE_DEFAULTS[mode])
    defaults["broker.id"] = defaults["node.id"]
    if "log.dir" in static or "log.dirs" not in defaults:
        defaults["log.dirs"] = static.get("log.dir") or KEYS["log.dir"].default or ""
    queued_bytes = int(static.get("queued.max.request.bytes", "-1"))
    if queued_bytes > 0:
        defaults["kbroker.queued.bytes.max"] = str(queued_bytes)
    return defaults


def _check_listeners(config: Config) -> tuple[Listener, ...]:
    names = config.list("controller.listener.names")
    listeners = broker_listeners(
        config.list("listeners"),
        config.list("advertised.listeners"),
        config.str("listener.security.protocol.map"),
        names,
    )
    inter_broker = config.str("inter.broker.listener.name").upper()
    if inter_broker and inter_broker not in (listener.name for listener in listeners):
        raise ConfigError(f"inter.broker.listener.name is {inter_broker}, which listeners does not define.")
    return listeners


def _listener_notices(config: Config) -> list[tuple[int, str]]:
    names = controller_listeners(config.list("listeners"), config.list("controller.listener.names"))
    return [
        (logging.INFO, f"Listener {name} is the controller's: a single node opens no port for it yet")
        for name in names
    ]


def _check_single_node(config: Config) -> None:
    """Refuse what only a cluster could honour."""
    if config.int("broker.id") != config.node_id:
        raise ConfigError(f"broker.id {config.int('broker.id')} and node.id {config.node_id} differ.")
    roles = config.list("process.roles")
    if sorted(set(roles)) != ["broker", "controller"]:
        raise ConfigError(
            f"process.roles is {','.join(roles)}, but kbroker is a single node so far: broker,controller."
        )
    voters = config.list("controller.quorum.voters")
    if len(voters) > 1 or len(config.list("controller.quorum.bootstrap.servers")) > 1:
        raise ConfigError("The controller quorum has several members, but kbroker is a single node so far.")
    for voter in voters:
        node_id, at, address = voter.partition("@")
        parse_endpoints([f"X://{address}"], "controller.quorum.voters")
        if not at or node_id.strip() != str(config.node_id):
            raise ConfigError(f"controller.quorum.voters is {voter}, but this is node {config.node_id}.")
    _check_directories(config)


def _check_directories(config: Config) -> None:
    directories = config.list("log.dirs")
    if len(directories) != 1:
        raise ConfigError(f"log.dirs names {len(directories)} directories, but kbroker uses one so far.")
    if config.str("metadata.log.dir") not in ("", directories[0]):
        raise ConfigError("metadata.log.dir is not the directory of log.dirs, but kbroker uses one so far.")


def check_consistent(config: Config) -> None:
    """What Kafka requires of settings together (`KafkaConfig.validateValues`)."""
    from kbroker.config.topics import broker_topic_defaults

    topic = broker_topic_defaults(config)
    retention_ms, roll_ms, jitter_ms = topic["retention.ms"], topic["segment.ms"], topic["segment.jitter.ms"]
    assert isinstance(retention_ms, int)
    assert isinstance(roll_ms, int)
    assert isinstance(jitter_ms, int)
    if retention_ms == 0:
        raise ConfigError("log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
    if roll_ms < 1:
        raise ConfigError("log.roll.ms must be greater than or equal to 1")
    if jitter_ms < 0:
        raise ConfigError("log.roll.jitter.ms must be greater than or equal to 0")
    queued_bytes = config.int("queued.max.request.bytes")
    if 0 < queued_bytes < config.int("socket.request.max.bytes"):
        raise ConfigError("queued.max.request.bytes must be larger or equal to socket.request.max.bytes")
    overrides = config.max_connections_per_ip_overrides
    if config.int("max.connections.per.ip") == 0 and not overrides:
        raise ConfigError(
            "max.connections.per.ip can be set to zero only if "
            "max.connections.per.ip.overrides property is set."
        )


def _check_own(config: Config) -> None:
    # Reading these raises ConfigError if they are malformed.
    _ = config.admin_address, config.declared_topics
    cluster_id = config.str("kbroker.cluster.id")
    if cluster_id and (len(cluster_id) > 64 or not cluster_id.replace("-", "a").replace("_", "a").isalnum()):
        raise ConfigError(f"kbroker.cluster.id is '{cluster_id}', which cannot be the id of a cluster.")


def _parse_overrides(text: str) -> dict[str, int]:
    overrides = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        address, colon, count = item.rpartition(":")
        if not colon or not (count.isascii() and count.isdigit()):
            raise ConfigError(f"max.connections.per.ip.overrides holds '{item}', which is not address:count.")
        overrides[address.strip().strip("[]")] = int(count)
    return overrides
