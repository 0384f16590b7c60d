"""The broker goes away and comes back under clients that stay."""

import faulthandler
import threading
from collections.abc import Callable
from typing import Any

from kafka.errors import KafkaError

from compat.harness import Context, Failed, Scenario
from compat.kafka_python.kit import RECONNECT, consumer, create_topic, produce, producer, read
from compat.records import Record
from compat.tally import Tally

PARTITIONS = 3


def restart_in_the_middle(context: Context) -> None:
    topic = create_topic(context, context.topic(), PARTITIONS)
    tally = Tally()
    with Load(context, topic, tally):
        for action in ("kill", "stop"):
            tally.progress(500)
            context.broker(action)
            context.broker("start")
        tally.progress(500)

    def read_back(partition: int, count: int) -> list[tuple[int, bytes]]:
        return [(message.offset, message.value) for message in read(context, topic, count, [partition])]

    tally.verify(read_back)


class Load:
    """An idempotent producer and two committing members, in threads, until told to stop."""

    def __init__(self, context: Context, topic: str, tally: Tally) -> None:
        self._context = context
        self._topic = topic
        self._tally = tally
        self._stop = threading.Event()
        bodies = (self._produce, self._consume, self._consume)
        self._threads = [threading.Thread(target=self._run, args=(body,)) for body in bodies]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)
        if any(thread.is_alive() for thread in self._threads):
            # Where, is in the program's log.
            faulthandler.dump_traceback()
            raise Failed("a client hangs")

    def _run(self, body: Callable[[], None]) -> None:
        try:
            body()
        except Exception as error:
            self._tally.errors.append(f"{body.__name__}: {error!r}")

    def _produce(self) -> None:
        with producer(self._context, {"enable_idempotence": True, "linger_ms": 2, **RECONNECT}) as client:
            number = 0
            while not self._stop.wait(0.001):
                record = Record(b"%d" % number, partition=number % PARTITIONS)
                future = produce(client, self._topic, record)
                future.add_callback(self._delivered, number)
                future.add_errback(lambda error: self._tally.errors.append(f"produce: {error}"))
                number += 1
            client.flush(60)

    def _delivered(self, number: int, metadata: Any) -> None:
        # No offset when the broker could only say that it had the record already.
        offset = metadata.offset if metadata.offset >= 0 else None
        self._tally.acknowledged(number, metadata.partition, offset)

    def _consume(self) -> None:
        settings = {"session_timeout_ms": 30_000, "heartbeat_interval_ms": 500, **RECONNECT}
        with consumer(self._context, self._context.group(), settings) as client:
            client.subscribe([self._topic])
            while not self._stop.is_set():
                try:
                    polled = client.poll(timeout_ms=100)
                except KafkaError as error:
                    # While the broker is away the client may say so, and goes on by itself.
                    if not error.retriable:
                        self._tally.errors.append(f"consume: {error}")
                    continue
                for message in (message for messages in polled.values() for message in messages):
                    self._tally.seen.add((message.partition, message.offset))
                client.commit_async()


SCENARIOS: dict[str, Scenario] = {"restart_in_the_middle": restart_in_the_middle}
