"""Generate the protocol, compare it, or fetch its schemas."""

import argparse
import sys
from pathlib import Path

from codegen.emit import generate
from codegen.parse import parse
from codegen.vendor import KAFKA_VERSION, SPECS, vendor

GENERATED = Path(__file__).parents[1] / "kbroker" / "protocol" / "generated"


def main(arguments: list[str]) -> int:
    """The exit code: 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m codegen", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare the generated files, write nothing")
    what.add_argument("--vendor", action="store_true", help="re-make codegen/specs from the published jars")
    options = parser.parse_args(arguments)
    if options.vendor:
        vendor()
        return 0
    files = generate(parse(SPECS / "messages.json"), KAFKA_VERSION)
    if not options.check:
        write(files)
        return 0
    stale = differences(files)
    for name in stale:
        print(f"{GENERATED.name}/{name} is not what `python -m codegen` makes", file=sys.stderr)
    return 1 if stale else 0


def write(files: dict[str, str]) -> None:
    """Make the folder hold exactly `files`."""
    GENERATED.mkdir(exist_ok=True)
    for path in GENERATED.glob("*.py"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (GENERATED / name).write_text(text)


def differences(files: dict[str, str]) -> list[str]:
    """Names of files that are missing, too many, or different."""
    present = {path.name: path.read_text() for path in GENERATED.glob("*.py")}
    return sorted(name for name in present.keys() | files.keys() if present.get(name) != files.get(name))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
