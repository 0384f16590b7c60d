"""The tools that people measure with: they must come to an end, and have counted right."""

import re

from compat.harness import Context, Scenario, check, equal
from compat.kafka import tools
from compat.kafka_tools.kit import create, tool

RECORDS = 20_000


def performance_tools(context: Context) -> None:
    topic = context.topic()
    create(context, topic, "--partitions", "3")
    size = ("--num-records", str(RECORDS), "--record-size", "100", "--throughput", "-1")
    settings = ("--command-property", "compression.type=lz4", "acks=all")
    said = tool(context, tools.PRODUCER_PERFORMANCE, "--topic", topic, *size, *settings)
    check(re.search(rf"^{RECORDS} records sent, [\d.]+ records/sec .* 99.9th\.$", said, re.MULTILINE), said)
    limits = ("--num-records", str(RECORDS), "--timeout", "30000", "--group", context.group())
    header, row = tool(context, tools.CONSUMER_PERFORMANCE, "--topic", topic, *limits).splitlines()[-2:]
    measured = dict(zip(header.split(", "), row.split(", "), strict=True))
    equal(measured["data.consumed.in.nMsg"], str(RECORDS), "records that the consumer counts")
    latencies = ("--num-records", "50", "--producer-acks", "all", "--record-size", "100")
    said = tool(context, tools.END_TO_END_LATENCY, "--topic", context.topic("latency"), *latencies)
    check("Percentiles: 50th = " in said, said)


SCENARIOS: dict[str, Scenario] = {"performance_tools": performance_tools}
