"""A client's own test-suite, judged by what its `suite.allow` lets fail."""

import fnmatch
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from compat.harness import Failed, check

OUTCOMES: Final = frozenset({"passed", "failed", "skipped"})


def judged(outcomes: Mapping[str, str], allowed: Mapping[str, str]) -> str:
    """The counts, for the results' remark; Failed names what failed unallowed, or is allowed in vain.

    `outcomes` is test → passed | failed | skipped. A suite of which nothing passed has not been run.
    """
    check(set(outcomes.values()) <= OUTCOMES, f"strange outcomes: {sorted(set(outcomes.values()))}")
    failed = {test for test, outcome in outcomes.items() if outcome == "failed"}
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    unallowed = sorted(test for test in failed if not _matches(test, allowed))
    if unallowed:
        raise Failed(f"{len(unallowed)} of {len(outcomes)} tests failed: {', '.join(unallowed[:20])}")
    vain = [
        pattern for pattern in allowed if not any(fnmatch.fnmatchcase(test, pattern) for test in outcomes)
    ]
    check(not vain, f"allowed to fail, but not run: {', '.join(vain[:20])}")
    check(passed, "no test passed")
    counts = [f"{passed} of {len(outcomes)} of its own tests pass"]
    if failed:
        counts.append(f"{len(failed)} are allowed to fail")
    if skipped := len(outcomes) - passed - len(failed):
        counts.append(f"{skipped} skip themselves")
    return ", ".join(counts)


def allowances(file: Path) -> dict[str, str]:
    """Test (or pattern) → why it may fail, from lines of `test: why`."""
    allowed = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        if line.strip() and not line.startswith("#"):
            test, colon, reason = line.partition(": ")
            if not colon or not reason.strip():
                raise ValueError(f"{file}: not `test: why`: {line}")
            allowed[test.strip()] = reason.strip()
    return allowed


def _matches(test: str, allowed: Mapping[str, str]) -> bool:
    return any(fnmatch.fnmatchcase(test, pattern) for pattern in allowed)
