"""Everything a broker shows its clients, as facts: what it is about → what it is.

Two brokers on one directory must show the same facts.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    ConsumerGroupType,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, OffsetSpec, ResourceType

from compat.confluent_kafka.kit import admin_client, consumer
from compat.harness import Context, Failed, check, equal

Facts = dict[str, Any]

# Set by whoever changed something; the rest are defaults of the broker's program.
ALTERED = {
    ConfigSource.DYNAMIC_TOPIC_CONFIG.value,
    ConfigSource.DYNAMIC_BROKER_CONFIG.value,
    ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG.value,
}
# Facts that may differ, if they grow.
RISING = "leader epoch of "
NOTHING = "(nothing)"
# Of a record: offset, kind of timestamp, timestamp, key, value, headers, leader epoch.
Row = tuple[int, int, int, Any, Any, Any, int]


def observed(context: Context) -> Facts:
    """All facts of a broker that has come to rest."""
    admin = admin_client(context)
    topics = {
        name: len(topic.partitions)
        for name, topic in admin.list_topics(timeout=20).topics.items()
        if not name.startswith("__")
    }
    return {
        **_topics(admin, topics),
        **_configs(admin, [ConfigResource(ResourceType.TOPIC, name) for name in topics]),
        **_configs(admin, [ConfigResource(ResourceType.BROKER, "1")]),
        **_records(context, admin, topics),
        **_groups(admin),
    }


def same(context: Context, expected: Mapping[str, Any], what: str, timeout_s: float = 40.0) -> Facts:
    """The broker's facts, once they are these and no others."""

    def compare(found: Facts) -> None:
        for fact in sorted(found.keys() | expected.keys()):
            now, then = found.get(fact, NOTHING), expected.get(fact, NOTHING)
            if fact.startswith(RISING) and NOTHING not in (now, then):
                check(now >= then, f"{what}: {fact} falls from {then} to {now}")
            else:
                equal(now, then, f"{what}: {fact}")

    return _at_rest(context, compare, timeout_s)


def containing(context: Context, expected: Mapping[str, Any], what: str, timeout_s: float = 40.0) -> Facts:
    """The broker's facts, once these are among them; a fact that is None must not be there."""

    def compare(found: Facts) -> None:
        for fact, value in expected.items():
            equal(found.get(fact), value, f"{what}: {fact}")

    return _at_rest(context, compare, timeout_s)


def _at_rest(context: Context, compare: Callable[[Facts], None], timeout_s: float) -> Facts:
    """After a start, and after Apache Kafka has answered, it takes a moment until all is as it will be."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = observed(context)
            compare(found)
            return found
        except (KafkaException, Failed):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.3)


def _topics(admin: AdminClient, topics: Mapping[str, int]) -> Facts:
    facts: Facts = {}
    for name, described in admin.describe_topics(TopicCollection(list(topics))).items():
        topic = described.result(20)
        facts[f"id of {name}"] = str(topic.topic_id)
        facts[f"partitions of {name}"] = len(topic.partitions)
        check(all(each.leader is not None for each in topic.partitions), f"{name} has no leader")
    return facts


def _configs(admin: AdminClient, resources: list[ConfigResource]) -> Facts:
    facts: Facts = {}
    for resource, entries in admin.describe_configs(resources).items():
        for entry in entries.result(20).values():
            if entry.source in ALTERED:
                facts[f"{entry.name} of {resource.name}"] = (entry.value, entry.source)
    return facts


def _records(context: Context, admin: AdminClient, topics: Mapping[str, int]) -> Facts:
    facts: Facts = {}
    places = [(name, number) for name, count in topics.items() for number in range(count)]
    found = everything(context, places)
    for name, number in places:
        rows = found[name, number]
        place = f"{name}-{number}"
        epochs = [row[-1] for row in rows]
        equal(epochs, sorted(epochs), f"leader epochs of {place}")
        if name.endswith("compacted"):
            # What the cleaner has done by now is its own affair; the last record of each key is not.
            facts[f"last records of {place}"] = {row[3]: row for row in rows}
            continue
        facts[f"records of {place}"] = rows
    facts |= _offsets(
        admin, {place: rows for place, rows in found.items() if not place[0].endswith("compacted")}
    )
    return facts


def everything(context: Context, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], list[Row]]:
    """All records of these partitions, read to their ends."""
    found: dict[tuple[str, int], list[Row]] = {place: [] for place in places}
    settings = {"enable.partition.eof": True, "check.crcs": True, "fetch.wait.max.ms": 20}
    client = consumer(context, context.group("eyes"), settings)
    try:
        client.assign([TopicPartition(name, number, 0) for name, number in found])
        _read(client, found)
    finally:
        client.close()
    return found


def _read(client: Consumer, found: dict[tuple[str, int], list[Row]]) -> None:
    open_ends = set(found)
    deadline = time.monotonic() + 60
    while open_ends:
        check(time.monotonic() < deadline, f"no end of {sorted(open_ends)[:5]}")
        for message in client.consume(1000, 0.2):
            place = (message.topic() or "", message.partition() or 0)
            if error := message.error():
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                open_ends.discard(place)
                continue
            kind, timestamp_ms = message.timestamp()
            row = (message.offset(), kind, timestamp_ms, message.key(), message.value(), message.headers())
            found[place].append((*row, message.leader_epoch()))


def _offsets(admin: AdminClient, found: Mapping[tuple[str, int], list[Row]]) -> Facts:
    """First, last, of the latest time and of some time between."""
    facts: Facts = {}
    middles = {place: rows[len(rows) // 2][2] for place, rows in found.items() if rows}
    questions: list[tuple[str, dict[TopicPartition, OffsetSpec]]] = [
        ("first offset", {TopicPartition(*place): OffsetSpec.earliest() for place in found}),
        ("end", {TopicPartition(*place): OffsetSpec.latest() for place in found}),
        (
            "offset of the latest time",
            {TopicPartition(*place): OffsetSpec.max_timestamp() for place in found},
        ),
        (
            "offset of a time",
            {TopicPartition(*place): OffsetSpec.for_timestamp(middle) for place, middle in middles.items()},
        ),
    ]
    for what, question in questions:
        # As long as a transaction is open somewhere, its end is not the end for everybody.
        answers = admin.list_offsets(question, isolation_level=IsolationLevel.READ_UNCOMMITTED)
        for place, answer in answers.items():
            listed = answer.result(20)
            name = f"{place.topic}-{place.partition}"
            if what in ("end", "first offset"):
                # Of an empty log the epoch is that of its leader.
                facts[f"{RISING}{what} of {name}"] = listed.leader_epoch
                facts[f"{what} of {name}"] = listed.offset
            else:
                facts[f"{what} of {name}"] = (listed.offset, listed.timestamp, listed.leader_epoch)
    return facts


def _groups(admin: AdminClient) -> Facts:
    facts: Facts = {}
    listed = admin.list_consumer_groups().result(20)
    check(not listed.errors, f"errors of listed groups: {listed.errors}")
    groups = {each.group_id: each for each in listed.valid if not each.group_id.endswith("eyes")}
    for name, listing in groups.items():
        facts[f"state of group {name}"] = (listing.type.name, listing.state.name)
    # Members of the newer protocol are told only by who runs it.
    classic = [name for name, listing in groups.items() if listing.type == ConsumerGroupType.CLASSIC]
    for name, described in admin.describe_consumer_groups(classic).items() if classic else ():
        facts[f"members of group {name}"] = sorted(
            (each.group_instance_id, each.member_id, sorted(map(_place, each.assignment.topic_partitions)))
            for each in described.result(20).members
        )
    for name in groups:
        asked = [ConsumerGroupTopicPartitions(name)]
        for place in admin.list_consumer_group_offsets(asked)[name].result(20).topic_partitions:
            fact = f"offset of group {name} in {place.topic}-{place.partition}"
            facts[fact] = (place.offset, place.metadata, place.leader_epoch)
    return facts


def _place(place: TopicPartition) -> tuple[str, int]:
    return place.topic, place.partition
