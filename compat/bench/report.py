"""Rows of measurements: as tables, held against what must be reached, and as JSON for the README."""

import datetime
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("figures.json")

TITLES: Final = {"kbroker": "kbroker", "kafka": "Apache Kafka", "kfake": "kfake"}
REFERENCE: Final = "kafka"

THROUGHPUT: Final = "Record batches"
REQUESTS: Final = "Small requests"
LATENCY: Final = "Latency"
CPU: Final = "CPU of the broker"
LIBRDKAFKA: Final = "librdkafka as the client"
MANY: Final = "Many connections, members, partitions"
LIFE: Final = "Start, stop, size"
# In this order.
GROUPS: Final = (THROUGHPUT, REQUESTS, LATENCY, CPU, LIBRDKAFKA, MANY, LIFE)


@dataclass(frozen=True)
class Target:
    """What a row must reach, as a ratio to Apache Kafka, or by itself when it is `absolute`."""

    at_least: float
    aim: float
    smaller_is_better: bool = False
    # No single round may be worse.
    every_round: float | None = None
    absolute: bool = False

    def reached(self, found: float, bound: float) -> bool:
        return found <= bound if self.smaller_is_better else found >= bound

    def __str__(self) -> str:
        sign = "≤" if self.smaller_is_better else "≥"
        every = f", every round {sign} {self.every_round:g}" if self.every_round is not None else ""
        return f"{sign} {self.at_least:g}{every}, aim {self.aim:g}"


@dataclass
class Row:
    """One thing measured, several times on each broker; the n-th values are of the same round."""

    what: str
    unit: str
    values: dict[str, list[float]] = field(default_factory=dict)
    group: str = LIFE
    target: Target | None = None
    measured: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two rows the same."""
        return self.group, self.what, self.unit

    def add(self, broker_kind: str, value: float) -> None:
        self.values.setdefault(broker_kind, []).append(round(value, 4))

    def median(self, broker_kind: str) -> float:
        return statistics.median(self.values[broker_kind])

    def cell(self, broker_kind: str) -> str:
        """The median with its spread, for a reader."""
        if broker_kind not in self.values:
            return "–"
        values = self.values[broker_kind]
        spread = f" ({figure(min(values))}–{figure(max(values))})" if len(values) > 1 else ""
        return f"{figure(self.median(broker_kind))} {self.unit}{spread}"

    def ratio(self) -> float | None:
        """kbroker's median over Apache Kafka's."""
        if not {"kbroker", REFERENCE} <= self.values.keys() or not self.median(REFERENCE):
            return None
        return self.median("kbroker") / self.median(REFERENCE)

    def rounds(self) -> list[float]:
        """The ratio of each round."""
        both = zip(self.values.get("kbroker", []), self.values.get(REFERENCE, []), strict=False)
        return [own / other for own, other in both if other]

    def verdict(self) -> str:
        """Whether what must be reached is; nothing where that can not be said."""
        target = self.target
        if target is None:
            return ""
        found = self.median("kbroker") if target.absolute and "kbroker" in self.values else self.ratio()
        if found is None:
            return "not compared"
        if not target.reached(found, target.at_least):
            return "missed"
        if target.every_round is not None and not all(
            target.reached(ratio, target.every_round) for ratio in self.rounds()
        ):
            return "missed in a round"
        return "aim met" if target.reached(found, target.aim) else "met"


def save(rows: Sequence[Row], command: str, file: Path = FILE) -> None:
    """Put these rows in the place of their former selves."""
    for row in rows:
        row.measured = _today()
    kept = {row.key: row for row in load(file)} | {row.key: row for row in rows}
    keep({"rows": [asdict(row) for row in kept.values()]}, command, file)


def keep(found: Mapping[str, object], command: str, file: Path) -> None:
    """Write what was found, and by which command, where and when."""
    data = {
        "command": command,
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}",
        "date": _today(),
        **found,
    }
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def load(file: Path = FILE) -> list[Row]:
    """The rows of the last runs."""
    if not file.exists():
        return []
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    return [Row(**{**row, "target": Target(**row["target"]) if row.get("target") else None}) for row in rows]


def missed(file: Path = FILE) -> list[str]:
    """What does not reach all that is wanted of it."""
    rows = [row.what for row in load(file) if row.verdict().startswith("missed")]
    return list(dict.fromkeys(rows))


def readme(file: Path = FILE) -> str:
    """How it was measured, and the tables of the last runs."""
    if not file.exists():
        return "Not measured yet: `python -m compat.bench` prints the figures."
    kept = json.loads(file.read_text(encoding="utf-8"))
    rows = load(file)
    dates = sorted({row.measured for row in rows if row.measured})
    when = "" if not dates else f" {dates[0]}" if len(dates) == 1 else f" {dates[0]} to {dates[-1]}"
    head = f"Measured{when}, last by `{kept['command']}`: {kept['machine']}."
    return f"{head}\n\n{table(rows)}".rstrip()


def table(rows: Sequence[Row]) -> str:
    """Markdown, a table for each group."""
    kinds = [kind for kind in TITLES if kind in ("kbroker", REFERENCE) or any(kind in r.values for r in rows)]
    return "\n".join(
        _group(group, found, kinds) for group in GROUPS if (found := [r for r in rows if r.group == group])
    )


def _group(name: str, rows: Sequence[Row], kinds: Sequence[str]) -> str:
    titles = [TITLES[kind] for kind in kinds]
    lines = [
        f"### {name}",
        "",
        f"| | {' | '.join(titles)} | ratio | wanted | |",
        f"|---|{'---:|' * len(kinds)}---:|---|---|",
    ]
    for row in rows:
        cells = " | ".join(row.cell(kind) for kind in kinds)
        ratio = row.ratio()
        shown = "–" if ratio is None else f"{ratio:.2f}"
        lines.append(f"| {row.what} | {cells} | {shown} | {row.target or ''} | {row.verdict()} |")
    return "\n".join(lines) + "\n"


def figure(value: float) -> str:
    """Three digits, no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
