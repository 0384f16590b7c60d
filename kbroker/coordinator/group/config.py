"""The broker settings that group coordinators obey."""


class GroupCoordinatorConfig:
    """Names are those of the broker configs, without dots; times in milliseconds."""

    __slots__ = (
        "consumer_session_timeout_ms",
        "initial_rebalance_delay_ms",
        "max_session_timeout_ms",
        "max_size",
        "min_session_timeout_ms",
        "new_member_join_timeout_ms",
        "offset_metadata_max_bytes",
        "offsets_retention_check_interval_ms",
        "offsets_retention_ms",
    )

    def __init__(
        self,
        *,
        min_session_timeout_ms: int = 6_000,
        max_session_timeout_ms: int = 1_800_000,
        max_size: int = 2**31 - 1,
        initial_rebalance_delay_ms: int = 3_000,
        new_member_join_timeout_ms: int = 300_000,
        consumer_session_timeout_ms: int = 45_000,
        offset_metadata_max_bytes: int = 4_096,
        offsets_retention_ms: int = 10_080 * 60_000,
        offsets_retention_check_interval_ms: int = 600_000,
    ) -> None:
        self.min_session_timeout_ms = min_session_timeout_ms
        self.max_session_timeout_ms = max_session_timeout_ms
        self.max_size = max_size
        self.initial_rebalance_delay_ms = initial_rebalance_delay_ms
        self.new_member_join_timeout_ms = new_member_join_timeout_ms
        self.consumer_session_timeout_ms = consumer_session_timeout_ms
        self.offset_metadata_max_bytes = offset_metadata_max_bytes
        self.offsets_retention_ms = offsets_retention_ms
        self.offsets_retention_check_interval_ms = offsets_retention_check_interval_ms
