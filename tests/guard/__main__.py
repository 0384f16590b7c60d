"""Print what the hot paths cost against the budget; or make it the budget."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from tests.guard import budget
from tests.guard.broker import RunningClock, running
from tests.guard.budget import Limits
from tests.guard.copies import all_copies
from tests.guard.counts import count_apart
from tests.guard.measures import cpu_us
from tests.guard.paths import HotPaths


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser("python -m tests.guard", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the figures as the budget")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    blocks = count_apart()
    clock = _clock()
    if options.write:
        budget.write({name: budget.limits_for(us, blocks[name][0]) for name, (us, _) in clock.items()})
    failures = print_paths(blocks, clock)
    failures += _print_copies()
    print(f"\n{failures} over the limit" if failures else "\nwithin the limits")
    return min(failures, 1)


def _clock() -> dict[str, tuple[float, float]]:
    """Microseconds of CPU a request and a MiB; the latter 0 where it says nothing."""
    found = {}
    with running(RunningClock()) as broker:
        for path in HotPaths(broker):
            us = cpu_us(path)
            found[path.name] = us, us * (1 << 20) / path.payload_bytes if path.payload_bytes else 0.0
            assert broker.answers_to(path.steps(1)) >= path.requests
    return found


def print_paths(blocks: dict[str, tuple[int, int]], clock: dict[str, tuple[float, float]]) -> int:
    """How many paths allocate more than they may, or keep anything."""
    limits = budget.load()
    judged = budget.is_for_this_python()
    print(
        f"{'':<40}{'CPU µs':>9}{'budget':>9}{'ratio':>7}{'per MiB':>10}{'blocks':>8}{'limit':>7}{'kept':>6}"
    )
    failures = 0
    for name, (us, us_per_mib) in clock.items():
        made, kept = blocks[name]
        limit = limits.get(name, Limits(0, 0))
        failed = kept > 0 or (judged and made > limit.blocks)
        failures += failed
        ratio = f"{us / limit.us:.2f}" if limit.us else "new"
        per_mib = f"{us_per_mib:.0f}" if us_per_mib else ""
        print(
            f"{name:<40}{us:9.1f}{limit.us:9.1f}{ratio:>7}{per_mib:>10}{made:8}{limit.blocks:7}{kept:6}"
            f"{'  FAILED' if failed else ''}"
        )
    if not judged:
        print("blocks are not judged: the budget is of another version of Python")
    return failures


def _print_copies() -> int:
    """How many ways of records copy them."""
    print(f"\n{'':<50}{'batches':>9}{'copied':>9}{'bytes':>12}{'peak bytes':>12}")
    failures = 0
    for copies in all_copies():
        failures += not copies.is_fine
        verdict = "" if copies.is_fine else "  FAILED"
        print(
            f"{copies.name:<50}{copies.batches:9}{copies.copied_batches:9}{copies.copied_bytes:12}"
            f"{copies.peak_bytes:12}{verdict}"
        )
    return failures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
