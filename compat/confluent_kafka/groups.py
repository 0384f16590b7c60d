"""Groups: members that come, go and die; commits and what they are for."""

import threading

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import ConsumerGroupState as State

from compat.confluent_kafka.kit import (
    Settings,
    admin_client,
    consumer,
    create_topic,
    member,
    poll,
    send,
)
from compat.harness import Context, Scenario, check, equal, eventually
from compat.members import Member, all_read_once, end, settled
from compat.records import Record, numbered

PARTITIONS = 6


def group_of_three(context: Context) -> None:
    topic = create_topic(context, context.topic(), PARTITIONS)
    members: list[Member] = []
    try:
        members = [member(context, context.group(), topic) for _ in range(3)]
        settled(members, PARTITIONS)
        send(context, topic, numbered("a", 300, PARTITIONS))
        all_read_once(members, [f"a{number}" for number in range(300)])

        description = (
            admin_client(context).describe_consumer_groups([context.group()])[context.group()].result(10)
        )
        equal(description.state, State.STABLE, "state")
        equal(len(description.members), 3, "members")
        owned = sorted(
            tp.partition for each in description.members for tp in each.assignment.topic_partitions
        )
        equal(owned, list(range(PARTITIONS)), "partitions in the description")

        members.pop().leave()
        settled(members, PARTITIONS, 15)
        # Its session has to end first.
        members.pop().kill()
        settled(members, PARTITIONS, 25)
        survivor = members[0]
        before = len(survivor.records)
        send(context, topic, numbered("b", 60, PARTITIONS))
        eventually(lambda: len(survivor.records) >= before + 60, "the last member reads all")
        survivor.leave()
        eventually(
            lambda: (
                admin_client(context)
                .describe_consumer_groups([context.group()])[context.group()]
                .result(10)
                .state
                == State.EMPTY
            ),
            "the group is empty",
        )
    finally:
        end(members)


def static_member(context: Context) -> None:
    topic = create_topic(context, context.topic(), 4)
    members: list[Member] = []

    def static(name: str) -> Member:
        # Long enough that the session does not end while the member is away.
        settings: Settings = {"group.instance.id": name, "session.timeout.ms": 20_000}
        members.append(member(context, context.group(), topic, settings))
        return members[-1]

    try:
        first, second = static("first"), static("second")
        settled([first, second], 4)
        share, rebalances = first.assigned, second.rebalances
        first.leave()  # A static member does not say that it leaves.
        returned = static("first")
        eventually(lambda: returned.assigned == share, "the member has its partitions back")
        equal(second.rebalances, rebalances, "rebalances seen by the other member")
        double = static("first")
        eventually(lambda: "fenced by other consumer" in returned.error, "the older of two doubles is fenced")
        eventually(lambda: double.assigned == share, "the younger one has the partitions")
    finally:
        end(members)


def cooperative(context: Context) -> None:
    topic = create_topic(context, context.topic(), PARTITIONS)
    members: list[Member] = []
    settings: Settings = {"partition.assignment.strategy": "cooperative-sticky"}
    try:
        first = member(context, context.group(), topic, settings)
        members.append(first)
        settled([first], PARTITIONS)
        everything = first.assigned
        second = member(context, context.group(), topic, settings)
        members.append(second)
        settled([first, second], PARTITIONS)
        check(first.assigned < everything, "the first member did not simply give some away")
        send(context, topic, numbered("a", 120, PARTITIONS))
        all_read_once(members, [f"a{number}" for number in range(120)])
        second.leave()
        settled([first], PARTITIONS)
    finally:
        end(members)


def commit_sync(context: Context) -> None:
    def commit(client: Consumer) -> None:
        placed = client.commit(asynchronous=False)
        equal([each.error for each in placed or []], [None], "errors of the commit")

    topic = _resumed(context, commit)
    client = consumer(context, context.group())
    offset = TopicPartition(topic, 0, 7, "a note")
    client.commit(offsets=[offset], asynchronous=False)
    found = client.committed([TopicPartition(topic, 0)], 10)[0]
    equal((found.offset, found.metadata), (7, "a note"), "a commit by hand, with its metadata")
    client.close()
    fresh = consumer(context, context.group("fresh"))
    equal(fresh.committed([TopicPartition(topic, 0)], 10)[0].offset, -1001, "a group without commits")
    fresh.close()


def commit_async(context: Context) -> None:
    committed = threading.Event()
    errors: list[KafkaError | KafkaException | None] = []

    def note(error: KafkaError | KafkaException | None, partitions: list[TopicPartition]) -> None:
        errors.append(error)
        committed.set()

    def commit(client: Consumer) -> None:
        client.commit(asynchronous=True)
        eventually(lambda: client.poll(0.1) is None and committed.is_set(), "the commit is answered")

    _resumed(context, commit, {"on_commit": note})
    equal(errors[0], None, "error of the commit")


def commit_auto(context: Context) -> None:
    # Closing commits what was consumed.
    _resumed(context, lambda client: None, {"enable.auto.commit": True, "auto.commit.interval.ms": 200})


def _resumed(context: Context, commit: object, settings: Settings | None = None) -> str:
    """Read 40 of 100, commit, come back, and go on at 40."""
    topic = create_topic(context, context.topic())
    send(context, topic, [Record(b"%d" % number) for number in range(100)])
    client = consumer(context, context.group(), settings)
    client.subscribe([topic])
    equal([message.offset() for message in poll(client, 40)], list(range(40)), "first reading")
    client.pause(client.assignment())
    assert callable(commit)
    commit(client)
    client.close()
    client = consumer(context, context.group(), settings)
    client.subscribe([topic])
    equal([message.offset() for message in poll(client, 60)], list(range(40, 100)), "second reading")
    client.close()
    return topic


SCENARIOS: dict[str, Scenario] = {
    "group_of_three": group_of_three,
    "static_member": static_member,
    "cooperative": cooperative,
    "commit_sync": commit_sync,
    "commit_async": commit_async,
    "commit_auto": commit_auto,
}
