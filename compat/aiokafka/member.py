"""One group member as a process."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError

from compat.members import tell, told_to_leave


async def main(argument: str) -> None:
    """Consume until told to leave."""
    options: dict[str, Any] = json.loads(argument)
    leave = told_to_leave()
    topic = options.pop("topic")
    settings = {
        "bootstrap_servers": options.pop("bootstrap"),
        "group_id": options.pop("group"),
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "session_timeout_ms": 6000,
        "heartbeat_interval_ms": 500,
    }
    client = AIOKafkaConsumer(**{**settings, **options})
    client.subscribe([topic], listener=Listener())
    await client.start()
    while not leave.is_set():
        polled = await client.getmany(timeout_ms=100)
        for message in (message for messages in polled.values() for message in messages):
            tell(record=[message.partition, message.offset, message.value.decode()])
        if polled:
            with contextlib.suppress(CommitFailedError):  # A rebalance came first.
                await client.commit()
    await client.stop()


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells what is owned whenever it changes."""

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        tell(assigned=sorted(each.partition for each in assigned))

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        if revoked:
            tell(assigned=[])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
