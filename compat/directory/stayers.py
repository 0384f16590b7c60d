"""Clients that stay while brokers come and go: they must not notice more than an absence."""

import time

from confluent_kafka import KafkaError, Message

from compat.confluent_kafka.kit import consumer, producer
from compat.directory.story import PATIENT, Story
from compat.harness import Context, Failed, check, equal
from compat.records import Record

COUNT = 50
RECONNECT = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200}


class Stayers:
    """One idempotent producer, one member of a group."""

    def __init__(self, context: Context) -> None:
        settings = {"enable.idempotence": True, "max.in.flight": 5, **RECONNECT}
        self._producer = producer(context, settings)
        self._member = consumer(context, "stayer", {**PATIENT, **RECONNECT})
        self._member.subscribe(["ticker"], on_assign=lambda *_: self._note_assignment())
        self._assignments = 0
        self._number = 0

    def go_on(self, story: Story) -> None:
        """Send and read some more, over connections, a producer id and a membership of before."""
        errors: list[str] = []

        def note(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                errors.append(error.str())
                return
            record = Record(message.value(), None, [])
            story.place("ticker", message.partition() or 0, message.offset() or 0, record)

        expected = [b"tick %d" % number for number in range(self._number, self._number + COUNT)]
        self._number += COUNT
        for number, value in enumerate(expected):
            self._producer.produce("ticker", value, partition=number % 2, on_delivery=note)
        left = self._producer.flush(60)
        equal((left, errors), (0, []), "deliveries of the producer that stays")
        equal(sorted(self._read()), sorted(expected), "what the member that stays reads")
        self._member.commit(asynchronous=False)
        equal(self._assignments, 1, "assignments of the member that stays")

    def close(self) -> None:
        self._member.close()

    def _note_assignment(self) -> None:
        self._assignments += 1

    def _read(self) -> list[bytes]:
        found: list[bytes] = []
        deadline = time.monotonic() + 60
        while len(found) < COUNT:
            check(time.monotonic() < deadline, f"the member that stays has read {len(found)} of {COUNT}")
            for message in self._member.consume(COUNT, 0.2):
                if error := message.error():
                    # While the broker is away the client says so, and goes on by itself.
                    if error.code() == KafkaError._FATAL or not (error.retriable() or error.code() < 0):
                        raise Failed(f"the member that stays: {error.str()}")
                    continue
                found.append(message.value())
        return found
