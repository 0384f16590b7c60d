"""What every client is asked to do, by name.

The names are the contract between the runner, the programs and the table in
the README. A program runs those it can; nobody invents a name elsewhere.
"""

from collections.abc import Mapping
from typing import Final

SCENARIOS: Final[Mapping[str, str]] = {
    "create_topic": "create a topic, use it at once; refused names, factors and configs",
    "produce_none": "produce uncompressed batches and read them back identical",
    "produce_gzip": "the same with gzip",
    "produce_snappy": "the same with snappy",
    "produce_lz4": "the same with lz4",
    "produce_zstd": "the same with zstd",
    "keyed_and_unkeyed": "equal keys share a partition and keep their order; null is not empty",
    "headers": "headers come back in order, with duplicates, empty and null values",
    "message_size_boundary": "the largest batch is taken, one byte more is refused",
    "idempotent": "an idempotent producer: every record once, in order",
    "acks_0_1_all": "each kind of acknowledgement",
    "consume_beginning": "read from the first offset",
    "consume_end": "read only what comes after",
    "consume_offset": "read from an offset; out of range resets or fails as configured",
    "consume_timestamp": "read from a time",
    "group_of_three": "three members share six partitions; one leaves, one is killed",
    "static_member": "a static member comes back to its partitions; its double is fenced",
    "cooperative": "a member joins and takes only what it must",
    "commit_sync": "commit, come back, resume",
    "commit_async": "the same without waiting",
    "commit_auto": "the same without asking",
    "pause_resume": "a paused partition is silent, and loses nothing",
    "seek": "back and forth in a partition",
    "admin": "partitions, configs, records, topics, groups, cluster",
    "unknown_topic": "a clear error, or auto-creation where it is wanted",
    "bad_partition": "a clear error for a partition that is not there",
    "restart_in_the_middle": "kill -9 and a clean restart under producers and a group",
    "transactional_refused": "transactions are not there yet: a clear error, at once",
    "new_protocols_refused": "a member of a consumer or share group: a clear error, at once",
    "every_admin_call": "every call of the admin client is answered, or refused at once",
    "reset_offsets": "move a group's offsets by tool",
    "delete_offsets": "forget a group's offsets, and a group, by tool",
    "describe_cluster": "log directories, quorum, endpoints, API versions, features by tool",
    "dynamic_configs": "settings of topics, one broker and every broker, changed while it runs",
    "client_metrics": "subscriptions to clients' metrics are kept, by tool",
    "list_offsets": "first and last offsets, offsets of times, by tool",
    "performance_tools": "the performance tests come to an end, and have counted right",
    "verifiable_clients": "the clients of Apache Kafka's system tests: each record once, in order",
    "unannounced": "tools that need what the broker does not announce say so, soon",
    "kcat_pipeline": "a large real file, line by line, through kill -9 to a group of three",
    "streams_word_count": "two instances count words over a repartition topic, with changelogs",
    "streams_restart": "counts restored from changelogs; kill -9 and a clean restart under the application",
    "streams_exactly_once_refused": "exactly-once needs transactions: a clear error, soon",
    "connect_source_to_sink": "a file through a topic into another, told over REST",
    "connect_restart": "a worker killed and started again goes on where it was; a broker's kill -9",
    "own_suite": "the client's own published test-suite",
    "way_out_and_back": "kbroker's directory under Apache Kafka, and back, with clean stops",
    "way_out_and_back_killed": "the same, with kill -9 at each stop",
    "way_in_and_back": "Apache Kafka's directory under kbroker, and back",
    "dump_log": "every file of the data directory, read by Apache Kafka's own tool",
}

# Scenarios that say something about one broker only.
ONLY_ON: Final[Mapping[str, str]] = {
    "transactional_refused": "kbroker",
    "new_protocols_refused": "kbroker",
    "every_admin_call": "kbroker",
    "streams_exactly_once_refused": "kbroker",
    "unannounced": "kbroker",
    # They start both brokers themselves.
    "way_out_and_back": "kbroker",
    "way_out_and_back_killed": "kbroker",
    "way_in_and_back": "kbroker",
}

# The rest must end within `DEADLINE_S`.
DEADLINE_S: Final = 120.0
DEADLINES_S: Final[Mapping[str, float]] = {
    "restart_in_the_middle": 300.0,
    "kcat_pipeline": 300.0,
    "dump_log": 300.0,
    "streams_word_count": 300.0,
    "streams_restart": 300.0,
    "connect_source_to_sink": 300.0,
    "connect_restart": 300.0,
    # A JVM or two for every line.
    "admin": 300.0,
    "group_of_three": 300.0,
    "reset_offsets": 300.0,
    "delete_offsets": 300.0,
    "describe_cluster": 300.0,
    "dynamic_configs": 300.0,
    "client_metrics": 300.0,
    "list_offsets": 300.0,
    "unannounced": 300.0,
    "way_out_and_back": 600.0,
    "way_out_and_back_killed": 600.0,
    "way_in_and_back": 600.0,
    "own_suite": 900.0,
}


def deadline_s(scenario: str) -> float:
    """How long a program may take before it is counted as hanging."""
    return DEADLINES_S.get(scenario, DEADLINE_S)
