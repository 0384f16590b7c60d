"""One member of a classic group.

Kafka: `ClassicGroupMember`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from kbroker.coordinator.timers import Timer

# A protocol's name and the member's metadata for it, in the member's order of preference.
Protocols = tuple[tuple[str, bytes], ...]


class ClassicMember:
    """What the group knows of a member, and the answers it waits for."""

    __slots__ = (
        "assignment",
        "client_host",
        "client_id",
        "instance_id",
        "is_new",
        "join_token",
        "member_id",
        "protocol_type",
        "protocols",
        "rebalance_timeout_ms",
        "session_timeout_ms",
        "session_timer",
        "sync_token",
    )

    def __init__(
        self,
        member_id: str,
        instance_id: str | None,
        client_id: str,
        client_host: str,
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        protocol_type: str,
        protocols: Protocols,
        assignment: bytes = b"",
    ) -> None:
        self.member_id = member_id
        self.instance_id = instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.session_timeout_ms = session_timeout_ms
        self.protocol_type = protocol_type
        self.protocols = protocols
        self.assignment = assignment
        # Whose JoinGroup or SyncGroup is parked; None: nobody waits.
        self.join_token: Any = None
        self.sync_token: Any = None
        # True until the first generation that the member takes part in.
        self.is_new = False
        self.session_timer: Timer | None = None

    def metadata(self, protocol_name: str | None) -> bytes:
        for name, metadata in self.protocols:
            if name == protocol_name:
                return metadata
        raise AssertionError(f"member {self.member_id} does not support protocol {protocol_name}")

    def vote(self, candidates: Collection[str]) -> str:
        """The candidate that the member likes best."""
        return next(name for name, _ in self.protocols if name in candidates)

    def is_held_by_a_request(self) -> bool:
        """Whether a parked request shows that the client lives, heartbeats or not."""
        # A new member's first join may outlive its connection, so that one counts for nothing.
        return not self.is_new and (self.join_token is not None or self.sync_token is not None)
