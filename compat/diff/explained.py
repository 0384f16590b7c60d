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
    case: str = "*"
    paths: tuple[str, ...] = ("*",)
    kbroker: str = "*"
    kafka: str = "*"

    def covers(self, api: str, case: str, difference: Difference) -> bool:
        """Whether this is the reason."""
        path = difference.path.replace("[", ".").replace("]", "")
        return (
            fnmatchcase(api, self.api)
            and fnmatchcase(case, self.case)
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
        paths=("api_keys.*", "supported_features.*", "finalized_features*"),
        kbroker=repr(ABSENT),
    ),
    Explained(
        "Transactions are refused, at once and by an error that ends every client's producer.",
        api="InitProducerId",
        case="a transactional id*",
        paths=("error_code", "producer_id", "producer_epoch"),
        kbroker="[-5]*",
    ),
    Explained(
        "Transactions have no coordinator.",
        api="FindCoordinator",
        case="type 1, *",
    ),
    Explained(
        "Share groups have no coordinator.",
        api="FindCoordinator",
        case="share key *",
        paths=("*error_code",),
        kbroker="42",
        kafka="15",
    ),
    Explained(
        "The two metadata logs have not the same length, and are looked at one after the other.",
        api="DescribeQuorum",
        paths=("*high_watermark", "*log_end_offset", "*_timestamp"),
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
        case="* twice",
        paths=("topics.*",),
    ),
    Explained(
        "A group that one request describes many times is described once.",
        api="DescribeGroups",
        case="several",
        paths=("groups.* again",),
        kbroker=repr(ABSENT),
    ),
    Explained(
        "A topic that a Metadata request creates has its leaders in the same answer.",
        api="Metadata",
        case="created",
        paths=("topics.topics-auto.error_code", "topics.topics-auto.partitions.0"),
    ),
    Explained(
        "Where Apache Kafka meets an error it does not expect, kbroker says what is wrong with the request.",
        paths=("*error_code", "topics.*.topic_authorized_operations"),
        kbroker="[1-9]*",
        kafka="-[12]*",
    ),
    Explained(
        "Every batch of a fetch is whole.",
        api="Fetch",
        paths=("*.records.cut bytes",),
        kbroker="0",
    ),
    Explained(
        "A negative limit of bytes is none.",
        api="Fetch",
        case="*max bytes -1*",
        paths=("responses.*",),
    ),
    Explained(
        "kbroker has a node id and a directory by default.",
        api="DescribeConfigs",
        case="broker synonyms",
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
        case="never answered: *",
        kafka="'timed out'",
    ),
)
