"""The program: Apache Kafka's tools, scenario by scenario."""

import sys

from compat.harness import Context, Scenario, check, equal, eventually, serve
from compat.kafka import artifacts, tools
from compat.kafka_tools import cluster, groups, performance, unannounced, verifiable
from compat.kafka_tools.dump import dump_log
from compat.kafka_tools.kit import consume, create, filled, offsets_of, parsing, produce, refusal, tool


def create_topic(context: Context) -> None:
    create(context, context.topic(), "--partitions", "3", "--config", "retention.ms=3600000")
    described = tool(context, tools.TOPICS, "--describe", "--topic", context.topic())
    check("PartitionCount: 3" in described and "retention.ms=3600000" in described, described)
    equal(described.count("Leader: 1\t"), 3, "partitions with a leader")
    check(context.topic() in tool(context, tools.TOPICS, "--list").split(), "the topic is not listed")
    said = refusal(context, tools.TOPICS, "--create", "--topic", context.topic())
    check("already exists" in said, f"twice the same name: {said}")
    said = refusal(
        context, tools.TOPICS, "--create", "--topic", context.topic("rf"), "--replication-factor", "5"
    )
    check("InvalidReplicationFactor" in said, f"five replicas: {said}")


def produce_with(codec: str) -> Scenario:
    """A scenario: the console producer with one codec, the console consumer."""

    def scenario(context: Context) -> None:
        create(context, context.topic())
        sent = [f"{number} " + "the quick brown fox " * (number % 50) for number in range(1000)]
        produce(context, context.topic(), sent, "--compression-codec", codec)
        equal(consume(context, context.topic(), len(sent), "--from-beginning"), sent, "values")

    return scenario


def keyed_and_unkeyed(context: Context) -> None:
    create(context, context.topic(), "--partitions", "3")
    keyed = [f"key-{number % 9}\t{number}" for number in range(90)]
    produce(context, context.topic(), keyed, "--reader-property", "parse.key=true")
    shown = ("--formatter-property", "print.key=true", "--formatter-property", "print.partition=true")
    found = [line.split("\t") for line in consume(context, context.topic(), 90, "--from-beginning", *shown)]
    for key in {key for _, key, _ in found}:
        equal(len({partition for partition, name, _ in found if name == key}), 1, f"partitions of {key}")
        values = [value for _, name, value in found if name == key]
        equal(
            values, [line.split("\t")[1] for line in keyed if line.startswith(f"{key}\t")], f"order of {key}"
        )
    nulls = context.topic("nulls")
    produce(
        context, nulls, ["NULL\tno key", "tombstone\tNULL"], *parsing("parse.key=true", "null.marker=NULL")
    )
    found_nulls = consume(context, nulls, 2, "--from-beginning", "--formatter-property", "print.key=true")
    equal(found_nulls, ["null\tno key", "tombstone\tnull"], "null key and null value")


def headers(context: Context) -> None:
    create(context, context.topic())
    lines = ["a:1,b:two,a:3\tvalue", "empty:\tsecond"]
    produce(context, context.topic(), lines, *parsing("parse.headers=true"))
    found = consume(
        context, context.topic(), 2, "--from-beginning", "--formatter-property", "print.headers=true"
    )
    equal(found, lines, "headers and values")


def consume_beginning(context: Context) -> None:
    filled(context, 50)
    found = consume(context, context.topic(), 50, "--from-beginning")
    equal(found, [str(number) for number in range(50)], "values")


def consume_offset(context: Context) -> None:
    filled(context, 50)
    found = consume(context, context.topic(), 10, "--partition", "0", "--offset", "40")
    equal(found, [str(number) for number in range(40, 50)], "values")


def admin(context: Context) -> None:
    topic = filled(context, 50)
    tool(context, tools.TOPICS, "--alter", "--topic", topic, "--partitions", "4")
    check("PartitionCount: 4" in tool(context, tools.TOPICS, "--describe", "--topic", topic), "partitions")
    entity = ("--entity-type", "topics", "--entity-name", topic)
    tool(context, tools.CONFIGS, "--alter", *entity, "--add-config", "max.message.bytes=12345")
    described = tool(context, tools.CONFIGS, "--describe", *entity)
    check("max.message.bytes=12345" in described and "DYNAMIC_TOPIC_CONFIG" in described, described)
    tool(context, tools.CONFIGS, "--alter", *entity, "--delete-config", "max.message.bytes")
    check(
        "max.message.bytes=12345" not in tool(context, tools.CONFIGS, "--describe", *entity),
        "a deleted config",
    )
    brokers = tool(
        context, tools.CONFIGS, "--describe", "--all", "--entity-type", "brokers", "--entity-name", "1"
    )
    check("node.id=1 " in brokers, "configs of the broker")

    plan = context.scratch / "delete.json"
    plan.write_text(f'{{"partitions": [{{"topic": "{topic}", "partition": 0, "offset": 20}}], "version": 1}}')
    said = tool(context, tools.DELETE_RECORDS, "--offset-json-file", str(plan))
    check("low_watermark: 20" in said, f"deleting records: {said}")
    offsets = tool(context, tools.GET_OFFSETS, "--topic", topic, "--time", "earliest")
    check(f"{topic}:0:20" in offsets.split(), f"earliest offsets: {offsets}")
    offsets = tool(context, tools.GET_OFFSETS, "--topic", topic)
    check(f"{topic}:0:50" in offsets.split(), f"latest offsets: {offsets}")

    _groups(context, topic)
    tool(context, tools.TOPICS, "--delete", "--topic", topic)
    eventually(lambda: topic not in tool(context, tools.TOPICS, "--list").split(), "the topic is gone")


def _groups(context: Context, topic: str) -> None:
    group = context.group()
    consume(context, topic, 10, "--group", group, "--from-beginning")
    listed = tool(context, tools.CONSUMER_GROUPS, "--list", "--state")
    check([group, "Empty"] in [line.split() for line in listed.splitlines()], f"listed groups: {listed}")
    equal(offsets_of(context, group)[topic, 0], ("30", "50", "20"), "offset, end and lag")
    tool(context, tools.CONSUMER_GROUPS, "--delete", "--group", group)
    check(group not in tool(context, tools.CONSUMER_GROUPS, "--list").split(), "the group is still there")


def unknown_topic(context: Context) -> None:
    said = refusal(context, tools.TOPICS, "--describe", "--topic", context.topic("absent"))
    check("does not exist" in said, f"describing: {said}")
    said = refusal(context, tools.TOPICS, "--delete", "--topic", context.topic("absent"))
    check("does not exist" in said, f"deleting: {said}")
    produce(context, context.topic("wanted"), ["creates its topic"])
    found = consume(context, context.topic("wanted"), 1, "--from-beginning")
    equal(found, ["creates its topic"], "the auto-created topic")


SCENARIOS: dict[str, Scenario] = {
    "create_topic": create_topic,
    **{f"produce_{codec}": produce_with(codec) for codec in ("none", "gzip", "snappy", "lz4", "zstd")},
    "keyed_and_unkeyed": keyed_and_unkeyed,
    "headers": headers,
    "consume_beginning": consume_beginning,
    "consume_offset": consume_offset,
    "admin": admin,
    "unknown_topic": unknown_topic,
    **groups.SCENARIOS,
    **cluster.SCENARIOS,
    **performance.SCENARIOS,
    **verifiable.SCENARIOS,
    **unannounced.SCENARIOS,
    "dump_log": dump_log,
}

if __name__ == "__main__":
    sys.exit(serve(artifacts.VERSION, SCENARIOS))
