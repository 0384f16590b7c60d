"""The differences that are on purpose: what, and why.

Every line must explain something: one that does not any more is an error.
Patterns are those of shells: `*` for anything.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from compat.diff.compare import Difference


@dataclass(frozen=True)
class Explained:
    """Differences of one kind."""

    why: str
    api: str = "*"
    case: str = "*"
    path: str = "*"
    kbroker: str = "*"
    kafka: str = "*"

    def covers(self, api: str, case: str, difference: Difference) -> bool:
        """Whether this is the reason."""
        return (
            fnmatchcase(api, self.api)
            and fnmatchcase(case, self.case)
            and fnmatchcase(_plain(difference.path), self.path)
            and fnmatchcase(repr(difference.kbroker), self.kbroker)
            and fnmatchcase(repr(difference.kafka), self.kafka)
        )


def _plain(path: str) -> str:
    """Without brackets, which mean something in patterns."""
    return path.replace("[", ".").replace("]", "")


EXPLAINED: Final = (
    Explained(
        "Sentences for people are kbroker's own; that there is one, and when, is the same.",
        path="*error_message",
        kbroker="['\"]?*",
        kafka="['\"]?*",
    ),
    Explained(
        "kbroker says a sentence with errors for which Apache Kafka has none.",
        path="*error_message",
        kbroker="['\"]?*",
        kafka="None",
    ),
    Explained(
        "Formatted with ELR, Apache Kafka keeps min.insync.replicas as a cluster-wide setting.",
        api="CreateTopics",
        path="topics.*.configs.*.config_source",
        kbroker="5",
        kafka="3",
    ),
)
