"""The differences that are on purpose: what, and why.

Every line must explain something: one that does not any more is an error.
Patterns are those of shells: `*` for anything.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from compat.diff.compare import ABSENT, Difference


@dataclass(frozen=True)
class Explained:
    """Differences of one kind."""

    why: str
    api: str = "*"
    cases: tuple[str, ...] = ("*",)
    paths: tuple[str, ...] = ("*",)
    kbroker: str = "*"
    kafka: str = "*"

    def covers(self, api: str, case: str, difference: Difference) -> bool:
        """Whether this is the reason."""
        path = difference.path.replace("[", ".").replace("]", "")
        return (
            fnmatchcase(api, self.api)
            and any(fnmatchcase(case, pattern) for pattern in self.cases)
            and any(fnmatchcase(path, pattern) for pattern in self.paths)
            and fnmatchcase(repr(difference.kbroker), self.kbroker)
            and fnmatchcase(repr(difference.kafka), self.kafka)
        )


_TEXT: Final = "['\"]?*"

EXPLAINED: Final = (
    Explained(
        "Sentences for people are kbroker's own.",
        paths=("*error_message", "*documentation"),
        kbroker=_TEXT,
        kafka=_TEXT,
    ),
    Explained(
        "kbroker has a sentence for errors that Apache Kafka leaves without one.",
        paths=("*error_message",),
        kbroker=_TEXT,
        kafka="None",
    ),
    Explained(
        "APIs and features that kbroker does not have are not announced.",
        api="ApiVersions",
        paths=("api_keys.*", "supported_features.*", "finalized_features.*"),
        kbroker=repr(ABSENT),
    ),
    Explained(
        "The voters of the quorum can not be changed.",
        api="ApiVersions",
        paths=("supported_features.kraft.version.max_version",),
        kbroker="0",
        kafka="1",
    ),
    Explained(
        "Transactions are refused, at once and by an error that ends every client's producer.",
        api="InitProducerId",
        cases=("a transactional id*",),
        paths=("error_code", "producer_id", "producer_epoch"),
        kbroker="[-5]*",
    ),
    Explained(
        "Transactions have no coordinator.",
        api="FindCoordinator",
        cases=("type 1, *",),
    ),
    Explained(
        "Share groups have no coordinator.",
        api="FindCoordinator",
        cases=("share key *",),
        paths=("*error_code",),
        kbroker="42",
        kafka="15",
    ),
    Explained(
        "The two metadata logs have not the same length and history, and are not looked at in one moment.",
        paths=(
            "topics.__cluster_metadata.*.high_watermark",
            "topics.__cluster_metadata.*.log_end_offset",
            "topics.__cluster_metadata.*_timestamp",
            "topics.__cluster_metadata.partitions.0.leader_epoch",
            "finalized_features_epoch",
        ),
    ),
    Explained(
        "The controller's listener is accepted and not opened.",
        api="DescribeQuorum",
        paths=("nodes.*listeners*",),
        kbroker=repr(ABSENT),
    ),
    Explained(
        "What one request describes many times is described once.",
        api="Describe*",
        cases=("* twice", "several"),
        paths=("topics.*", "groups.* again"),
    ),
    Explained(
        "A topic that a Metadata request creates has its leaders in the same answer.",
        api="Metadata",
        cases=("created",),
        paths=("topics.topics-auto.*",),
    ),
    Explained(
        "Records behind a right checksum are not looked into.",
        cases=("*garbage for records", "*gzip by name only", "*count and delta too small"),
        paths=("*.error_code", "*offset", "*.error_message"),
        kbroker="[0-3N]*",
    ),
    Explained(
        "A partition named twice in one Produce gets both batches; Apache Kafka drops the first.",
        cases=("*one Produce, *twice",),
        paths=("responses.*", "topics.places-*.offset"),
    ),
    Explained(
        "Another library compresses otherwise.",
        api="Fetch",
        cases=("zstd by the topic's settings",),
        paths=("*.payload",),
    ),
    Explained(
        "Where Apache Kafka meets an error it does not expect, kbroker says what is wrong with the request.",
        paths=("*error_code",),
        kbroker="[1-9]*",
        kafka="-1",
    ),
    Explained(
        "Every batch of a fetch is whole.",
        api="Fetch",
        paths=("*.records.cut bytes",),
        kbroker="0",
        kafka="[1-9]*",
    ),
    Explained(
        "A negative limit of bytes is none.",
        api="Fetch",
        cases=("*max bytes -1*",),
        paths=("responses.*",),
    ),
    Explained(
        "kbroker has a node id and a directory by default.",
        api="DescribeConfigs",
        cases=("broker synonyms",),
        paths=("*.broker.id.synonyms*", "*.node.id.synonyms*", "*.log.dirs.synonyms*"),
    ),
    Explained(
        "kbroker has settings of its own.",
        api="DescribeConfigs",
        paths=("results.*.configs.kbroker.*",),
        kafka=repr(ABSENT),
    ),
    Explained(
        "Apache Kafka never answers: its handler fails on the way.",
        cases=("never answered: *",),
        kafka="'timed out'",
    ),
)
