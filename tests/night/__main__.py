"""The searches of a night, one after the other; a line of figures for each.

    python -m tests.night                        all of them
    python -m tests.night --only d3 s5           these
    python -m tests.night --scale 0.1            a tenth of a night's size
    python -m tests.night --minutes 30           again with other seeds until the time is up
    python -m tests.night --seed 7               what was found is found again by its seed
    python -m tests.night --keep                 keep the figures for the README

Whatever is found ends that search with its seed; the others go on, and the
exit code says that something was.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import time
import traceback
from pathlib import Path

from tests.night.registry import Figures, Search, load

KEPT = Path(__file__).with_name("figures.json")


def main() -> int:
    searches = load()
    options = _options(sorted(searches))
    # Damaged disks are what it is about: the broker's complaints are no news.
    logging.disable(logging.CRITICAL)
    chosen = {name: searches[name] for name in options.only or searches}
    until_s = time.monotonic() + options.minutes * 60
    seed: int = options.seed
    failures = 0
    while True:
        for name, search in chosen.items():
            figures = run(name, search, seed, options.scale)
            failures += not figures
            if figures and options.keep:
                keep(name, options.scale, figures)
        if time.monotonic() >= until_s:
            return min(failures, 1)
        seed += 100_000


def _options(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.night", description="The searches of a night.")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--scale", type=float, default=1.0, help="share of a night's size")
    parser.add_argument("--minutes", type=float, default=0, help="go on with other seeds for so long")
    parser.add_argument("--keep", action="store_true", help="keep the figures for the README")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 20))
    return parser.parse_args()


def run(name: str, search: Search, seed: int, scale: float) -> Figures:
    """One search and its line; its figures, or none when it found something."""
    begun_s = time.monotonic()
    figures: Figures = {}
    try:
        figures = search(seed, scale)
    except Exception:
        traceback.print_exc()
    line = ", ".join(f"{key}: {value}" for key, value in figures.items()) or "FAILED"
    print(f"{name}: {line} (seed {seed}, {time.monotonic() - begun_s:.0f} s)", flush=True)
    return figures


def keep(name: str, scale: float, figures: Figures, file: Path = KEPT) -> None:
    """Put a search's figures in the place of its former ones, with the command that made them."""
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    command = f"python -m tests.night --only {name}" + ("" if scale == 1 else f" --scale {scale:g}")
    kept[name] = {"command": command, "figures": figures}
    file.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
