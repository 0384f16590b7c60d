"""The broker goes away and comes back under clients that stay."""

import contextlib
import threading

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from compat.confluent_kafka.kit import consumer, create_topic, producer, read
from compat.harness import Context, Scenario, check
from compat.tally import Tally

PARTITIONS = 3
RECONNECT = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200}


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
        found = read(context, topic, count, [partition])
        return [(message.offset() or 0, bytes(message.value() or b"")) for message in found]

    tally.verify(read_back)


class Load:
    """An idempotent producer and two committing members, in threads, until told to stop."""

    def __init__(self, context: Context, topic: str, tally: Tally) -> None:
        self._context = context
        self._topic = topic
        self._tally = tally
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._produce)]
        self._threads += [threading.Thread(target=self._consume) for _ in range(2)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)
        check(not any(thread.is_alive() for thread in self._threads), "a client hangs")

    def _produce(self) -> None:
        client = producer(
            self._context, {"enable.idempotence": True, "max.in.flight": 5, "linger.ms": 2, **RECONNECT}
        )

        def note(error: KafkaError | None, message: Message) -> None:
            value = message.value()
            if error is not None:
                self._tally.errors.append(f"produce: {error.name()}: {error.str()}")
            elif isinstance(value, bytes):
                # No offset when the broker could only say that it had the record already.
                self._tally.acknowledged(int(value), message.partition() or 0, message.offset())

        number = 0
        while not self._stop.is_set():
            client.produce(self._topic, b"%d" % number, partition=number % PARTITIONS, on_delivery=note)
            number += 1
            client.poll(0.001)
        if left := client.flush(60):
            self._tally.errors.append(f"produce: {left} not delivered")

    def _consume(self) -> None:
        settings = {"session.timeout.ms": 30_000, "heartbeat.interval.ms": 500, **RECONNECT}
        client = consumer(self._context, self._context.group(), settings)
        client.subscribe([self._topic])
        while not self._stop.is_set():
            for message in client.consume(200, 0.1):
                if error := message.error():
                    # While the broker is away the client says so, and goes on by itself.
                    if not error.retriable() and error.code() >= 0:
                        self._tally.errors.append(f"consume: {error.name()}")
                    continue
                self._tally.seen.add((message.partition() or 0, message.offset() or 0))
            self._commit(client)
        client.close()

    def _commit(self, client: Consumer) -> None:
        with contextlib.suppress(KafkaException):  # Nothing to commit yet, or nobody to commit to.
            client.commit(asynchronous=True)


SCENARIOS: dict[str, Scenario] = {"restart_in_the_middle": restart_in_the_middle}
