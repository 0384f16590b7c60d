"""What is done to a directory, chapter by chapter, and what must be seen of it ever after.

A chapter is written on whichever broker has its turn. Each goes on with what
the former ones began, and begins something new.
"""

import random
import time
from collections.abc import Iterable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    ResourceType,
)

from compat.confluent_kafka.kit import admin_client, consumer, create_topic, error_of, poll, send
from compat.directory.by_hand import set_for_all_brokers
from compat.directory.facts import Facts, everything
from compat.directory.only_kafka import OnlyKafka
from compat.harness import Context, check, equal, eventually
from compat.records import Record

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
# A producer id, at the price of half a second.
IDEMPOTENT: Final = {"enable.idempotence": True, "max.in.flight": 5}
# A session that outlives whatever turn.
PATIENT: Final = {"session.timeout.ms": 800_000, "max.poll.interval.ms": 900_000}
LONG_AGO_MS: Final = 1_500_000_000_000

# Topics of the first chapter: partitions, configs.
TOPICS: Final[dict[str, tuple[int, dict[str, str]]]] = {
    "orders": (3, {}),
    "codecs": (1, {"segment.bytes": "1048576", "index.interval.bytes": "1024"}),
    "compacted": (
        2,
        {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"},
    ),
    "stamped": (1, {"message.timestamp.type": "LogAppendTime"}),
    "past": (1, {"retention.ms": "-1"}),
    "grown": (1, {}),
    "trimmed": (1, {}),
    "changed": (1, {"segment.ms": "3600000"}),
    "again": (1, {}),
    "ticker": (2, {}),
}


class Story:
    """What was done so far."""

    def __init__(self) -> None:
        # Facts that must be seen; None: must not be.
        self.expected: Facts = {}
        self._placed: dict[tuple[str, int], dict[int, Record]] = {}
        self._first: dict[tuple[str, int], int] = {}
        self._only_kafka = OnlyKafka()
        self._random = random.Random(4)
        self._lives_of_again: set[str] = set()

    def chapter(self, context: Context, number: int) -> None:
        """Do everything once more."""
        admin = admin_client(context)
        if number == 0:
            for topic, (partitions, configs) in TOPICS.items():
                self._create(context, topic, partitions, configs)
        if context.broker_kind == "kafka" and number == 1:
            self._only_kafka.all_features(context)
        self._write_records(context, number)
        self._compact(context)
        self._grow_and_trim(context, admin, number)
        self._change_configs(context, admin, number)
        self._come_and_go(context, admin, number)
        self._commit(context, admin, number)
        if context.broker_kind == "kafka":
            self._only_kafka.credentials(admin, number)
            for offset, record in self._only_kafka.transactions(context, number):
                self.place("transacted", 0, offset, record)
            self.expected[f"offset of group transacted{number} in transacted-0"] = (number + 1, None, None)

    def place(self, topic: str, partition: int, offset: int, record: Record) -> None:
        """A record was acknowledged there."""
        here = self._placed.setdefault((topic, partition), {})
        check(offset not in here, f"offset {offset} of {topic}-{partition} was given twice")
        here[offset] = record

    def check_records(self, found: Facts) -> None:
        """Exactly what was acknowledged is there, where it was, as it was."""
        for (topic, partition), records in self._placed.items():
            if topic == "compacted":
                last = {record.key: record.value for _, record in sorted(records.items())}
                rows = found[f"last records of {topic}-{partition}"]
                equal({key: row[4] for key, row in rows.items()}, last, f"{topic}-{partition}")
                continue
            first = self.first_offset(topic, partition)
            rows = found[f"records of {topic}-{partition}"]
            equal(
                {row[0]: (row[3], row[4], row[5] or []) for row in rows},
                {offset: (r.key, r.value, r.headers) for offset, r in records.items() if offset >= first},
                f"records of {topic}-{partition}",
            )
            for offset, kind, timestamp_ms, *_ in rows:
                sent_ms = records[offset].timestamp_ms
                check(
                    kind == (2 if topic == "stamped" else 1) and sent_ms in (0, timestamp_ms),
                    f"time of offset {offset} in {topic}-{partition}: {kind}, {timestamp_ms}, not {sent_ms}",
                )
            equal(found[f"first offset of {topic}-{partition}"], first, f"first of {topic}-{partition}")
        identity = found["id of again"]
        self._lives_of_again.add(identity)

    def lives_of_again(self) -> int:
        """How many topic ids the topic had that is deleted and created in each chapter."""
        return len(self._lives_of_again)

    def first_offset(self, topic: str, partition: int) -> int:
        """Up to where records were deleted."""
        return self._first.get((topic, partition), 0)

    def _create(self, context: Context, topic: str, partitions: int, configs: dict[str, str]) -> None:
        create_topic(context, topic, partitions, configs)
        self.expected[f"partitions of {topic}"] = partitions
        for name, value in configs.items():
            self.expected[f"{name} of {topic}"] = (value, ConfigSource.DYNAMIC_TOPIC_CONFIG.value)

    def _send(self, context: Context, topic: str, records: Iterable[Record], **settings: Any) -> None:
        sent = list(records)
        for record, (partition, offset) in zip(sent, send(context, topic, sent, settings), strict=True):
            self.place(topic, partition, offset, record)

    def _write_records(self, context: Context, number: int) -> None:
        headers: list[tuple[str, bytes | None]] = [("chapter", b"%d" % number), ("same", b""), ("same", None)]
        orders = [
            Record(b"order %d %d" % (number, each), b"customer %d" % (each % 7), headers[: each % 4])
            for each in range(90)
        ]
        self._send(
            context,
            "orders",
            [*orders, Record(None, b"null value"), Record(b"no key"), Record(b"", b"")],
            **IDEMPOTENT,
        )
        for codec in CODECS:
            big = [Record(self._bytes(each * 400) + b"x" * each * 200) for each in range(40)]
            settings = {"compression.type": codec, "linger.ms": 20, "batch.num.messages": 10}
            self._send(context, "codecs", big, **settings)
        self._send(context, "stamped", [Record(b"%d" % each) for each in range(10)])
        times = [LONG_AGO_MS + (number * 100 + each * 37 % 100) * 1000 for each in range(30)]
        self._send(context, "past", [Record(b"%d" % time_ms, timestamp_ms=time_ms) for time_ms in times])

    def _compact(self, context: Context) -> None:
        """Keys written over and over, in segments that a cleaner may clean."""
        for _ in range(3):
            records = [Record(self._bytes(50), b"key %d" % each, partition=each % 2) for each in range(10)]
            self._send(context, "compacted", [*records, Record(None, b"key 0", partition=0)])
            time.sleep(0.12)
        if context.broker_kind != "kafka":
            return
        places = [place for place in self._placed if place[0] == "compacted"]

        def cleaned() -> bool:
            found = everything(context, places)
            return all(len(found[place]) < len(self._placed[place]) * 3 // 4 for place in places)

        eventually(cleaned, "Apache Kafka compacts", 60)

    def _grow_and_trim(self, context: Context, admin: AdminClient, number: int) -> None:
        count = number + 2
        admin.create_partitions([NewPartitions("grown", count)])["grown"].result(20)
        self.expected["partitions of grown"] = count
        # Until the client knows of the partition it would refuse the record by itself.
        eventually(
            lambda: len(admin.list_topics("grown", 10).topics["grown"].partitions) == count, "it grows"
        )
        self._send(
            context,
            "grown",
            [Record(b"%d" % each, partition=each % count) for each in range(4 * count)],
            **IDEMPOTENT,
        )

        self._send(context, "trimmed", [Record(b"%d" % each) for each in range(20)])
        first = max(self._placed["trimmed", 0]) - 5
        where = TopicPartition("trimmed", 0, first)
        equal(admin.delete_records([where])[where].result(20).low_watermark, first, "low watermark")
        self._first["trimmed", 0] = first

    def _change_configs(self, context: Context, admin: AdminClient, number: int) -> None:
        topic = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        broker = ConfigSource.DYNAMIC_BROKER_CONFIG.value
        cluster = ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG.value
        self._alter(admin, ResourceType.TOPIC, "changed", "retention.ms", f"{10**9 + number}", topic)
        dropped = None if number % 2 else "2000000"
        self._alter(admin, ResourceType.TOPIC, "changed", "max.message.bytes", dropped, topic)
        self._alter(admin, ResourceType.BROKER, "1", "log.roll.ms", f"{10**8 + number}", broker)
        set_for_all_brokers(context, "log.retention.ms", f"{10**9 + number}")
        self.expected["log.retention.ms of 1"] = (f"{10**9 + number}", cluster)

    def _alter(
        self, admin: AdminClient, kind: ResourceType, of: str, name: str, value: str | None, source: int
    ) -> None:
        operation = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
        entry = ConfigEntry(name, value or "", incremental_operation=operation)
        resource = ConfigResource(kind, of, incremental_configs=[entry])
        admin.incremental_alter_configs([resource])[resource].result(20)
        self.expected[f"{name} of {of}"] = None if value is None else (value, source)

    def _come_and_go(self, context: Context, admin: AdminClient, number: int) -> None:
        """Topics that are created, deleted, both, or made by asking for them."""
        self._create(context, f"new{number}", 2, {"retention.bytes": "123456789"})
        self._send(context, f"new{number}", [Record(b"%d" % each) for each in range(10)])
        self._send(context, f"auto{number}", [Record(b"asked for")])
        if number:
            admin.delete_topics(["again"])["again"].result(20)
            eventually(lambda: "again" not in admin.list_topics(timeout=10).topics, "a topic is gone")
            self._create(context, "again", 1, {})
            self._placed.pop(("again", 0))
        self._send(context, "again", [Record(b"life %d" % number)])

        gone = f"gone{number}"
        create_topic(context, gone, 2)
        send(context, gone, [Record(b"not for long", partition=each % 2) for each in range(10)])
        commit(context, f"orphan{number}", {(gone, 0): (5, ""), ("orders", 0): (1, "stays")})
        admin.delete_topics([gone])[gone].result(20)
        self.expected[f"partitions of {gone}"] = None
        self.expected[f"offset of group orphan{number} in {gone}-0"] = None
        self.expected[f"offset of group orphan{number} in orders-0"] = (1, "stays", None)

    def _commit(self, context: Context, admin: AdminClient, number: int) -> None:
        """Groups with offsets: by hand, by members, deleted, with a member that stays although it is away."""
        note = f"chapter {number} ✓"
        commit(context, "by-hand", {("orders", each): (10 * number + each, note) for each in range(3)})
        for each in range(3):
            self.expected[f"offset of group by-hand in orders-{each}"] = (10 * number + each, note, None)

        _read_as_member(context, f"joined{number}", 20)
        self.expected[f"state of group joined{number}"] = ("CLASSIC", "EMPTY")
        _read_as_member(context, "static", 20, **{"group.instance.id": "one", **PATIENT})
        self.expected["state of group static"] = ("CLASSIC", "STABLE")
        # Apache Kafka knows a newer protocol; kbroker takes its members by the older one.
        protocol = "consumer" if context.broker_kind == "kafka" else "classic"
        _read_as_member(context, "modern", 20, **{"group.protocol": protocol})
        self.expected["state of group modern"] = (protocol.upper(), "EMPTY")

        commit(context, f"dropped{number}", {("orders", 0): (1, "")})
        admin.delete_consumer_groups([f"dropped{number}"])[f"dropped{number}"].result(20)
        self.expected[f"state of group dropped{number}"] = None
        self.expected[f"offset of group dropped{number} in orders-0"] = None

    def _bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)


def commit(context: Context, group: str, offsets: dict[tuple[str, int], tuple[int, str]]) -> None:
    """Commit without being a member; retried while a new coordinator is not there yet."""
    client = consumer(context, group)
    places = [TopicPartition(*place, offset, note) for place, (offset, note) in offsets.items()]

    def committed() -> bool:
        try:
            placed = client.commit(offsets=places, asynchronous=False)
        except KafkaException as error:
            if error_of(error).code() == KafkaError.NOT_COORDINATOR:
                return False
            raise
        equal([each.error for each in placed or []], [None] * len(places), "errors of the commit")
        return True

    try:
        eventually(committed, f"group {group} has a coordinator", 30)
    finally:
        client.close()


def _read_as_member(context: Context, group: str, count: int, **settings: object) -> None:
    """Join, go on where the group was, commit, leave (or only go, as static members do)."""
    client: Consumer = consumer(context, group, settings)
    client.subscribe(["orders"])
    poll(client, count, 40)
    client.commit(asynchronous=False)
    client.close()
