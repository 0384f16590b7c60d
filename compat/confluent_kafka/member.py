"""One group member as a process: prints what it owns and reads, as JSON lines.

Ends, closing its consumer, when a line comes on standard input.
"""

import json
import sys
import threading
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition


def main(argument: str) -> None:
    """Consume until told to leave."""
    options: dict[str, Any] = json.loads(argument)
    leave = threading.Event()

    def wait_for_leave() -> None:
        sys.stdin.readline()
        leave.set()

    threading.Thread(target=wait_for_leave, daemon=True).start()
    owned: set[int] = set()
    cooperative = "cooperative" in options.get("partition.assignment.strategy", "")

    def assigned(client: Consumer, partitions: list[TopicPartition]) -> None:
        # In the cooperative protocol only what is new is named.
        if not cooperative:
            owned.clear()
        owned.update(each.partition for each in partitions)
        _print(assigned=sorted(owned))

    def revoked(client: Consumer, partitions: list[TopicPartition]) -> None:
        owned.difference_update(each.partition for each in partitions)
        _print(assigned=sorted(owned))

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
                    _print(error=error.str())
                continue
            _print(record=[message.partition(), message.offset(), (message.value() or b"").decode()])
            client.commit(message=message, asynchronous=True)
    client.close()


def _print(**event: object) -> None:
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
