"""Apache Kafka's command-line tools, run by class.

The same classes that `kafka-topics.sh` and its kin start, without the shell
around them, and with a JVM that is tuned to end soon.
"""

import subprocess
from pathlib import Path
from typing import Final

from compat.kafka import artifacts

ACLS: Final = "org.apache.kafka.tools.AclCommand"
BROKER_API_VERSIONS: Final = "org.apache.kafka.tools.BrokerApiVersionsCommand"
CLIENT_METRICS: Final = "org.apache.kafka.tools.ClientMetricsCommand"
CLUSTER: Final = "org.apache.kafka.tools.ClusterTool"
CONSOLE_CONSUMER: Final = "org.apache.kafka.tools.consumer.ConsoleConsumer"
CONSOLE_PRODUCER: Final = "org.apache.kafka.tools.ConsoleProducer"
CONSOLE_SHARE_CONSUMER: Final = "org.apache.kafka.tools.consumer.ConsoleShareConsumer"
CONSUMER_GROUPS: Final = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
CONSUMER_PERFORMANCE: Final = "org.apache.kafka.tools.ConsumerPerformance"
DELEGATION_TOKENS: Final = "org.apache.kafka.tools.DelegationTokenCommand"
DELETE_RECORDS: Final = "org.apache.kafka.tools.DeleteRecordsCommand"
DUMP_LOG: Final = "org.apache.kafka.tools.DumpLogSegments"
END_TO_END_LATENCY: Final = "org.apache.kafka.tools.EndToEndLatency"
FEATURES: Final = "org.apache.kafka.tools.FeatureCommand"
GET_OFFSETS: Final = "org.apache.kafka.tools.GetOffsetShell"
GROUPS: Final = "org.apache.kafka.tools.GroupsCommand"
LEADER_ELECTION: Final = "org.apache.kafka.tools.LeaderElectionCommand"
LOG_DIRS: Final = "org.apache.kafka.tools.LogDirsCommand"
METADATA_QUORUM: Final = "org.apache.kafka.tools.MetadataQuorumCommand"
PRODUCER_PERFORMANCE: Final = "org.apache.kafka.tools.ProducerPerformance"
REASSIGN_PARTITIONS: Final = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
SHARE_GROUPS: Final = "org.apache.kafka.tools.consumer.group.ShareGroupCommand"
STREAMS_GROUPS: Final = "org.apache.kafka.tools.streams.StreamsGroupCommand"
TOPICS: Final = "org.apache.kafka.tools.TopicCommand"
TRANSACTIONS: Final = "org.apache.kafka.tools.TransactionsCommand"
VERIFIABLE_CONSUMER: Final = "org.apache.kafka.tools.VerifiableConsumer"
VERIFIABLE_PRODUCER: Final = "org.apache.kafka.tools.VerifiableProducer"
CONFIGS: Final = "kafka.admin.ConfigCommand"
STORAGE: Final = "kafka.tools.StorageTool"

QUIET: Final = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]
SHORT_LIVED: Final = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m"]


class ToolFailed(Exception):
    """A tool ended with an error."""


def command(main_class: str, *arguments: str | Path) -> list[str]:
    """The command line that runs a tool."""
    return [
        *("java", *SHORT_LIVED, *QUIET, "-cp", artifacts.class_path(), main_class),
        *(str(argument) for argument in arguments),
    ]


def run(main_class: str, *arguments: str | Path, text: str = "", timeout_s: float = 120.0) -> str:
    """What a tool prints; ToolFailed when it ends badly."""
    return run_both(main_class, *arguments, text=text, timeout_s=timeout_s)[0]


def run_both(
    main_class: str, *arguments: str | Path, text: str = "", timeout_s: float = 120.0
) -> tuple[str, str]:
    """What a tool prints, and what it complains of on standard error; ToolFailed when it ends badly."""
    done = subprocess.run(
        command(main_class, *arguments), input=text, capture_output=True, text=True, timeout=timeout_s
    )
    if done.returncode != 0:
        name = main_class.rsplit(".", 1)[1]
        raise ToolFailed(f"{name} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout, done.stderr
