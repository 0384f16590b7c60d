"""Tools that need APIs which the broker does not announce, or refuses: they must say so, and soon."""

import os
from concurrent.futures import ThreadPoolExecutor

from compat.harness import Context, Scenario, check
from compat.kafka import tools
from compat.kafka_tools.kit import complaint

# Tool, arguments, what it says it misses.
CASES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        tools.LEADER_ELECTION,
        ("--election-type", "preferred", "--all-topic-partitions"),
        "does not support ELECT_LEADERS",
    ),
    (tools.REASSIGN_PARTITIONS, ("--list",), "does not support LIST_PARTITION_REASSIGNMENTS"),
    (tools.ACLS, ("--list",), "does not support DESCRIBE_ACLS"),
    (tools.TRANSACTIONS, ("list",), "does not support LIST_TRANSACTIONS"),
    (tools.FEATURES, ("upgrade", "--feature", "group.version=1"), "does not support UPDATE_FEATURES"),
    (tools.SHARE_GROUPS, ("--describe", "--group", "g"), "does not support SHARE_GROUP_DESCRIBE"),
    (tools.CONFIGS, ("--describe", "--entity-type", "clients"), "does not support DESCRIBE_CLIENT_QUOTAS"),
    (
        tools.CONSOLE_SHARE_CONSUMER,
        ("--topic", "t", "--group", "share", "--timeout-ms", "20000"),
        "does not support the share group protocol",
    ),
    (
        tools.CONSOLE_CONSUMER,
        ("--topic", "t", "--group", "newer", "--command-property", "group.protocol=consumer"),
        "does not support the new CONSUMER group protocol",
    ),
    (
        tools.DELEGATION_TOKENS,
        ("--describe", "--command-config", os.devnull),
        "does not support DESCRIBE_DELEGATION_TOKEN",
    ),
    (tools.STREAMS_GROUPS, ("--describe", "--group", "g"), "does not support STREAMS_GROUP_DESCRIBE"),
)


def unannounced(context: Context) -> None:
    def said(case: tuple[str, tuple[str, ...], str]) -> str:
        main_class, arguments, _ = case
        return complaint(context, main_class, *arguments)

    # Each is a JVM that mostly starts.
    with ThreadPoolExecutor(2) as pool:
        for case, answer in zip(CASES, pool.map(said, CASES), strict=True):
            check(case[2] in answer, f"{case[0]}: not {case[2]!r} in: {answer}")


SCENARIOS: dict[str, Scenario] = {"unannounced": unannounced}
