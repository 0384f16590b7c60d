"""The verifiable producer and consumer, with which Apache Kafka proves itself in its system tests."""

from collections.abc import Sequence

from compat.harness import Context, Scenario, check, equal, eventually
from compat.kafka import tools
from compat.kafka_tools.kit import Speaker, complaint, create, tool

PARTITIONS = 6


def verifiable_clients(context: Context) -> None:
    """A number of records, each acknowledged, read once, in order, committed."""
    count = ("--max-messages", "500")
    producer = Speaker(context, tools.VERIFIABLE_PRODUCER, "--topic", context.topic(), "--acks", "-1", *count)
    consumer = _member(context, *count)
    try:
        eventually(lambda: len(_acknowledged(producer)) == 500, "500 records are acknowledged", 120)
        eventually(lambda: len(_read(consumer)) >= 500, "500 records are read", 120)
        equal(_read(consumer), _acknowledged(producer), "places and values")
        eventually(lambda: _committed(consumer) == {0: 500}, "the end is committed")
        equal(producer.said("producer_send_error"), [], "errors of the producer")
    finally:
        producer.kill()
        consumer.kill()


def group_of_three(context: Context) -> None:
    create(context, context.topic(), "--partitions", str(PARTITIONS))
    producer = Speaker(
        context, tools.VERIFIABLE_PRODUCER, "--topic", context.topic(), "--acks", "-1", "--throughput", "50"
    )
    members = [_member(context, "--session-timeout", "6000") for _ in range(3)]
    try:
        _settled(members)
        _described(context)
        members.pop().end()
        _settled(members)
        members.pop().kill()
        _settled(members)
        survivor = members[0]
        before = len(_read(survivor))
        eventually(lambda: len(_read(survivor)) > before + 50, "the last member reads on", 120)
    finally:
        for each in (producer, *members):
            each.kill()


def _described(context: Context) -> None:
    """A living group, as the tool shows it; it can not be deleted or reset."""
    group = context.group()

    def rows(*what: str) -> list[list[str]]:
        said = tool(context, tools.CONSUMER_GROUPS, "--describe", "--group", group, *what)
        return [line.split() for line in said.splitlines() if line.startswith(f"{group} ")]

    equal([row[-2:] for row in rows("--state")], [["Stable", "3"]], "state and number of members")
    equal([row[4] for row in rows("--members")], ["2", "2", "2"], "partitions of each member")
    said = tool(context, tools.CONSUMER_GROUPS, "--delete", "--group", group)
    check(
        "could not be deleted due to: NON_EMPTY_GROUP" in said or "is not empty" in said, f"deleting: {said}"
    )
    reset = ("--reset-offsets", "--group", group, "--topic", context.topic(), "--to-earliest", "--execute")
    said = complaint(context, tools.CONSUMER_GROUPS, *reset)
    check(
        "can only be reset if the group" in said and "is inactive" in said,
        f"resetting a living group: {said}",
    )


def restart_in_the_middle(context: Context) -> None:
    create(context, context.topic(), "--partitions", "3")
    limits = ("--acks", "-1", "--throughput", "200")
    producer = Speaker(context, tools.VERIFIABLE_PRODUCER, "--topic", context.topic(), *limits)
    consumer = _member(context, "--session-timeout", "30000")
    try:
        for action in ("kill", "stop"):
            _progress(producer, consumer)
            context.broker(action)
            context.broker("start")
        _progress(producer, consumer)
        producer.end()
        sent = _acknowledged(producer)
        eventually(lambda: sent.keys() <= _read(consumer).keys(), "all that was acknowledged is read", 120)
        equal({place: _read(consumer)[place] for place in sent}, sent, "what was acknowledged, where it was")
        consumer.end()
    finally:
        producer.kill()
        consumer.kill()


def _member(context: Context, *arguments: str) -> Speaker:
    common = ("--topic", context.topic(), "--group-id", context.group(), "--reset-policy", "earliest")
    return Speaker(context, tools.VERIFIABLE_CONSUMER, *common, "--verbose", *arguments)


def _acknowledged(producer: Speaker) -> dict[tuple[int, int], str]:
    """Place → value."""
    sent = producer.said("producer_send_success")
    return {(event["partition"], event["offset"]): event["value"] for event in sent}


def _read(consumer: Speaker) -> dict[tuple[int, int], str]:
    read = consumer.said("record_data")
    return {(event["partition"], event["offset"]): event["value"] for event in read}


def _committed(consumer: Speaker) -> dict[int, int]:
    events = [event for event in consumer.said("offsets_committed") if event["success"]]
    return {each["partition"]: each["offset"] for event in events for each in event["offsets"]}


def _settled(members: Sequence[Speaker]) -> None:
    def even() -> bool:
        shares = [member.assigned for member in members]
        owned = sorted(partition for share in shares for partition in share)
        sizes = [len(share) for share in shares]
        return owned == list(range(PARTITIONS)) and max(sizes) - min(sizes) <= 1

    eventually(even, f"{len(members)} members share {PARTITIONS} partitions evenly", 120)


def _progress(producer: Speaker, consumer: Speaker) -> None:
    sent, read = len(_acknowledged(producer)), len(_read(consumer))
    eventually(
        lambda: len(_acknowledged(producer)) >= sent + 200 and len(_read(consumer)) >= read + 200,
        "200 more records are acknowledged and read",
        120,
    )


SCENARIOS: dict[str, Scenario] = {
    "verifiable_clients": verifiable_clients,
    "group_of_three": group_of_three,
    "restart_in_the_middle": restart_in_the_middle,
}
