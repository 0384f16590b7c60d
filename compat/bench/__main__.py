"""`python -m compat.bench`: measure, print the ratios, keep the results."""

import argparse
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from compat import artifact
from compat.bench import generator, profiles, report
from compat.bench.measurements import LOADS, MEASUREMENTS, SINGLE
from compat.brokers import Kbroker
from compat.kafka import artifacts

KEPT_ROUNDS: Final = 3
_MEASURED: Final = {**MEASUREMENTS, **SINGLE}
AGAINST: Final = {"kafka": artifacts.missing, "kfake": lambda: artifact.missing_tool("go")}


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.table:
        print(profiles.table(profiles.load()) if options.profile else report.table(report.load()), end="")
        return 0
    known = LOADS if options.profile else _MEASURED
    for name in set(options.only) - set(known):
        parser.error(f"no measurement {name!r}; there are: {', '.join(known)}")
    kinds = ["kbroker", *(name for name in options.against.split(",") if name)]
    for kind in kinds[1:]:
        if kind not in AGAINST:
            parser.error(f"not a broker to measure against: {kind}; there are: {', '.join(AGAINST)}")
    tools = [generator.missing, *(AGAINST[kind] for kind in kinds[1:]), *[profiles.missing] * options.profile]
    if reason := next(filter(None, (missing() for missing in tools)), None):
        print(f"this can not be measured here: {reason}")
        return 1
    Kbroker.given.update(options.property)
    if options.driver:
        Kbroker.given["kbroker.driver"] = options.driver
    # Unwinds, so that the brokers are ended when we are told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Figures of other settings, of kbroker alone, or of a mere try, are for the one who asked.
    kept = report.REFERENCE in kinds and options.rounds >= KEPT_ROUNDS and not Kbroker.given
    command = " ".join(["python -m compat.bench", *arguments]) if kept else ""
    names = options.only or [name for name in MEASUREMENTS if name in known]
    status = 0
    with tempfile.TemporaryDirectory(prefix="compat-bench-") as folder:
        for name in names:
            try:
                _shown(name, kinds, options.rounds, Path(folder), command, profile=options.profile)
            except Exception:
                # The others are still worth their time.
                traceback.print_exc()
                status = 1
    return status


def _shown(
    name: str, kinds: Sequence[str], rounds: int, folder: Path, command: str, *, profile: bool
) -> None:
    """Measured, printed, and kept if there is a command that made it."""
    if profile:
        seen = LOADS[name].profiles(kinds, rounds, folder)
        print(profiles.table(seen), flush=True)
        if command:
            profiles.save(seen, command)
        return
    found = _MEASURED[name](kinds, rounds, folder)
    print(report.table(found), flush=True)
    if command:
        report.save(found, command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m compat.bench", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"some of {', '.join(MEASUREMENTS)}, or a load of one, such as produce/16KiB",
    )
    parser.add_argument(
        "--against",
        default="",
        metavar="KINDS",
        help="kafka, kfake or both with a comma: measured in the same run",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="of loads: no rates, but where the brokers' processor time goes, seen by perf",
    )
    parser.add_argument("--rounds", type=int, default=KEPT_ROUNDS)
    parser.add_argument("--driver", choices=("epoll", "tasks"), help="as --property kbroker.driver=…")
    parser.add_argument(
        "--property", action="append", type=_property, default=[], metavar="NAME=VALUE", help="of kbroker"
    )
    parser.add_argument(
        "--table", action="store_true", help="print the tables of the last runs, and measure nothing"
    )
    return parser


def _property(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
