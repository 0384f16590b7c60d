"""What the broker says of itself: directories, quorum, endpoints, versions, settings, offsets by time."""

import json

from compat.harness import Context, Scenario, check, equal, eventually
from compat.kafka import tools
from compat.kafka_tools.kit import create, filled, produce, refusal, tool


def describe_cluster(context: Context) -> None:
    topic = filled(context, 50)
    _log_directories(context, topic)
    _quorum(context)
    told = tools.run(tools.CLUSTER, "cluster-id", "--bootstrap-server", context.bootstrap)
    status = tool(context, tools.METADATA_QUORUM, "describe", "--status")
    check(told.split()[-1] in status, f"the cluster's id: {told.strip()}, in its quorum: {status}")
    endpoints = tools.run(tools.CLUSTER, "list-endpoints", "--bootstrap-server", context.bootstrap)
    rows = [line.split() for line in endpoints.splitlines()]
    host, port = context.bootstrap.split(":")
    check(any(row[:3] == ["1", host, port] for row in rows), f"endpoints: {endpoints}")
    features = tool(context, tools.FEATURES, "describe")
    check("FinalizedVersionLevel: 4.3-IV0" in features, f"features: {features}")
    versions = tool(context, tools.BROKER_API_VERSIONS)
    check(f"{context.bootstrap} (id: 1 rack: null" in versions, versions[:200])
    for api in ("Produce(0): ", "Fetch(1): ", "ApiVersions(18): 0 to 4 [usable: 4]", "DescribeQuorum(55): "):
        check(api in versions, f"{api} is not among the versions")


def _log_directories(context: Context, topic: str) -> None:
    described = tool(context, tools.LOG_DIRS, "--describe", "--broker-list", "1", "--topic-list", topic)
    directory = json.loads(described.splitlines()[-1])["brokers"][0]["logDirs"][0]
    equal(directory["error"], None, "the directory's error")
    partition = directory["partitions"][0]
    check(partition["partition"] == f"{topic}-0" and partition["size"] > 50, f"the partition: {partition}")
    equal((partition["offsetLag"], partition["isFuture"]), (0, False), "lag, and whether it moves")


def _quorum(context: Context) -> None:
    rows = [line.split("\t") for line in _replication(context).splitlines()]
    named = dict(zip(rows[0], rows[1], strict=False))
    values = {name.strip(): value.strip() for name, value in named.items()}
    equal((values["NodeId"], values["Lag"], values["Status"]), ("1", "0", "Leader"), "the leader's row")
    check(int(values["LogEndOffset"]) > 0, f"the end of the metadata log: {values}")


def _replication(context: Context) -> str:
    return tool(context, tools.METADATA_QUORUM, "describe", "--replication")


def dynamic_configs(context: Context) -> None:
    def described(*entity: str) -> str:
        return tool(context, tools.CONFIGS, "--describe", *entity)

    def altered(change: str, *entity: str) -> None:
        tool(context, tools.CONFIGS, "--alter", *entity, *change.split(" "))

    topic = filled(context, 1)
    one = ("--entity-type", "topics", "--entity-name", topic)
    altered("--add-config retention.ms=7200000,cleanup.policy=[compact,delete]", *one)
    eventually(lambda: "cleanup.policy=compact,delete" in described(*one), "two settings of the topic")
    check(
        "retention.ms=7200000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:" in described(*one), "synonyms"
    )
    altered("--delete-config cleanup.policy", *one)
    eventually(lambda: "cleanup.policy" not in described(*one), "one setting of the topic is gone")
    said = refusal(context, tools.CONFIGS, "--alter", *one, "--add-config", "retention.ms=soon")
    check("Invalid value soon for configuration retention.ms" in said, f"a bad value: {said}")

    broker = ("--entity-type", "brokers", "--entity-name", "1")
    every = ("--entity-type", "brokers", "--entity-default")
    altered("--add-config log.segment.delete.delay.ms=59999", *broker)
    altered("--add-config log.segment.delete.delay.ms=58888", *every)
    try:
        own = "log.segment.delete.delay.ms=59999 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:"
        default = "DYNAMIC_DEFAULT_BROKER_CONFIG:log.segment.delete.delay.ms=58888"
        wanted = (own, default)
        eventually(lambda: all(map(described(*broker).__contains__, wanted)), "both settings")
        check("log.segment.delete.delay.ms=58888" in described(*every), "the setting of every broker")
    finally:
        altered("--delete-config log.segment.delete.delay.ms", *broker)
        altered("--delete-config log.segment.delete.delay.ms", *every)
    said = refusal(context, tools.CONFIGS, "--alter", *broker, "--add-config", "log.dirs=/elsewhere")
    check("Cannot update these configs dynamically" in said, f"a setting that is read at start: {said}")


def client_metrics(context: Context) -> None:
    """Subscriptions are kept, although nothing is collected."""
    name = context.topic()
    tool(context, tools.CLIENT_METRICS, "--alter", "--name", name, "--interval", "30000", "--metrics", "a.b")

    def listed() -> bool:
        return name in tool(context, tools.CLIENT_METRICS, "--list").split()

    eventually(listed, "the subscription is listed")
    described = tool(context, tools.CLIENT_METRICS, "--describe", "--name", name)
    check("interval.ms=30000" in described and "metrics=a.b" in described, described)
    tool(context, tools.CLIENT_METRICS, "--delete", "--name", name)
    eventually(lambda: not listed(), "the subscription is gone")


def list_offsets(context: Context) -> None:
    topic = context.topic()
    create(context, topic, "--partitions", "2")
    keyed = [f"key {number}\t{number}" for number in range(40)]
    produce(context, topic, keyed, "--reader-property", "parse.key=true")

    def offsets(*arguments: str) -> dict[str, int]:
        rows = [line.rsplit(":", 2) for line in tool(context, tools.GET_OFFSETS, *arguments).split()]
        return {f"{name}:{partition}": int(offset or -1) for name, partition, offset in rows}

    latest = offsets("--topic", topic)
    equal(sum(latest.values()), 40, f"records by latest offsets {latest}")
    check(all(latest.values()), f"a partition got none: {latest}")
    equal(offsets("--topic", topic, "--time", "earliest"), dict.fromkeys(latest, 0), "earliest")
    found = offsets("--topic", topic, "--time", "max-timestamp")
    check(all(0 <= found[place] < latest[place] for place in latest), f"largest timestamps: {found}")
    equal(offsets("--topic", topic, "--time", "0"), dict.fromkeys(latest, 0), "since 1970")
    future = offsets("--topic", topic, "--time", "99999999999999")
    check(all(offset == -1 for offset in future.values()), f"in the future: {future}")
    one = offsets("--topic-partitions", f"{topic}:1", "--time", "-1")
    equal(one, {f"{topic}:1": latest[f"{topic}:1"]}, "one partition")
    internal = offsets("--exclude-internal-topics")
    check(latest.items() <= internal.items(), "all topics at once")
    check(not any(name.startswith("__") for name in internal), "internal topics are left out")


SCENARIOS: dict[str, Scenario] = {
    "describe_cluster": describe_cluster,
    "dynamic_configs": dynamic_configs,
    "client_metrics": client_metrics,
    "list_offsets": list_offsets,
}
