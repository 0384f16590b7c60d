"""What a member of the quorum must never forget: the `quorum-state` file.

    epoch   the highest one heard of
    leader  of that epoch, -1 while unknown
    voted   for whom in that epoch; a second vote would make two leaders

One JSON line. Version 0 (kraft.version 0) lists the voters, version 1 adds the
directory voted for. Kafka: `ElectionState`, `FileQuorumStateStore`.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from kbroker.protocol.primitives import ZERO_UUID, uuid_from_text, uuid_to_text

NOBODY = -1


class CorruptElectionState(Exception):
    """The file says nothing that could be trusted."""


class ElectionState(NamedTuple):
    epoch: int
    leader_id: int = NOBODY
    voted_id: int = NOBODY
    voted_directory_id: bytes = ZERO_UUID

    def encode(self, version: int, voters: tuple[int, ...]) -> bytes:
        """The file's content; `voters` are named in version 0 only."""
        fields: dict[str, Any] = {
            "leaderId": self.leader_id,
            "leaderEpoch": self.epoch,
            "votedId": self.voted_id,
        }
        if version == 0:
            current = [{"voterId": voter} for voter in voters]
            fields = {"clusterId": "", **fields, "appliedOffset": 0, "currentVoters": current}
        else:
            fields["votedDirectoryId"] = uuid_to_text(self.voted_directory_id)
        fields["data_version"] = version
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> ElectionState:
        try:
            fields = json.loads(data)
            version = fields["data_version"]
            if version not in (0, 1):
                raise CorruptElectionState(f"quorum-state has data_version {version}")
            directory = uuid_from_text(fields["votedDirectoryId"]) if version else ZERO_UUID
            return cls(int(fields["leaderEpoch"]), int(fields["leaderId"]), int(fields["votedId"]), directory)
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptElectionState(f"quorum-state can't be read: {error!r}") from error
