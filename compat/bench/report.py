"""Rows of measurements: as a table, and as JSON for the README."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("figures.json")


@dataclass
class Row:
    """One thing measured, several times on each broker."""

    what: str
    unit: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, broker_kind: str, value: float) -> None:
        self.values.setdefault(broker_kind, []).append(round(value, 4))

    def median(self, broker_kind: str) -> float:
        return statistics.median(self.values[broker_kind])

    def cell(self, broker_kind: str) -> str:
        """The median with its spread, for a reader."""
        if broker_kind not in self.values:
            return "–"
        values = self.values[broker_kind]
        spread = f" ({_figure(min(values))}–{_figure(max(values))})" if len(values) > 1 else ""
        return f"{_figure(self.median(broker_kind))} {self.unit}{spread}"

    def ratio(self) -> str:
        """kbroker's median over Apache Kafka's, for a reader."""
        if not {"kbroker", "kafka"} <= self.values.keys() or not self.median("kafka"):
            return "–"
        return f"{self.median('kbroker') / self.median('kafka'):.2f}"


def save(rows: Sequence[Row], command: str, file: Path = FILE) -> None:
    """Put these rows in the place of their former selves."""
    kept = {row.what: row for row in load(file)} | {row.what: row for row in rows}
    data = {
        "command": command,
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}",
        "rows": [_kept(row) for row in kept.values()],
    }
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(file: Path = FILE) -> list[Row]:
    """The rows of the last runs."""
    if not file.exists():
        return []
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    return [Row(row["what"], row["unit"], row["values"]) for row in rows]


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = ["| | kbroker | Apache Kafka | ratio |", "|---|---:|---:|---:|"]
    lines += [f"| {row.what} | {row.cell('kbroker')} | {row.cell('kafka')} | {row.ratio()} |" for row in rows]
    return "\n".join(lines) + "\n"


def _kept(row: Row) -> dict[str, object]:
    """A row with its figures, and with the cells that the README shows."""
    cells = {"kbroker": row.cell("kbroker"), "kafka": row.cell("kafka"), "ratio": row.ratio()}
    return {"what": row.what, "unit": row.unit, **cells, "values": row.values}


def _figure(value: float) -> str:
    """Three digits, no exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
