"""kafka-python's own integration tests, from its sdist, against a broker that runs already."""

import functools
import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as xml
from pathlib import Path

from compat.artifact import built, run
from compat.harness import Context, Failed, Scenario
from compat.suite import allowances, judged

FOLDER = Path(__file__).resolve().parent
REQUIREMENTS = FOLDER / "requirements.txt"
SERVICE = FOLDER / "suite_service.py"

# The others start brokers of their own, with TLS or SASL.
TESTS = [f"test/integration/test_{name}_integration.py" for name in ("admin", "consumer", "producer")]


def unpacked(python: Path) -> Path:
    """The sdist's directory, with the two files of `test` that it leaves out."""
    build = functools.partial(_unpack, python=python)
    return next(built("kafka_python-suite", [REQUIREMENTS, SERVICE], build).glob("kafka_python-*/"))


def _unpack(work: Path, python: Path) -> None:
    requirement = REQUIREMENTS.read_text(encoding="utf-8").splitlines()[0]
    download: list[str | Path] = [
        python,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        ":all:",
    ]
    run([*download, "--no-build-isolation", "--dest", work, requirement])
    archive = next(work.glob("*.tar.gz"))
    with tarfile.open(archive) as files:
        files.extractall(work, filter="data")
    archive.unlink()
    test = next(work.glob("kafka_python-*/test"))
    # Else Python's own package of that name would be found.
    (test / "__init__.py").touch()
    shutil.copy(SERVICE, test / "service.py")


def own_suite(suite: Path) -> Scenario:
    """The scenario that runs the tests of an unpacked sdist."""

    def scenario(context: Context) -> str:
        report = context.scratch / "report.xml"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", *TESTS, "-q", "-p", "no:cacheprovider", "-o", "addopts="),
                # A test that hangs fails, and the others go on.
                *("--timeout=120", "--timeout-method=signal", f"--junit-xml={report}"),
            ],
            cwd=suite,
            env={
                **os.environ,
                "KAFKA_URI": f"kafka://{context.bootstrap}",
                "KAFKA_VERSION": "4.3",
                # It wants the directory of an installed Kafka to exist, and leaves it alone.
                "KAFKA_ROOT": str(suite),
            },
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )
        if not report.exists():
            raise Failed(f"pytest ended with {done.returncode} and without a report")
        return judged(_outcomes(report), allowances(FOLDER / "suite.allow"))

    return scenario


def _outcomes(report: Path) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    for case in xml.parse(report).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        marks = {child.tag for child in case}
        if marks & {"failure", "error"}:
            outcomes[name] = "failed"
        else:
            # A test whose end failed is told of twice.
            outcomes.setdefault(name, "skipped" if "skipped" in marks else "passed")
    return outcomes
