"""One target under atheris: `python -m tests.fuzz "record batch" corpus --seconds 300`.

Needs atheris (`pip install '.[night]'`). The folder `corpus` is filled with the
target's seeds, and with what is found to reach further. Ends with 0 when the
time is over, and otherwise with the input that failed, kept in that folder.
"""

import argparse
import sys
from pathlib import Path

import atheris


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.fuzz")
    parser.add_argument("target")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # Only what is imported from here on tells atheris which ways it takes.
    with atheris.instrument_imports(include=["kbroker"]):
        from tests.fuzz.targets import TARGETS

        target = TARGETS[options.target]
        seeds = list(target.seeds())
        for seed in seeds:
            target.run(seed)
    for number, seed in enumerate(seeds):
        (options.corpus / f"seed-{number}").write_bytes(seed)
    arguments = [
        *(sys.argv[0], str(options.corpus)),
        f"-max_total_time={options.seconds}",
        f"-seed={options.seed}",
        *("-timeout=20", "-rss_limit_mb=2048", "-max_len=65536", "-print_final_stats=1"),
        f"-artifact_prefix={options.corpus}/",
    ]
    atheris.Setup(arguments, target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
