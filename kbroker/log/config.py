"""The topic and broker configs that one partition's log obeys.

Values, no strings: `log_config` reads the effective topic config once, when a
log is opened or its topic's configs change. Kafka: `LogConfig`.
"""

from collections.abc import Mapping

from kbroker.records.compression import CODEC_NAMES, GZIP, LZ4, ZSTD
from kbroker.records.validation import PRODUCER_CODEC, ValidationRules

NO_LIMIT = 2**63 - 1
_INDEX_ENTRY_SIZE = 8
_TIME_INDEX_ENTRY_SIZE = 12
_LEVEL_KEYS = {
    GZIP: "compression.gzip.level",
    LZ4: "compression.lz4.level",
    ZSTD: "compression.zstd.level",
}


class LogConfig:
    """What a log looks up while it works; defaults are Kafka's."""

    __slots__ = (
        "compact",
        "delete",
        "delete_retention_ms",
        "file_delete_delay_ms",
        "flush_messages",
        "flush_ms",
        "index_interval_bytes",
        "max_compaction_lag_ms",
        "max_index_entries",
        "max_time_index_entries",
        "min_cleanable_dirty_ratio",
        "min_compaction_lag_ms",
        "producer_id_expiration_ms",
        "retention_bytes",
        "retention_ms",
        "rules",
        "segment_bytes",
        "segment_jitter_ms",
        "segment_ms",
    )

    def __init__(
        self,
        *,
        segment_bytes: int = 1024**3,
        segment_ms: int = 604_800_000,
        segment_jitter_ms: int = 0,
        segment_index_bytes: int = 10_485_760,
        index_interval_bytes: int = 4096,
        flush_messages: int = NO_LIMIT,
        flush_ms: int = NO_LIMIT,
        retention_ms: int = 604_800_000,
        retention_bytes: int = -1,
        delete: bool = True,
        compact: bool = False,
        delete_retention_ms: int = 86_400_000,
        min_compaction_lag_ms: int = 0,
        max_compaction_lag_ms: int = NO_LIMIT,
        min_cleanable_dirty_ratio: float = 0.5,
        file_delete_delay_ms: int = 60_000,
        producer_id_expiration_ms: int = 86_400_000,
        rules: ValidationRules | None = None,
    ) -> None:
        self.segment_bytes = segment_bytes
        # A compacted topic must roll in time for its oldest record to be compacted.
        self.segment_ms = min(segment_ms, max_compaction_lag_ms) if compact else segment_ms
        self.segment_jitter_ms = segment_jitter_ms
        self.max_index_entries = segment_index_bytes // _INDEX_ENTRY_SIZE
        # The last one is for the segment's end.
        self.max_time_index_entries = segment_index_bytes // _TIME_INDEX_ENTRY_SIZE - 1
        self.index_interval_bytes = index_interval_bytes
        self.flush_messages = flush_messages
        self.flush_ms = flush_ms
        self.retention_ms = retention_ms
        self.retention_bytes = retention_bytes
        self.delete = delete
        self.compact = compact
        self.delete_retention_ms = delete_retention_ms
        self.min_compaction_lag_ms = min_compaction_lag_ms
        self.max_compaction_lag_ms = max_compaction_lag_ms
        self.min_cleanable_dirty_ratio = min_cleanable_dirty_ratio
        self.file_delete_delay_ms = file_delete_delay_ms
        self.producer_id_expiration_ms = producer_id_expiration_ms
        self.rules = ValidationRules(compacted=compact) if rules is None else rules


def log_config_from(values: Mapping[str, str], producer_id_expiration_ms: int = 86_400_000) -> LogConfig:
    """From an effective topic config: every topic key with its value as text, already validated."""
    policies = {policy.strip() for policy in values["cleanup.policy"].split(",")}
    compact = "compact" in policies
    return LogConfig(
        # What the tests of Kafka's own world use to have segments below 1 MiB.
        segment_bytes=int(values.get("internal.segment.bytes") or values["segment.bytes"]),
        segment_ms=int(values["segment.ms"]),
        segment_jitter_ms=int(values["segment.jitter.ms"]),
        segment_index_bytes=int(values["segment.index.bytes"]),
        index_interval_bytes=int(values["index.interval.bytes"]),
        flush_messages=int(values["flush.messages"]),
        flush_ms=int(values["flush.ms"]),
        retention_ms=int(values["retention.ms"]),
        retention_bytes=int(values["retention.bytes"]),
        delete="delete" in policies,
        compact=compact,
        delete_retention_ms=int(values["delete.retention.ms"]),
        min_compaction_lag_ms=int(values["min.compaction.lag.ms"]),
        max_compaction_lag_ms=int(values["max.compaction.lag.ms"]),
        min_cleanable_dirty_ratio=float(values["min.cleanable.dirty.ratio"]),
        file_delete_delay_ms=int(values["file.delete.delay.ms"]),
        producer_id_expiration_ms=producer_id_expiration_ms,
        rules=_rules_from(values, compact),
    )


def _rules_from(values: Mapping[str, str], compact: bool) -> ValidationRules:
    name = values["compression.type"]
    codec = PRODUCER_CODEC if name == "producer" else CODEC_NAMES[name]
    level = values.get(_LEVEL_KEYS.get(codec, ""))
    return ValidationRules(
        max_message_bytes=int(values["max.message.bytes"]),
        compacted=compact,
        log_append_time=values["message.timestamp.type"] == "LogAppendTime",
        timestamp_before_max_ms=int(values["message.timestamp.before.max.ms"]),
        timestamp_after_max_ms=int(values["message.timestamp.after.max.ms"]),
        compression_type=codec,
        compression_level=None if level is None else int(level),
    )
