"""kill -9, again and again: nothing acknowledged is lost, nothing is twice.

An idempotent producer with acks=all and a group of two that commits, both
librdkafka, live through it all; the checker judges their history. By the
environment: KBROKER_KILL_ROUNDS (20), KBROKER_KILL_SEED (drawn, and shown
with a failure), KBROKER_KILL_BROKER (kbroker, or kafka to prove the test).
"""

import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from compat import wire
from compat.brokers import HOST, BrokerProcess, broker_of
from tests.end_to_end.checker import (
    Commit,
    History,
    Outcome,
    Poll,
    Rebalance,
    Seen,
    Send,
    anomalies,
    worst_lag_ms,
)

ROUNDS = int(os.environ.get("KBROKER_KILL_ROUNDS", "20"))
SEED = int(os.environ.get("KBROKER_KILL_SEED", str(random.SystemRandom().randrange(1 << 32))))
KIND = os.environ.get("KBROKER_KILL_BROKER", "kbroker")

TOPIC = "kill-loop"
GROUP = "kill-loop-group"
PARTITIONS = 4
RECONNECT: dict[str, object] = {"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100, "log_level": 0}


def test_nothing_acknowledged_is_lost_or_twice_over_kills(tmp_path: Path) -> None:
    kill_loop(tmp_path, rounds=ROUNDS, seed=SEED)


def kill_loop(tmp_path: Path, *, rounds: int, seed: int) -> dict[str, object]:
    """Kill so often; the figures of the run."""
    moments = random.Random(seed)
    # Small segments and frequent snapshots, so that kills meet rolls.
    properties = {"log.segment.bytes": "1048576"}
    if KIND == "kafka":
        properties |= {"broker.session.timeout.ms": "1500", "broker.heartbeat.interval.ms": "300"}
    broker = broker_of(KIND, tmp_path / "broker", properties)
    broker.start()
    try:
        create_topic(broker)
        clients = Clients(broker.bootstrap)
        with clients.running():
            for _ in range(rounds):
                clients.progress()
                time.sleep(moments.uniform(0.0, 0.5))
                broker.kill()
                broker.start()
                clients.check_committed()
            clients.progress()
        history = clients.finished_history()
        broker.stop()
    finally:
        broker.kill()
    sent = sum(send.outcome is Outcome.OK for send in history.sends)
    assert sent > rounds * 50, f"only {sent} records were acknowledged"
    found = anomalies(history)
    assert found == [], f"seed {seed}, {sent} records acknowledged: {found[:10]}"
    polled = sum(isinstance(poll, Poll) for poll in history.polls)
    return {
        "kills": rounds,
        "records acknowledged": sent,
        "records polled": polled,
        "commits": len(history.commits),
        "worst lag, ms": worst_lag_ms(history),
    }


def create_topic(broker: BrokerProcess) -> None:
    with wire.connect(HOST, broker.port, 30.0) as connection:
        answer = wire.request(connection, wire.create_topic_request(TOPIC, PARTITIONS))
    assert wire.topic_error(answer) == 0


class Clients:
    """One producer and two members, each in a thread, and what they saw."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._history = History()
        self._sent: list[tuple[int, bytes]] = []
        self._told: dict[bytes, tuple[Outcome, int | None]] = {}
        self._told_at_ms: dict[bytes, int] = {}
        self._calls = itertools.count()
        self._acknowledged: dict[int, int] = {}
        self._polled = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """The clients run inside; they have ended after it."""
        names = ("first", "second")
        threads = [threading.Thread(target=self._produce)]
        threads += [threading.Thread(target=self._consume, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)
            assert not any(thread.is_alive() for thread in threads), "a client hangs"

    def progress(self, count: int = 100) -> None:
        """Wait until more records are acknowledged and polled."""
        deadline = time.monotonic() + 30
        told, polled = len(self._told), self._polled
        while len(self._told) < told + count or self._polled < polled + count:
            assert time.monotonic() < deadline, (
                f"seed {SEED}: within 30 s only {len(self._told) - told} records were acknowledged "
                f"and {self._polled - polled} polled"
            )
            time.sleep(0.01)

    def check_committed(self) -> None:
        """Ask for the group's offsets; they are noted after what was acknowledged before."""
        with self._lock:
            before = dict(self._acknowledged)
        asking = self._consumer(GROUP)
        places = [TopicPartition(TOPIC, partition) for partition in before]
        found = _until_answered(lambda: asking.committed(places, 30))
        asking.close()
        with self._lock:
            for each in found:
                if each.offset < before[each.partition]:
                    self._history.commits.append(Commit(each.partition, each.offset))

    def finished_history(self) -> History:
        """The history, with a last reading of everything by a reader of its own."""
        for partition, value in self._sent:
            outcome, offset = self._told.get(value, (Outcome.UNKNOWN, None))
            at_ms = self._told_at_ms.get(value)
            self._history.sends.append(Send("producer", partition, value, outcome, offset, None, at_ms))
        reader = self._consumer("reader")
        places = [TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)]
        left = {p.partition: reader.get_watermark_offsets(p, timeout=30)[1] for p in places}
        reader.assign(places)
        deadline = time.monotonic() + 60
        while any(left.values()):
            assert time.monotonic() < deadline, f"seed {SEED}: the last reading stands still: {left}"
            for message in reader.consume(1000, 0.2):
                poll = _poll("reader", message)
                self._history.polls.append(poll)
                left[poll.partition] = max(0, left[poll.partition] - 1)
        reader.close()
        return self._history

    def _produce(self) -> None:
        client = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 1,
                "message.timeout.ms": 120_000,
                **RECONNECT,
            }
        )
        number = 0
        while not self._stop.is_set():
            partition, value = number % PARTITIONS, b"%d-" % number + b"x" * (number % 700)
            self._sent.append((partition, value))
            client.produce(TOPIC, value, partition=partition, on_delivery=self._delivered)
            number += 1
            client.poll(0 if number % 5 else 0.001)
            while len(client) > 5000:
                client.poll(0.05)
        client.flush(60)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        value = message.value()
        assert isinstance(value, bytes)
        self._told[value] = (Outcome.UNKNOWN, None) if error else (Outcome.OK, message.offset())
        self._told_at_ms[value] = _now_ms()

    def _consume(self, name: str) -> None:
        client = self._consumer(GROUP, {"session.timeout.ms": 30_000, "heartbeat.interval.ms": 500})
        client.subscribe([TOPIC], on_assign=lambda *_: self._note(Rebalance(name)))
        while not self._stop.is_set():
            messages = [message for message in client.consume(500, 0.05) if not message.error()]
            call = next(self._calls)
            for message in messages:
                self._note(_poll(name, message, call, _now_ms()))
            if messages:
                self._commit(client)
        client.close()

    def _commit(self, client: Consumer) -> None:
        try:
            committed = client.commit(asynchronous=False) or []
        except KafkaException:  # The broker is away, or a rebalance came first.
            return
        with self._lock:
            for each in committed:
                if each.error is None and each.offset >= 0:
                    self._history.commits.append(Commit(each.partition, each.offset))
                    known = self._acknowledged.get(each.partition, 0)
                    self._acknowledged[each.partition] = max(known, each.offset)

    def _note(self, event: Seen) -> None:
        with self._lock:
            self._history.polls.append(event)
            self._polled += isinstance(event, Poll)

    def _consumer(self, group: str, settings: dict[str, object] | None = None) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                **RECONNECT,
                **(settings or {}),
            }
        )


def _until_answered(ask: Callable[[], list[TopicPartition]]) -> list[TopicPartition]:
    """A broker that has just started may say that it is still loading."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _poll(consumer: str, message: Message, call: int | None = None, at_ms: int | None = None) -> Poll:
    value, partition, offset = message.value(), message.partition(), message.offset()
    assert message.error() is None
    assert isinstance(value, bytes)
    assert partition is not None
    assert offset is not None
    return Poll(consumer, partition, offset, value, call, at_ms)
