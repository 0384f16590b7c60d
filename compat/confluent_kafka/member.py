"""One group member as a process."""

import json
import sys
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from compat.members import tell, told_to_leave


def main(argument: str) -> None:
    """Consume until told to leave."""
    options: dict[str, Any] = json.loads(argument)
    leave = told_to_leave()
    owned: set[int] = set()
    cooperative = "cooperative" in options.get("partition.assignment.strategy", "")

    def assigned(client: Consumer, partitions: list[TopicPartition]) -> None:
        # In the cooperative protocol only what is new is named.
        if not cooperative:
            owned.clear()
        owned.update(each.partition for each in partitions)
        tell(assigned=sorted(owned))

    def revoked(client: Consumer, partitions: list[TopicPartition]) -> None:
        owned.difference_update(each.partition for each in partitions)
        tell(assigned=sorted(owned))

    settings = {
        "bootstrap.servers": options.pop("bootstrap"),
        "group.id": options.pop("group"),
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
        "log_level": 0,
    }
    topic = options.pop("topic")
    client = Consumer({**settings, **options})
    client.subscribe([topic], on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    while not leave.is_set():
        for message in client.consume(100, 0.1):
            if error := message.error():
                if error.code() == KafkaError._FATAL:
                    tell(error=error.str())
                continue
            tell(record=[message.partition(), message.offset(), (message.value() or b"").decode()])
            client.commit(message=message, asynchronous=True)
    client.close()


if __name__ == "__main__":
    main(sys.argv[1])
