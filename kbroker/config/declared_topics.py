"""Topics that must exist once the broker is up.

`kbroker.topics` or the variable KAFKA_CREATE_TOPICS. Form:
`name:partitions:replication factor[:cleanup.policy]`, separated by commas or
line ends; partitions and replication factor may be empty for the broker's
defaults.
"""

from __future__ import annotations

from kbroker.config.key import ConfigError

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_POLICIES = ("delete", "compact", "compact,delete")


class DeclaredTopic:
    """One topic to create; -1 stands for the broker's default."""

    __slots__ = ("configs", "name", "partitions", "replication_factor")

    def __init__(self, name: str, partitions: int, replication_factor: int, configs: dict[str, str]) -> None:
        self.name = name
        self.partitions = partitions
        self.replication_factor = replication_factor
        self.configs = configs


def parse_declared_topics(items: list[str]) -> tuple[DeclaredTopic, ...]:
    topics = tuple(_parse(item) for item in items if item)
    names = [topic.name for topic in topics]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"kbroker.topics declares {name} twice.")
    return topics


def _parse(item: str) -> DeclaredTopic:
    name, *rest = (part.strip() for part in item.split(":"))
    if len(rest) > 3:
        raise ConfigError(f"kbroker.topics holds '{item}', not name:partitions:replication factor[:policy].")
    if not 1 <= len(name) <= 249 or name in (".", "..") or not _NAME_CHARACTERS.issuperset(name):
        raise ConfigError(f"kbroker.topics holds '{item}', but '{name}' cannot be the name of a topic.")
    partitions, replication_factor, policy = [*rest, "", "", ""][:3]
    configs = {}
    if policy:
        # A comma separates topics, so both policies at once are joined by '+'.
        policy = policy.replace("+", ",")
        if policy not in _POLICIES:
            raise ConfigError(f"kbroker.topics holds '{item}', but '{policy}' is no cleanup.policy.")
        configs["cleanup.policy"] = policy
    return DeclaredTopic(name, _count(partitions, item), _count(replication_factor, item), configs)


def _count(text: str, item: str) -> int:
    if text in ("", "-1"):
        return -1
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) > 0):
        raise ConfigError(f"kbroker.topics holds '{item}', but '{text}' is not a count.")
    return int(text)
