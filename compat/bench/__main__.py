"""`python -m compat.bench`: measure, print the ratios, keep the results."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from compat.bench import report
from compat.bench.measurements import MEASUREMENTS
from compat.kafka import artifacts


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser("python -m compat.bench", description=__doc__)
    parser.add_argument("what", nargs="*", help=f"some of {', '.join(MEASUREMENTS)}; all by default")
    parser.add_argument("--against", choices=("kafka",), help="measure Apache Kafka too, in the same run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--table", action="store_true", help="print the table of the last runs, and measure nothing"
    )
    options = parser.parse_args(arguments)
    for name in set(options.what) - set(MEASUREMENTS):
        parser.error(f"no measurement {name!r}; there are: {', '.join(MEASUREMENTS)}")
    if options.table:
        print(report.table(report.load()), end="")
        return 0
    if options.against and (reason := artifacts.missing()):
        print(f"Apache Kafka can not be measured here: {reason}")
        return 1
    # Unwinds, so that the brokers are ended when we are told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kinds = ["kbroker", *([options.against] if options.against else [])]
    rows: list[report.Row] = []
    with tempfile.TemporaryDirectory(prefix="compat-bench-") as folder:
        for name in options.what or MEASUREMENTS:
            found = MEASUREMENTS[name](kinds, options.rounds, Path(folder))
            print(report.table(found), flush=True)
            rows += found
    if options.against:
        report.save(rows, " ".join(["python -m compat.bench", *arguments]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
