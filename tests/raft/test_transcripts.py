"""The quorum's transitions, told in `transcripts/*.txt`.

voter 1 [of 1:dir,2] [kraft.version=1]     a member and the voters it knows of
start [epoch=3 leader=1 | voted=2] log-epoch=2 end=10 [voters-in-log]
flushed 11
shutdown
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kbroker.metadata.records import message_bytes
from kbroker.protocol.generated.kraft_version_record import KRaftVersionRecord
from kbroker.protocol.generated.voters_record import Voter as RecordedVoter
from kbroker.protocol.generated.voters_record import VotersRecord
from kbroker.protocol.primitives import ZERO_UUID
from kbroker.raft.election_state import ElectionState
from kbroker.raft.quorum import (
    AdvanceHighWatermark,
    AppendLeaderChange,
    Effect,
    PersistElection,
    Quorum,
    UnsupportedQuorum,
)
from kbroker.raft.voters import Voter, VoterSet
from tests.transcripts import run_transcript

_FOLDER = Path(__file__).parent / "transcripts"


class Member:
    """One quorum member; commands in, effects and state out."""

    def __init__(self) -> None:
        self.quorum = Quorum(Voter(1), VoterSet((Voter(1),)))

    def carry_out(self, script: str) -> str:
        answers = []
        for line in script.splitlines():
            name, *words = line.split()
            try:
                answers.append(getattr(self, f"_on_{name}")(words))
            except UnsupportedQuorum as error:
                answers.append(f"refused: {error}")
        return "\n".join(filter(None, answers))

    def _on_voter(self, words: list[str]) -> str:
        local = _voter(words[0])
        voters = VoterSet((Voter(local.id),))
        if "of" in words:
            members = [_voter(word) for word in words[words.index("of") + 1].split(",")]
            voters.replay_kraft_version(message_bytes(KRaftVersionRecord(0, 1), 0))
            record = VotersRecord(0, [RecordedVoter(member.id, member.directory_id) for member in members])
            voters.replay_voters(message_bytes(record, 0))
        self.quorum = Quorum(local, voters)
        return ""

    def _on_start(self, words: list[str]) -> str:
        facts = dict(word.split("=") for word in words if "=" in word)
        stored = None
        if "epoch" in facts:
            leader, voted = int(facts.get("leader", -1)), int(facts.get("voted", -1))
            stored = ElectionState(int(facts["epoch"]), leader, voted)
        effects = self.quorum.on_start(
            stored, int(facts["log-epoch"]), int(facts["end"]), voters_in_log="voters-in-log" in words
        )
        return self._told(effects)

    def _on_flushed(self, words: list[str]) -> str:
        return self._told(self.quorum.on_flushed(int(words[0])))

    def _on_shutdown(self, words: list[str]) -> str:
        self.quorum.on_shutdown()
        return self._told([])

    def _told(self, effects: list[Effect]) -> str:
        quorum = self.quorum
        state = f"{type(quorum.state).__name__} of epoch {quorum.epoch}, committed {quorum.high_watermark}"
        return "\n".join([*map(_effect, effects), state])


def _voter(word: str) -> Voter:
    id_, _, directory = word.partition(":")
    return Voter(int(id_), directory.encode().ljust(16, b".") if directory else ZERO_UUID)


def _effect(effect: Effect) -> str:
    if isinstance(effect, PersistElection):
        state = effect.state
        return f"persist epoch {state.epoch}, leader {state.leader_id}, voted {state.voted_id}"
    if isinstance(effect, AppendLeaderChange):
        ids = [voter.voter_id for voter in effect.message.voters]
        return f"append leader {effect.message.leader_id} of {ids}{', voters' if effect.with_voters else ''}"
    assert isinstance(effect, AdvanceHighWatermark)
    return f"high watermark {effect.offset}"


@pytest.mark.parametrize("path", sorted(_FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_transcript(path: Path, rewrite: bool) -> None:
    run_transcript(path, Member().carry_out, rewrite=rewrite)
