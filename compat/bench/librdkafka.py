"""librdkafka through confluent-kafka: what a real client sees.

Records of 1 KiB of words (so that they compress as text does), one partition.

`librdkafka`: produced for 3 s with linger 5 ms, the delivery of all awaited:
acks=1, acks=all and idempotent, acks=1 with lz4 and with zstd; those of acks=1
read back from the beginning, as often as fills 3 s. The client takes more than
one of two cores, so rates differ less than the broker's CPU does. A GB is one
of values, before compression.

`librdkafka-latency`: producer to consumer, one record after another, linger 0, for 3 s.
"""

import random
import statistics
import string
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition

from compat.bench import report
from compat.bench.report import Row
from compat.bench.rounds import in_rounds
from compat.bench.rows import END_TO_END
from compat.bench.sides import Side
from compat.bench.turns import GB, cpu_s, touch_memory
from compat.brokers import BrokerProcess

RUN_S: Final = 3.0
LEARNING_S: Final = 1.0
TIMEOUT_S: Final = 60.0
VALUE_BYTES: Final = 1024
TOPIC: Final = "librdkafka"
_AT_ONCE: Final = 10_000

# A client whose queue is full asks again after a second, unless told otherwise: that is not the broker's.
_BACKOFF_MS: Final = 10

_BATCHED: Final[Mapping[str, str | int]] = {"linger.ms": 5, "acks": 1}
PRODUCERS: Final[Mapping[str, Mapping[str, str | int]]] = {
    "acks=1": _BATCHED,
    "acks=all, idempotent": {**_BATCHED, "acks": "all", "enable.idempotence": "true"},
    "acks=1, lz4": {**_BATCHED, "compression.type": "lz4"},
    "acks=1, zstd": {**_BATCHED, "compression.type": "zstd"},
}
_READ_BACK: Final = "acks=1"


def librdkafka(kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    """Produce in each way, and consume."""
    rows = []
    for name in PRODUCERS:
        rows.append(Row(f"librdkafka produces 1 KiB records, {name}", "/s", group=report.LIBRDKAFKA))
        rows.append(Row(f"CPU per GB that librdkafka produces, {name}", "s", group=report.LIBRDKAFKA))
    rows.append(Row("librdkafka consumes 1 KiB records", "/s", group=report.LIBRDKAFKA))
    rows.append(Row("CPU per GB that librdkafka consumes", "s", group=report.LIBRDKAFKA))
    return in_rounds(rows, _throughput, kinds, rounds, folder / "librdkafka")


def latency(kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    """One record at a time, from one client to the other."""
    what = "librdkafka: one record producer to consumer"
    rows = [
        Row(f"{what}, {which}", "ms", group=report.LIBRDKAFKA, target=END_TO_END) for which in ("p50", "p99")
    ]
    return in_rounds(rows, _latency, kinds, rounds, folder / "librdkafka-latency")


LIBRDKAFKA: Final[Mapping[str, Callable[[Sequence[str], int, Path], list[Row]]]] = {
    "librdkafka": librdkafka,
    "librdkafka-latency": latency,
}


def _throughput(side: Side) -> list[float]:
    (broker,) = side.brokers
    figures: list[float] = []
    read_back: list[float] = []
    for name, properties in PRODUCERS.items():
        with side.topic(TOPIC, 1):
            touch_memory(broker.directory)
            count, *found = _produce(broker, properties)
            # Sent again after all, a record may be there twice.
            assert side.end_offsets(TOPIC, 1)[0] >= count
            figures += found
            if name == _READ_BACK:
                read_back = _consume(broker, count)
    return figures + read_back


def _latency(side: Side) -> list[float]:
    (broker,) = side.brokers
    with side.topic(TOPIC, 1):
        hundredths = statistics.quantiles(_latencies_ms(broker), n=100)
    return [hundredths[49], hundredths[98]]


def texts() -> list[bytes]:
    """Values like text: words, some of which come again."""
    numbers = random.Random(1)
    words = ["".join(numbers.choices(string.ascii_lowercase, k=numbers.randint(3, 9))) for _ in range(1000)]
    return [" ".join(numbers.choices(words, k=VALUE_BYTES // 4)).encode()[:VALUE_BYTES] for _ in range(64)]


def _produce(broker: BrokerProcess, properties: Mapping[str, str | int]) -> tuple[int, float, float]:
    """Records, records a second, and the broker's CPU seconds for a GB."""
    failures: list[object] = []
    producer = Producer(
        {
            **_common(broker),
            "delivery.report.only.error": True,
            "on_delivery": lambda error, _: failures.append(error),
            **properties,
        }
    )
    values = texts()
    count = 0
    started_at_s, before_s = time.monotonic(), cpu_s(broker.pid)
    while time.monotonic() < started_at_s + RUN_S:
        for value in values:
            while not _queued(producer, value):
                producer.poll(0.01)
        count += len(values)
        producer.poll(0)
    left = producer.flush(TIMEOUT_S)
    assert not left, f"{left} were not delivered"
    assert not failures, failures[0]
    return count, count / (time.monotonic() - started_at_s), _cost(broker, before_s, count)


def _queued(producer: Producer, value: bytes) -> bool:
    """False when the client's queue is full."""
    try:
        producer.produce(TOPIC, value, partition=0)
    except BufferError:
        return False
    return True


def _consume(broker: BrokerProcess, count: int) -> list[float]:
    """Records a second, and the broker's CPU seconds for a GB."""
    consumer = _consumer(broker)
    done = 0
    started_at_s, before_s = time.monotonic(), cpu_s(broker.pid)
    while time.monotonic() < started_at_s + RUN_S:
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        left = count
        while left:
            messages = consumer.consume(min(left, _AT_ONCE), TIMEOUT_S)
            assert messages, f"{left} records did not come"
            left -= len(messages)
        done += count
    rate, cost = done / (time.monotonic() - started_at_s), _cost(broker, before_s, done)
    consumer.close()
    return [rate, cost]


def _latencies_ms(broker: BrokerProcess) -> list[float]:
    producer = Producer({**_common(broker), "acks": 1, "linger.ms": 0})
    consumer = _consumer(broker)
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    value = texts()[0]
    figures = []
    # What the clients must learn first is not part of it.
    counted_from_s = time.monotonic() + LEARNING_S
    while (sent_at_s := time.monotonic()) < counted_from_s + RUN_S:
        producer.produce(TOPIC, value, partition=0)
        message = consumer.poll(TIMEOUT_S)
        assert message is not None, "no record came"
        assert message.error() is None, message.error()
        if sent_at_s >= counted_from_s:
            figures.append((time.monotonic() - sent_at_s) * 1000)
        producer.poll(0)
    producer.flush(TIMEOUT_S)
    consumer.close()
    return figures


def _consumer(broker: BrokerProcess) -> Consumer:
    return Consumer(
        {
            **_common(broker),
            "group.id": "bench",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": _BACKOFF_MS,
        }
    )


def _common(broker: BrokerProcess) -> dict[str, str | bool]:
    # Not all brokers take metrics, and the client says so at length.
    return {"bootstrap.servers": broker.bootstrap, "enable.metrics.push": False}


def _cost(broker: BrokerProcess, before_s: float, records: int) -> float:
    return (cpu_s(broker.pid) - before_s) * GB / (records * VALUE_BYTES)
