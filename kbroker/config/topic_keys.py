"""Every topic key of Apache Kafka 4.3.1, and the broker key behind it.

Kafka: `LogConfig` and `ServerTopicConfigSynonyms`; held against both by a test.
"""

from kbroker.config.key import (
    BOOLEAN,
    DOUBLE,
    INT,
    LIST,
    LONG,
    STRING,
    ConfigKey,
    Items,
    OneOf,
    Range,
    gzip_level,
    throttled_replicas,
)

_MAX_LONG = str((1 << 63) - 1)

_KEYS = (
    ConfigKey("cleanup.policy", LIST, "delete", Items("compact", "delete")),
    ConfigKey("compression.gzip.level", INT, "-1", gzip_level),
    ConfigKey("compression.lz4.level", INT, "9", Range(1, 17)),
    ConfigKey(
        "compression.type",
        STRING,
        "producer",
        OneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
    ),
    ConfigKey("compression.zstd.level", INT, "3", Range(-131072, 22)),
    ConfigKey("delete.retention.ms", LONG, "86400000", Range(0)),
    ConfigKey("file.delete.delay.ms", LONG, "60000", Range(0)),
    ConfigKey("flush.messages", LONG, _MAX_LONG, Range(1)),
    ConfigKey("flush.ms", LONG, _MAX_LONG, Range(0)),
    ConfigKey("follower.replication.throttled.replicas", LIST, "", throttled_replicas),
    ConfigKey("index.interval.bytes", INT, "4096", Range(0)),
    ConfigKey("internal.segment.bytes", INT, None, internal=True),
    ConfigKey("leader.replication.throttled.replicas", LIST, "", throttled_replicas),
    ConfigKey("local.retention.bytes", LONG, "-2", Range(-2)),
    ConfigKey("local.retention.ms", LONG, "-2", Range(-2)),
    ConfigKey("max.compaction.lag.ms", LONG, _MAX_LONG, Range(1)),
    ConfigKey("max.message.bytes", INT, "1048588", Range(0)),
    ConfigKey("message.timestamp.after.max.ms", LONG, "3600000", Range(0)),
    ConfigKey("message.timestamp.before.max.ms", LONG, _MAX_LONG, Range(0)),
    ConfigKey("message.timestamp.type", STRING, "CreateTime", OneOf("CreateTime", "LogAppendTime")),
    ConfigKey("min.cleanable.dirty.ratio", DOUBLE, "0.5", Range(0, 1)),
    ConfigKey("min.compaction.lag.ms", LONG, "0", Range(0)),
    ConfigKey("min.insync.replicas", INT, "1", Range(1)),
    ConfigKey("preallocate", BOOLEAN, "false"),
    ConfigKey("remote.log.copy.disable", BOOLEAN, "false"),
    ConfigKey("remote.log.delete.on.disable", BOOLEAN, "false"),
    ConfigKey("remote.storage.enable", BOOLEAN, "false"),
    ConfigKey("retention.bytes", LONG, "-1"),
    ConfigKey("retention.ms", LONG, "604800000", Range(-1)),
    ConfigKey("segment.bytes", INT, "1073741824", Range(1048576)),
    ConfigKey("segment.index.bytes", INT, "10485760", Range(4)),
    ConfigKey("segment.jitter.ms", LONG, "0", Range(0)),
    ConfigKey("segment.ms", LONG, "604800000", Range(1)),
    ConfigKey("unclean.leader.election.enable", BOOLEAN, "false"),
)

TOPIC_KEYS = {key.name: key for key in _KEYS}

# Topic key → the broker key that gives its default.
SERVER_SYNONYM = {
    "cleanup.policy": "log.cleanup.policy",
    "compression.gzip.level": "compression.gzip.level",
    "compression.lz4.level": "compression.lz4.level",
    "compression.type": "compression.type",
    "compression.zstd.level": "compression.zstd.level",
    "delete.retention.ms": "log.cleaner.delete.retention.ms",
    "file.delete.delay.ms": "log.segment.delete.delay.ms",
    "flush.messages": "log.flush.interval.messages",
    "flush.ms": "log.flush.interval.ms",
    "index.interval.bytes": "log.index.interval.bytes",
    "local.retention.bytes": "log.local.retention.bytes",
    "local.retention.ms": "log.local.retention.ms",
    "max.compaction.lag.ms": "log.cleaner.max.compaction.lag.ms",
    "max.message.bytes": "message.max.bytes",
    "message.timestamp.after.max.ms": "log.message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms": "log.message.timestamp.before.max.ms",
    "message.timestamp.type": "log.message.timestamp.type",
    "min.cleanable.dirty.ratio": "log.cleaner.min.cleanable.ratio",
    "min.compaction.lag.ms": "log.cleaner.min.compaction.lag.ms",
    "min.insync.replicas": "min.insync.replicas",
    "preallocate": "log.preallocate",
    "retention.bytes": "log.retention.bytes",
    "retention.ms": "log.retention.ms",
    "segment.bytes": "log.segment.bytes",
    "segment.index.bytes": "log.index.size.max.bytes",
    "segment.jitter.ms": "log.roll.jitter.ms",
    "segment.ms": "log.roll.ms",
    "unclean.leader.election.enable": "unclean.leader.election.enable",
}
