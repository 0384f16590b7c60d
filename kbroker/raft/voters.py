"""The members of the metadata quorum who may vote.

With kraft.version 0 they are named in every node's configuration; from
kraft.version 1 on the log names them, in VotersRecords (KIP-853).
Kafka: `VoterSet`, `ReplicaKey`, `KRaftControlRecordStateMachine`.
"""

from __future__ import annotations

from typing import NamedTuple

from kbroker.protocol.generated.kraft_version_record import KRaftVersionRecord
from kbroker.protocol.generated.voters_record import VotersRecord
from kbroker.protocol.primitives import ZERO_UUID

# The last whose control records are understood here.
LATEST_KRAFT_VERSION = 1


class Voter(NamedTuple):
    """Kafka: ReplicaKey. The directory is zero where it is not known (kraft.version 0)."""

    id: int
    directory_id: bytes = ZERO_UUID


class VoterSet:
    """Static until the log speaks; then whatever the log said last."""

    __slots__ = ("kraft_version", "record", "voters")

    def __init__(self, voters: tuple[Voter, ...]) -> None:
        self.kraft_version = 0
        self.voters = voters
        # The last VotersRecord's value; a snapshot must repeat it.
        self.record: bytes | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(voter.id for voter in self.voters)

    def is_only_voter(self, local: Voter) -> bool:
        """Whether `local` alone is a majority."""
        if len(self.voters) != 1 or self.voters[0].id != local.id:
            return False
        return self.voters[0].directory_id in (ZERO_UUID, local.directory_id)

    def replay_kraft_version(self, value: bytes) -> None:
        self.kraft_version = KRaftVersionRecord.read(memoryview(value), 0, 0)[0].kraft_version

    def replay_voters(self, value: bytes) -> None:
        record, _ = VotersRecord.read(memoryview(value), 0, 0)
        self.voters = tuple(Voter(voter.voter_id, voter.voter_directory_id) for voter in record.voters)
        self.record = value
