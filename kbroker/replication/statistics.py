"""What one topic has seen: plain numbers, rendered by the metrics page.

Kafka: `BrokerTopicMetrics`. Only ever added to, so that a rate can be taken
from two readings.
"""


class TopicStatistics:
    """Counters of one topic on this node since it started."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "failed_fetch_requests",
        "failed_produce_requests",
        "messages_in",
        "total_fetch_requests",
        "total_produce_requests",
    )

    def __init__(self) -> None:
        self.messages_in = 0
        self.bytes_in = 0
        self.bytes_out = 0
        # Partitions asked for, not requests: a request names many.
        self.total_produce_requests = 0
        self.failed_produce_requests = 0
        self.total_fetch_requests = 0
        self.failed_fetch_requests = 0

    def add(self, other: "TopicStatistics") -> None:
        """Count `other` in; for the sum over all topics."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
