"""Stories of classic groups, told by transcripts.

    join NAME [v=9] [instance=I] [topics=t,u] [protocols=range,sticky] [session=10s] [rebalance=60s]
    sync NAME [OTHER=assignment …]
    heartbeat NAME · leave NAME … · commit NAME topic-partition=offset … · fetch topic-partition …
    pass 3s · restart · delete-group · hold · release [error=CODE]

Each answer lists what members are told, what is written and where the group
stands after it. `NAME ⇐` is an answer that had been waited for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kbroker.coordinator.records import CoordinatorRecord
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.generated.join_group_response import JoinGroupResponse
from tests.coordinator.bench import Bench, subscription
from tests.transcripts import run_transcript

_FOLDER = Path(__file__).parent / "transcripts"
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Story:
    """Carries out the commands of one transcript on one group."""

    def __init__(self) -> None:
        self.bench = Bench(initial_rebalance_delay_ms=3_000)
        self.ids: dict[str, str] = {}  # name → member id
        self.generations: dict[str, int] = {}
        self.instances: dict[str, str] = {}
        self.asked: dict[int, str] = {}  # token → name
        self.told: set[int] = set()
        self.written = 0
        self.state = ""

    def carry_out(self, command: str) -> str:
        verb, *arguments = command.split()
        before = set(self.asked)
        try:
            said = getattr(self, f"_{verb.replace('-', '_')}")(*arguments)
        except KafkaError as error:
            said = errors.name_of(error.code)
        lines = said.splitlines() if said else []
        for token, name in self.asked.items():
            if token in self.bench.answers and token not in self.told:
                self.told.add(token)
                arrow = "⇐" if token in before else "←"
                lines.append(f"{name} {arrow} {self._answer(name, self.bench.answers[token])}")
        lines += [f"log: {self._record(record)}" for record in self.bench.records()[self.written :]]
        self.written = len(self.bench.log)
        state = self._state()
        if state != self.state:
            self.state = state
            lines.append(f"state: {state}")
        return "\n".join(lines)

    # ── commands ─────────────────────────────────────────────────────────────

    def _join(self, name: str, *options: str) -> None:
        given = dict(option.split("=") for option in options)
        topics = given.get("topics", "t").split(",")
        request: dict[str, Any] = {
            "client_id": name,
            "version": int(given.get("v", 9)),
            "instance_id": given.get("instance"),
            "protocols": dict.fromkeys(given.get("protocols", "range").split(","), subscription(*topics)),
            "session_timeout_ms": _duration(given.get("session", "10s")),
            "rebalance_timeout_ms": _duration(given.get("rebalance", "60s")),
        }
        if "instance" in given:
            self.instances[name] = given["instance"]
        token = self.bench.join(self.ids.get(name, ""), **request)
        self.asked[token] = name

    def _sync(self, name: str, *options: str) -> None:
        assignments = {self.ids[who]: what.encode() for who, what in (each.split("=") for each in options)}
        token = self.bench.sync(
            self.ids[name],
            self.generations[name],
            assignments,
            instance_id=self.instances.get(name),
            protocol_name=None,
        )
        self.asked[token] = name

    def _heartbeat(self, name: str) -> str:
        code = self.bench.heartbeat(
            self.ids[name], self.generations[name], instance_id=self.instances.get(name)
        )
        return f"{name} ← {errors.name_of(code)}"

    def _leave(self, *names: str) -> str:
        members = [(self.ids[name], self.instances.get(name)) for name in names]
        response = self.bench.leave(*members)
        codes = [errors.name_of(member.error_code) for member in response.members]
        return "\n".join(f"{name} ← {code}" for name, code in zip(names, codes, strict=True))

    def _commit(self, name: str, *options: str) -> str:
        lines = []
        for option in options:
            topic, partition, offset = option.replace("=", "-").split("-")
            code = self.bench.commit_offset(
                int(offset),
                self.ids.get(name, ""),
                self.generations.get(name, -1),
                instance_id=self.instances.get(name),
                topic=topic,
                partition=int(partition),
            )
            lines.append(f"{name} ← {errors.name_of(code)}")
        return "\n".join(lines)

    def _fetch(self, *partitions: str) -> str:
        return "\n".join(
            f"{each} {self.bench.fetch_offset(topic, int(partition))}"
            for each in partitions
            for topic, partition in [each.split("-")]
        )

    def _pass(self, duration: str) -> None:
        self.bench.pass_time(_duration(duration))

    def _restart(self) -> None:
        """The broker comes back; whoever waited has lost its connection."""
        self.asked.clear()
        self.bench = self.bench.replayed()

    def _hold(self) -> None:
        self.bench.hold_commits = True

    def _release(self, error: str = "error=NONE") -> None:
        self.bench.hold_commits = False
        self.bench.commit(getattr(errors, error.removeprefix("error=")))

    def _delete_group(self) -> None:
        self.bench.carry_out(self.bench.shard.delete_group("g"))

    # ── how things are told ──────────────────────────────────────────────────

    def _name(self, member_id: str | None) -> str:
        for name, known in self.ids.items():
            if known == member_id:
                return name
        return "somebody" if member_id else "nobody"

    def _answer(self, name: str, response: Any) -> str:
        if response.error_code:
            if response.error_code == errors.MEMBER_ID_REQUIRED:
                self.ids[name] = response.member_id
            elif response.error_code == errors.UNKNOWN_MEMBER_ID:
                # What every client does.
                self.ids.pop(name, None)
            return errors.name_of(response.error_code)
        if not isinstance(response, JoinGroupResponse):
            return f"assigned {response.assignment.decode() or 'nothing'}"
        self.ids[name] = response.member_id
        self.generations[name] = response.generation_id
        told = f"generation {response.generation_id}, {response.protocol_name}, led by "
        told += "itself" if response.leader == response.member_id else self._name(response.leader)
        if response.members:
            told += ": " + ", ".join(self._name(member.member_id) for member in response.members)
        return told + (", nothing to assign" if response.skip_assignment else "")

    def _record(self, record: CoordinatorRecord) -> str:
        key, value = record.key, record.value
        if hasattr(key, "topic"):
            return f"offset {key.topic}-{key.partition} {'deleted' if value is None else value.offset}"
        if value is None:
            return "group deleted"
        members = ", ".join(
            f"{self._name(member.member_id)}={member.assignment.decode()}" for member in value.members
        )
        return f"group generation {value.generation} {value.protocol or 'no protocol'}: {members or 'nobody'}"

    def _state(self) -> str:
        if "g" not in self.bench.shard.groups:
            return "no group"
        group = self.bench.group()
        names = ", ".join(sorted(map(self._name, group.members))) or "nobody"
        pending = f" and {len(group.pending_members)} to come" if group.pending_members else ""
        return f"{group.state.value} {group.generation_id}: {names}{pending}"


def _duration(text: str) -> int:
    digits = text.rstrip("dhms")
    return int(digits) * _UNITS[text[len(digits) :]]


@pytest.mark.parametrize("path", sorted(_FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_transcript(path: Path, rewrite: bool) -> None:
    run_transcript(path, Story().carry_out, rewrite=rewrite)
