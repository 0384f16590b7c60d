"""What a run found: for the terminal, and as figures for the README."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from compat.diff.explained import Explained
from compat.diff.world import Found, Ledger, request_tree

FILE: Final = Path(__file__).with_name("figures.json")
_LONGEST: Final = 700
_MOST_SHOWN: Final = 8


def judge(ledger: Ledger, lines: Sequence[Explained]) -> tuple[list[Found], Counter[str]]:
    """What no line explains, and how many differences each line does."""
    counts = Counter({line.why: 0 for line in lines})
    unexplained = []
    for found in ledger.found:
        left = []
        for difference in found.differences:
            line = _line(found, difference, lines)
            if line is None:
                left.append(difference)
            else:
                counts[line.why] += 1
        if left:
            unexplained.append(Found(found.question, left, found.kbroker, found.kafka))
    return unexplained, counts


def _line(found: Found, difference: Any, lines: Sequence[Explained]) -> Explained | None:
    for line in lines:
        if line.covers(found.question.api, found.question.case, difference):
            return line
    return None


def grouped(unexplained: Sequence[Found]) -> list[str]:
    """One text for all versions of a case that differ in the same way."""
    alike: dict[tuple[str, str, str], list[Found]] = {}
    for found in unexplained:
        key = (found.question.api, found.question.case, repr(found.differences))
        alike.setdefault(key, []).append(found)
    return [_text(group) for group in alike.values()]


def _text(alike: Sequence[Found]) -> str:
    """One difference, with the request and both answers abridged."""
    found, question = alike[0], alike[0].question
    versions = sorted({one.question.version for one in alike})
    lines = [f"{question.api} v{', '.join(map(str, versions))}: {question.case}"]
    lines += [
        f"    {one.path or 'outcome'}: kbroker {_short(one.kbroker, 200)}, Kafka {_short(one.kafka, 200)}"
        for one in found.differences[:_MOST_SHOWN]
    ]
    if len(found.differences) > _MOST_SHOWN:
        lines.append(f"    … {len(found.differences) - _MOST_SHOWN} more")
    lines += [
        f"    request  {_short(request_tree(question.request))}",
        f"    kbroker  {_short(found.kbroker)}",
        f"    Kafka    {_short(found.kafka)}",
    ]
    return "\n".join(lines)


def save(ledger: Ledger, counts: Counter[str], file: Path = FILE) -> None:
    """Keep the figures of this run."""
    data = {
        "requests": ledger.asked.total(),
        "apis": dict(sorted(ledger.asked.items())),
        "explained": counts.total(),
        "lines": dict(counts),
    }
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _short(value: object, limit: int = _LONGEST) -> str:
    shown = repr(value)
    return shown if len(shown) <= limit else f"{shown[:limit]}… ({len(shown)} characters)"
