"""Finds a message's class by its number; imports it on first use.

Importing all of `generated/` would cost more time and memory than the rest of
the broker, so only the index is loaded at once.
"""

from functools import cache
from importlib import import_module

from kbroker.protocol.generated import index
from kbroker.protocol.primitives import Message

KAFKA_VERSION = index.KAFKA_VERSION


class ApiInfo:
    """What the schema of a request says about its API."""

    __slots__ = (
        "flexible_from",
        "latest_version_unstable",
        "listeners",
        "max_version",
        "min_version",
        "name",
    )

    def __init__(
        self,
        name: str,
        min_version: int,
        max_version: int,
        flexible_from: int,
        listeners: tuple[str, ...],
        latest_version_unstable: bool,
    ) -> None:
        self.name = name
        self.min_version = min_version
        self.max_version = max_version
        self.flexible_from = flexible_from
        self.listeners = listeners
        self.latest_version_unstable = latest_version_unstable

    def __repr__(self) -> str:
        return f"ApiInfo({self.name} {self.min_version}-{self.max_version})"


API: dict[int, ApiInfo] = {key: ApiInfo(*facts) for key, facts in index.APIS.items()}


@cache
def message_class(name: str) -> type[Message]:
    """The generated class called `name`; KeyError if there is none."""
    module = import_module(f"kbroker.protocol.generated.{_module_name(name)}")
    found: type[Message] = getattr(module, name)
    return found


def request_class(api_key: int) -> type[Message]:
    """KeyError for an API that Kafka does not have."""
    return message_class(f"{API[api_key].name}Request")


def response_class(api_key: int) -> type[Message]:
    """KeyError for an API that Kafka does not have."""
    return message_class(f"{API[api_key].name}Response")


def metadata_record_class(record_type: int) -> type[Message]:
    """A record of `__cluster_metadata`."""
    return message_class(index.METADATA_RECORDS[record_type])


def coordinator_record_classes(record_type: int) -> tuple[type[Message], type[Message]]:
    """(key, value) of a record in `__consumer_offsets`."""
    return _key_and_value(index.GROUP_RECORDS[record_type])


def transaction_record_classes(record_type: int) -> tuple[type[Message], type[Message]]:
    """(key, value) of a record in `__transaction_state`."""
    return _key_and_value(index.TRANSACTION_RECORDS[record_type])


def share_record_classes(record_type: int) -> tuple[type[Message], type[Message]]:
    """(key, value) of a record in `__share_group_state`."""
    return _key_and_value(index.SHARE_RECORDS[record_type])


def _key_and_value(name: str) -> tuple[type[Message], type[Message]]:
    return message_class(f"{name}Key"), message_class(f"{name}Value")


def _module_name(name: str) -> str:
    # The names of messages have no acronyms, so each capital begins a word.
    words = name.replace("KRaft", "Kraft")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in words).lstrip("_")
