"""Every group and client metrics key of Apache Kafka 4.3.1.

Kafka: `GroupConfig` and `ClientMetricsConfigs`; held against both by a test.
"""

from kbroker.config.key import BOOLEAN, INT, LIST, STRING, ConfigKey, Items, OneOf, Range, Value, invalid


def share_offset_reset(name: str, value: Value) -> None:
    """earliest, latest, or by_duration: and an ISO 8601 duration that is not negative."""
    assert isinstance(value, str)
    if value not in ("earliest", "latest") and not _is_duration(value):
        raise invalid(
            name,
            value,
            f"Invalid value `{value}` for configuration {name}. The value must be either 'earliest', "
            "'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.",
        )


def _is_duration(value: str) -> bool:
    import re

    prefix, _, duration = value.partition(":")
    pattern = r"P(?=\d|T\d)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d{1,9})?S)?)?"
    return prefix.lower() == "by_duration" and re.fullmatch(pattern, duration.upper()) is not None


_GROUP_KEYS = (
    ConfigKey("consumer.assignment.interval.ms", INT, "1000", Range(0)),
    ConfigKey("consumer.heartbeat.interval.ms", INT, "5000", Range(1)),
    ConfigKey("consumer.session.timeout.ms", INT, "45000", Range(1)),
    ConfigKey("share.assignment.interval.ms", INT, "1000", Range(0)),
    ConfigKey("share.auto.offset.reset", STRING, "latest", share_offset_reset),
    ConfigKey("share.delivery.count.limit", INT, "5", Range(2)),
    ConfigKey("share.heartbeat.interval.ms", INT, "5000", Range(1)),
    ConfigKey(
        "share.isolation.level", STRING, "read_uncommitted", OneOf("read_committed", "read_uncommitted")
    ),
    ConfigKey("share.partition.max.record.locks", INT, "2000", Range(100)),
    ConfigKey("share.record.lock.duration.ms", INT, "30000", Range(1000)),
    ConfigKey("share.renew.acknowledge.enable", BOOLEAN, "true"),
    ConfigKey("share.session.timeout.ms", INT, "45000", Range(1)),
    ConfigKey("streams.assignment.interval.ms", INT, "1000", Range(0)),
    ConfigKey("streams.heartbeat.interval.ms", INT, "5000", Range(1)),
    ConfigKey("streams.initial.rebalance.delay.ms", INT, "3000", Range(0)),
    ConfigKey("streams.num.standby.replicas", INT, "0", Range(0)),
    ConfigKey("streams.session.timeout.ms", INT, "45000", Range(1)),
)

GROUP_KEYS = {key.name: key for key in _GROUP_KEYS}

# Group keys that have no broker-wide default.
_NO_SYNONYM = ("share.auto.offset.reset", "share.isolation.level", "share.renew.acknowledge.enable")

# Group key → the broker key that gives its default.
GROUP_SYNONYM = {name: f"group.{name}" for name in GROUP_KEYS if name not in _NO_SYNONYM}

_CLIENT_METRICS_KEYS = (
    ConfigKey("interval.ms", INT, "300000"),
    ConfigKey("match", LIST, "", Items()),
    ConfigKey("metrics", LIST, "", Items()),
)

CLIENT_METRICS_KEYS = {key.name: key for key in _CLIENT_METRICS_KEYS}
