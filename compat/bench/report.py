"""Rows of measurements: as a table, and as JSON for the README."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("results.json")


@dataclass
class Row:
    """One thing measured, several times on each broker."""

    name: str
    unit: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, broker_kind: str, value: float) -> None:
        self.values.setdefault(broker_kind, []).append(round(value, 4))

    def median(self, broker_kind: str) -> float:
        return statistics.median(self.values[broker_kind])

    def ratio(self) -> float | None:
        """kbroker's median over Apache Kafka's."""
        if not {"kbroker", "kafka"} <= self.values.keys() or not self.median("kafka"):
            return None
        return self.median("kbroker") / self.median("kafka")


def save(rows: Sequence[Row], command: str, file: Path = FILE) -> None:
    """Put these rows in the place of their former selves."""
    kept = {row.name: row for row in load(file)} | {row.name: row for row in rows}
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    data = {"command": command, "machine": machine, "rows": [asdict(row) for row in kept.values()]}
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(file: Path = FILE) -> list[Row]:
    """The rows of the last runs."""
    if not file.exists():
        return []
    return [Row(**row) for row in json.loads(file.read_text(encoding="utf-8"))["rows"]]


def table(rows: Sequence[Row]) -> str:
    """Markdown: medians with their spread, and the ratio."""
    lines = ["| | kbroker | Apache Kafka 4.3.1 | ratio |", "|---|---|---|---|"]
    for row in rows:
        ratio = row.ratio()
        cells = [_cell(row, "kbroker"), _cell(row, "kafka"), "–" if ratio is None else f"{ratio:.2g}"]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(row: Row, kind: str) -> str:
    if kind not in row.values:
        return "–"
    values = row.values[kind]
    spread = f" ({min(values):.3g}–{max(values):.3g})" if len(values) > 1 else ""
    return f"{row.median(kind):.3g} {row.unit}{spread}"
