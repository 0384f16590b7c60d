"""What came out, kept in each client's `results.json`, and the table made of them.

A file holds, per kind of broker, the client's last complete run; the
README's table is generated from these and from nothing else.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from compat.client import FOLDER
from compat.scenarios import SCENARIOS

NAME: Final = "results.json"

# `allowed`: failed, as tests.allow says. `stale`: passed, although tests.allow says it fails.
GOOD: Final = frozenset({"passed", "skipped", "allowed"})


@dataclass(frozen=True)
class Result:
    """One scenario's outcome. Seconds are for the reader, and not kept."""

    outcome: str
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class ClientResults:
    """One client's run."""

    title: str
    version: str
    scenarios: dict[str, Result] = field(default_factory=dict)

    def count(self, outcome: str) -> int:
        """How many scenarios ended so."""
        return sum(result.outcome == outcome for result in self.scenarios.values())

    def good(self) -> bool:
        """Whether nothing went wrong that was not allowed to."""
        return all(result.outcome in GOOD for result in self.scenarios.values())


def save(
    broker_kind: str,
    clients: Mapping[str, ClientResults],
    folder: Path = FOLDER,
    *,
    skipped: Collection[str] = (),
) -> None:
    """Put these clients' results in the place of their former ones; `skipped` scenarios keep their last."""
    former = load(broker_kind, folder)
    for name, results in clients.items():
        last = former[name].scenarios if name in former else {}
        kept = asdict(results)
        kept["scenarios"] |= {scenario: asdict(last[scenario]) for scenario in skipped if scenario in last}
        for scenario in kept["scenarios"].values():
            del scenario["seconds"]
        file = folder / name / NAME
        everything = {**_read(file), broker_kind: kept}
        file.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load(broker_kind: str, folder: Path = FOLDER) -> dict[str, ClientResults]:
    """The last results against one kind of broker."""
    found = {file.parent.name: _read(file).get(broker_kind) for file in sorted(folder.glob(f"*/{NAME}"))}
    return {
        name: ClientResults(
            kept["title"],
            kept["version"],
            {scenario: Result(**result) for scenario, result in kept["scenarios"].items()},
        )
        for name, kept in found.items()
        if kept
    }


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def readme_table(results: Mapping[str, ClientResults]) -> str:
    """Markdown: clients down, passed of run, and what is not plain."""
    lines = ["| client | version | passed | remarks: not run, allowed to fail, counts |", "|---|---|---|---|"]
    for _, client in sorted(results.items()):
        ran = [name for name, result in client.scenarios.items() if result.outcome != "skipped"]
        remarks = [
            f"{name}: {result.detail}"
            for name, result in sorted(client.scenarios.items())
            if result.outcome != "passed" or result.detail
        ]
        passed = f"{client.count('passed')} of {len(ran)}"
        lines.append(
            f"| {client.title} | {client.version} | {passed} | {'; '.join(map(_cell, remarks)) or '–'} |"
        )
    return "\n".join(lines) + "\n"


def terminal_table(results: Mapping[str, ClientResults]) -> str:
    """Plain text: scenarios down, clients across."""
    marks = {"passed": "pass", "skipped": "skip", "allowed": "allowed", "stale": "STALE", "failed": "FAIL"}
    names = [name for name in SCENARIOS if any(name in client.scenarios for client in results.values())]
    rows = [["", *results]]
    rows += [[name, *(_mark(client, name, marks) for client in results.values())] for name in names]
    rows.append(["passed", *(f"{c.count('passed')}/{len(c.scenarios)}" for c in results.values())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(_aligned(row, widths) for row in rows)


def _mark(client: ClientResults, scenario: str, marks: Mapping[str, str]) -> str:
    return marks[client.scenarios[scenario].outcome] if scenario in client.scenarios else "-"


def _aligned(row: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(text: str) -> str:
    return text.replace("|", "/")
