"""Two trees in, their differences out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from compat.diff.trees import Tree

# Arrays whose order means nothing: Apache Kafka fills them from hash maps. Name → what tells elements apart.
UNORDERED: Final[Mapping[str, str]] = {
    "api_keys": "api_key",
    "supported_features": "name",
    "finalized_features": "name",
    "brokers": "node_id",
    "topics": "name",
    "responses": "name",
    "results": "name",
    "partitions": "partition_index",
    "partition_responses": "index",
    "groups": "group_id",
    "members": "member_id",
    "active_producers": "producer_id",
    "configs": "name",
    "config_resources": "resource_name",
}
_ALSO: Final = (
    *("name", "topic", "topic_name", "partition", "broker_id"),
    *("resource_name", "group_id", "log_dir", "topic_id"),
)

ABSENT: Final = "<absent>"


@dataclass(frozen=True)
class Difference:
    """One leaf that is not the same."""

    path: str
    kbroker: object
    kafka: object


def keyed(tree: Tree, unordered: Mapping[str, str] = UNORDERED, name: str = "") -> Tree:
    """The arrays without an order as dicts, so that elements meet their like."""
    if isinstance(tree, dict):
        return {key: keyed(value, unordered, key) for key, value in tree.items()}
    if not isinstance(tree, list):
        return tree
    elements = [keyed(element, unordered) for element in tree]
    if name not in unordered:
        return elements
    found: dict[str, Tree] = {}
    for element in elements:
        key = _key(element, unordered[name])
        while key in found:
            key += " again"
        found[key] = element
    return found


def _key(element: Tree, field: str) -> str:
    """What tells an element from its neighbours, in this array or its namesakes in other answers."""
    if not isinstance(element, dict):
        return str(element)
    for name in (field, *_ALSO):
        if element.get(name):
            return str(element[name])
    return str(element.get(field))


def differences(kbroker: Tree, kafka: Tree, path: str = "") -> Iterator[Difference]:
    """Every leaf that differs, with its path."""
    if isinstance(kbroker, dict) and isinstance(kafka, dict):
        for key in {**kbroker, **kafka}:
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(kbroker.get(key, ABSENT), kafka.get(key, ABSENT), inner)
    elif isinstance(kbroker, list) and isinstance(kafka, list):
        for index in range(max(len(kbroker), len(kafka))):
            here = kbroker[index] if index < len(kbroker) else ABSENT
            there = kafka[index] if index < len(kafka) else ABSENT
            yield from differences(here, there, f"{path}[{index}]")
    elif type(kbroker) is not type(kafka) or kbroker != kafka:
        yield Difference(path, kbroker, kafka)
