"""Which API is answered by which module, in which versions.

The one place that knows every API: ApiVersions is read from it, the connection
core refuses what is not in it. Handler modules are imported on first use, so
that starting the broker does not pay for APIs nobody calls.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kbroker.handlers.context import Pending, RequestContext, Response

Handle = Callable[[Any, "RequestContext"], "Response | Pending[Any] | None"]

# Api key → module in this package, first and last version.
SUPPORTED: dict[int, tuple[str, int, int]] = {
    0: ("produce", 3, 13),
    1: ("fetch", 4, 18),
    2: ("list_offsets", 1, 11),
    3: ("metadata", 0, 13),
    8: ("offset_commit", 2, 10),
    9: ("offset_fetch", 1, 10),
    10: ("find_coordinator", 0, 6),
    11: ("join_group", 0, 9),
    12: ("heartbeat", 0, 4),
    13: ("leave_group", 0, 5),
    14: ("sync_group", 0, 5),
    15: ("describe_groups", 0, 6),
    16: ("list_groups", 0, 5),
    18: ("api_versions", 0, 4),
    19: ("create_topics", 2, 7),
    20: ("delete_topics", 1, 6),
    21: ("delete_records", 0, 2),
    22: ("init_producer_id", 0, 5),
    23: ("offset_for_leader_epoch", 2, 4),
    32: ("describe_configs", 1, 4),
    33: ("alter_configs", 0, 2),
    35: ("describe_log_dirs", 1, 5),
    37: ("create_partitions", 0, 3),
    42: ("delete_groups", 0, 2),
    44: ("incremental_alter_configs", 0, 1),
    47: ("offset_delete", 0, 0),
    55: ("describe_quorum", 0, 2),
    60: ("describe_cluster", 0, 2),
    61: ("describe_producers", 0, 0),
    68: ("consumer_group_heartbeat", 0, 1),
    74: ("list_config_resources", 0, 1),
    75: ("describe_topic_partitions", 0, 0),
    76: ("share_group_heartbeat", 1, 1),
}

# Answers that follow from the request, the connection and the metadata image alone, unless they had
# to wait: the edge keeps their bytes (Metadata, ApiVersions).
FROM_IMAGE = frozenset({3, 18})

# Announced and answered UNSUPPORTED_VERSION, as by an Apache Kafka where these protocols are switched off:
# to a broker that does not announce them librdkafka's consumers come back for ever, and tell nobody why.
REFUSED = frozenset({68, 76})

# What every client calls within its first seconds.
_HOT = (18, 3, 0, 1, 2, 10, 22)

_handlers: dict[int, Handle] = {}


def handler(api_key: int) -> Handle:
    """The `handle` function of a supported API; KeyError for any other."""
    handle = _handlers.get(api_key)
    if handle is None:
        handle = import_module(f"kbroker.handlers.{SUPPORTED[api_key][0]}").handle
        _handlers[api_key] = handle
    return handle


def preload() -> None:
    """Import the modules of the hot path now: no client waits for it, or finds no descriptor left for it."""
    from kbroker.protocol.messages import request_class

    for api_key in _HOT:
        handler(api_key)
        request_class(api_key)


def unsupported_api_versions() -> Response:
    """What an ApiVersions of a version nobody knows is answered, in the shape of version 0."""
    from kbroker.handlers.api_versions import unsupported_version_response

    return unsupported_version_response()
