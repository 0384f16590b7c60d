"""Who leads a partition now, for answers that say "not me" (KIP-951)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kbroker.handlers.context import RequestContext

_UNKNOWN = -1


class LeaderHint(NamedTuple):
    """The leader and, if it is reachable by the listener the request came in on, its address."""

    leader_id: int = _UNKNOWN
    leader_epoch: int = _UNKNOWN
    endpoint: tuple[str, int] | None = None
    rack: str | None = None


def leader_hint(context: RequestContext, topic: str | bytes, index: int) -> LeaderHint:
    """By the published image; `topic` is a name or an id."""
    image = context.services.metadata.image
    found = image.topics.get(topic) if isinstance(topic, str) else image.topics_by_id.get(topic)
    partition = None if found is None else found.partitions.get(index)
    if partition is None:
        return LeaderHint()
    broker = image.brokers.get(partition.leader)
    if broker is None:
        return LeaderHint(partition.leader, partition.leader_epoch)
    return LeaderHint(partition.leader, partition.leader_epoch, context.endpoint_of(broker), broker.rack)
