"""One member of the metadata quorum: state, epoch, what is committed.

    Unattached ──(election timeout)──▶ Candidate ──(majority)──▶ Leader
    Resigned   ──(election timeout)──▶ Candidate
    Leader     ──(shutting down)─────▶ Resigned

So far a quorum has one voter, who is his own majority: being started is his
election timeout, and he leads at once. A member who led when he stopped comes
back as Resigned: in that epoch he must neither vote nor lead, for records he
wrote may have been lost unflushed, and (offset, epoch) names one record only.

    invariant  an epoch is persisted before anything is done in it
    invariant  the high watermark never falls; it passes only offsets that a
               majority has flushed, and only once one of them is of this epoch

Events return effects, to be carried out in their order. Kafka: `QuorumState`,
`LeaderState`, KIP-595.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kbroker.protocol.generated.leader_change_message import LeaderChangeMessage
from kbroker.protocol.generated.leader_change_message import Voter as ChangedVoter
from kbroker.protocol.primitives import uuid_to_text
from kbroker.raft.election_state import NOBODY, ElectionState
from kbroker.raft.voters import Voter, VoterSet


class UnsupportedQuorum(Exception):
    """The quorum needs other members, and this release can't talk to them."""


# Effects


class PersistElection(NamedTuple):
    """Write the state to `quorum-state`, durably, before the next effect."""

    state: ElectionState


class AppendLeaderChange(NamedTuple):
    """Open the epoch: append the message as a control record, in one batch with the voters if told so."""

    message: LeaderChangeMessage
    with_voters: bool


class AdvanceHighWatermark(NamedTuple):
    """Everything below `offset` is committed."""

    offset: int


Effect = PersistElection | AppendLeaderChange | AdvanceHighWatermark


# States


class Unattached(NamedTuple):
    """Knows an epoch but no leader of it."""

    epoch: int
    voted: Voter | None = None

    def election(self) -> ElectionState:
        if self.voted is None:
            return ElectionState(self.epoch)
        return ElectionState(self.epoch, NOBODY, *self.voted)


class Resigned(NamedTuple):
    """Led this epoch and does so no more."""

    epoch: int
    leader_id: int

    def election(self) -> ElectionState:
        return ElectionState(self.epoch, self.leader_id)


class Candidate(NamedTuple):
    """Asks for votes, his own being the first."""

    epoch: int
    local: Voter
    granted: frozenset[int]

    def election(self) -> ElectionState:
        return ElectionState(self.epoch, NOBODY, *self.local)


class Leader:
    """Counts how far the voters have come."""

    __slots__ = ("end_offsets", "epoch", "epoch_start_offset", "leader_id")

    def __init__(self, epoch: int, leader_id: int, epoch_start_offset: int, voters: VoterSet) -> None:
        self.epoch = epoch
        self.leader_id = leader_id
        self.epoch_start_offset = epoch_start_offset
        # Voter id → its log is flushed up to here.
        self.end_offsets: dict[int, int] = dict.fromkeys(voters.ids, -1)

    def election(self) -> ElectionState:
        return ElectionState(self.epoch, self.leader_id)

    def committed(self) -> int:
        """What a majority has; -1 while nothing of this epoch is among it."""
        offsets = sorted(self.end_offsets.values(), reverse=True)
        offset = offsets[len(offsets) // 2]
        return offset if offset > self.epoch_start_offset else -1


class Quorum:
    """The state machine. The log itself is elsewhere; only its end is told."""

    __slots__ = ("_voters_in_log", "high_watermark", "local", "state", "voters")

    def __init__(self, local: Voter, voters: VoterSet) -> None:
        self.local = local
        self.voters = voters
        self.high_watermark = -1
        self._voters_in_log = True
        self.state: Unattached | Resigned | Candidate | Leader = Unattached(0)

    @property
    def epoch(self) -> int:
        return self.state.epoch

    @property
    def leader_id(self) -> int:
        return self.state.election().leader_id

    @property
    def is_leader(self) -> bool:
        return isinstance(self.state, Leader)

    def on_start(
        self, stored: ElectionState | None, log_epoch: int, log_end_offset: int, *, voters_in_log: bool
    ) -> list[Effect]:
        """Take up what was persisted, and, where no other vote is needed, lead.

        `log_epoch` is the last one in the log: a lost file must not make it go
        back. `voters_in_log` is false while only the formatting tool named them.
        """
        if not self.voters.is_only_voter(self.local):
            members = ", ".join(f"{id_} (directory {uuid_to_text(uuid)})" for id_, uuid in self.voters.voters)
            raise UnsupportedQuorum(
                f"the metadata quorum's voters are {members}, but kbroker can only be the single voter so far"
            )
        self.state = self._initial_state(stored or ElectionState(0), log_epoch)
        self._voters_in_log = voters_in_log
        return self.on_election_timeout(log_end_offset)

    def _initial_state(self, stored: ElectionState, log_epoch: int) -> Unattached | Resigned:
        if stored.epoch < log_epoch:
            return Unattached(log_epoch)
        if stored.leader_id == self.local.id:
            return Resigned(stored.epoch, stored.leader_id)
        voted = None if stored.voted_id == NOBODY else Voter(stored.voted_id, stored.voted_directory_id)
        return Unattached(stored.epoch, voted)

    def on_election_timeout(self, log_end_offset: int) -> list[Effect]:
        """No leader is heard of: stand for the next epoch."""
        assert not self.is_leader
        candidate = Candidate(self.epoch + 1, self.local, frozenset((self.local.id,)))
        self.state = candidate
        if 2 * len(candidate.granted) > len(self.voters.voters):
            return self._become_leader(candidate, log_end_offset)
        return [PersistElection(candidate.election())]

    def _become_leader(self, candidate: Candidate, log_end_offset: int) -> list[Effect]:
        # Where the own vote decides, candidacy and victory are persisted as one.
        leader = Leader(candidate.epoch, self.local.id, log_end_offset, self.voters)
        self.state = leader
        message = LeaderChangeMessage(
            leader_id=self.local.id,
            voters=[ChangedVoter(voter_id) for voter_id in self.voters.ids],
            granting_voters=[ChangedVoter(voter_id) for voter_id in sorted(candidate.granted)],
        )
        with_voters = self.voters.record is not None and not self._voters_in_log
        return [PersistElection(leader.election()), AppendLeaderChange(message, with_voters)]

    def on_flushed(self, end_offset: int) -> list[Effect]:
        """The own log is durable up to `end_offset`."""
        assert isinstance(self.state, Leader)
        self.state.end_offsets[self.local.id] = end_offset
        committed = self.state.committed()
        if committed <= self.high_watermark:
            return []
        self.high_watermark = committed
        return [AdvanceHighWatermark(committed)]

    def on_shutdown(self) -> None:
        """Lead no more; what is persisted already says all that a successor must know."""
        if isinstance(self.state, Leader):
            self.state = Resigned(self.state.epoch, self.local.id)

    def end_offsets(self) -> Mapping[int, int]:
        """How far each voter has come, as the leader knows it."""
        return self.state.end_offsets if isinstance(self.state, Leader) else {}
