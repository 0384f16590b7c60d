"""The broker goes away and comes back under clients that stay."""

import contextlib
import threading
from collections import defaultdict

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from compat.confluent_kafka.kit import as_records, consumer, create_topic, producer, read
from compat.harness import Context, Scenario, check, equal, eventually

PARTITIONS = 3
RECONNECT = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200}


def restart_in_the_middle(context: Context) -> None:
    topic = create_topic(context, context.topic(), PARTITIONS)
    load = Load(context, topic)
    with load:
        for action in ("kill", "stop"):
            load.progress(500)
            context.broker(action)
            context.broker("start")
        load.progress(500)
    load.verify()


class Load:
    """An idempotent producer and two committing members, in threads, until told to stop."""

    def __init__(self, context: Context, topic: str) -> None:
        self._context = context
        self._topic = topic
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._produce)]
        self._threads += [threading.Thread(target=self._consume) for _ in range(2)]
        self._acknowledged: dict[int, list[tuple[int, int | None]]] = defaultdict(list)
        self._errors: list[str] = []
        self._seen: set[tuple[int, int]] = set()

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)

    def progress(self, count: int) -> None:
        """Wait until `count` more records are acknowledged and read by the group."""
        sent, read_ = self._sent(), len(self._seen)
        eventually(
            lambda: (self._sent() >= sent + count and len(self._seen) >= read_ + count) or self._errors,
            f"{count} more records are acknowledged and read",
            45,
        )

    def verify(self) -> None:
        """Nothing failed; the log holds what was acknowledged, where it was, once, in order."""
        equal(self._errors, [], "errors of clients")
        check(not any(thread.is_alive() for thread in self._threads), "a client hangs")
        for partition in range(PARTITIONS):
            acknowledged = self._acknowledged[partition]
            found = read(self._context, self._topic, len(acknowledged), [partition])
            values = [record.value for record in as_records(found)]
            equal(
                values,
                [b"%d" % number for number, _ in sorted(acknowledged)],
                f"records of partition {partition}",
            )
            placed = {
                message.offset(): int(value or b"") for message, value in zip(found, values, strict=True)
            }
            for number, offset in acknowledged:
                # Unknown when the broker could only say that it had the record already.
                check(
                    offset is None or placed[offset] == number, f"record {number} is not at offset {offset}"
                )

    def _sent(self) -> int:
        return sum(len(placed) for placed in self._acknowledged.values())

    def _produce(self) -> None:
        client = producer(
            self._context, {"enable.idempotence": True, "max.in.flight": 5, "linger.ms": 2, **RECONNECT}
        )

        def note(error: KafkaError | None, message: Message) -> None:
            value = message.value()
            if error is not None:
                self._errors.append(f"produce: {error.name()}: {error.str()}")
            elif isinstance(value, bytes):
                self._acknowledged[message.partition() or 0].append((int(value), message.offset()))

        number = 0
        while not self._stop.is_set():
            client.produce(self._topic, b"%d" % number, partition=number % PARTITIONS, on_delivery=note)
            number += 1
            client.poll(0.001)
        if left := client.flush(60):
            self._errors.append(f"produce: {left} not delivered")

    def _consume(self) -> None:
        settings = {"session.timeout.ms": 30_000, "heartbeat.interval.ms": 500, **RECONNECT}
        client = consumer(self._context, self._context.group(), settings)
        client.subscribe([self._topic])
        while not self._stop.is_set():
            for message in client.consume(200, 0.1):
                if error := message.error():
                    # While the broker is away the client says so, and goes on by itself.
                    if not error.retriable() and error.code() >= 0:
                        self._errors.append(f"consume: {error.name()}")
                    continue
                self._seen.add((message.partition() or 0, message.offset() or 0))
            self._commit(client)
        client.close()

    def _commit(self, client: Consumer) -> None:
        with contextlib.suppress(KafkaException):  # Nothing to commit yet, or nobody to commit to.
            client.commit(asynchronous=True)


SCENARIOS: dict[str, Scenario] = {"restart_in_the_middle": restart_in_the_middle}
