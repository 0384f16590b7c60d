"""One group member as a process."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import FencedInstanceIdError

from compat.members import tell, told_to_leave


def main(argument: str) -> None:
    """Consume until told to leave."""
    options: dict[str, Any] = json.loads(argument)
    leave = told_to_leave()
    topic = options.pop("topic")
    cooperative = options.pop("cooperative", False)
    if cooperative:
        options["partition_assignment_strategy"] = [CooperativeStickyAssignor]
    settings = {
        "bootstrap_servers": options.pop("bootstrap"),
        "group_id": options.pop("group"),
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "session_timeout_ms": 6000,
        "heartbeat_interval_ms": 500,
    }
    client = KafkaConsumer(**{**settings, **options})
    client.subscribe([topic], listener=Listener(cooperative))
    while not leave.is_set():
        try:
            # Long, so that a rebalance rarely ends between two of them: this client would never know.
            polled = client.poll(timeout_ms=1000)
            # Always: only by a refused commit does this client learn that it is fenced.
            client.commit_async()
        except FencedInstanceIdError as error:
            tell(error=str(error))
            leave.wait()
            break
        for message in (message for messages in polled.values() for message in messages):
            tell(record=[message.partition, message.offset, message.value.decode()])
    client.close()


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells what is owned whenever it changes."""

    def __init__(self, cooperative: bool) -> None:
        self._cooperative = cooperative
        self._owned: set[int] = set()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        # In the cooperative protocol only what is new is named.
        if not self._cooperative:
            self._owned.clear()
        self._owned.update(each.partition for each in assigned)
        tell(assigned=sorted(self._owned))

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._owned.difference_update(each.partition for each in revoked)
        tell(assigned=sorted(self._owned))


if __name__ == "__main__":
    main(sys.argv[1])
