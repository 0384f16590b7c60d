"""librdkafka's own integration tests, from the sources in the client's package, judged by `suite.allow`.

Only those that need a broker are run, in librdkafka's quick mode, without its network emulator.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from compat import suite
from compat.confluent_kafka_javascript import native
from compat.harness import Failed

FOLDER: Final = Path(__file__).resolve().parent
TIMEOUT_S: Final = 840.0

LEFT_OUT: Final = {
    **dict.fromkeys(("0052", "0077", "0109", "0115", "0119"), "calls Apache Kafka's shell scripts"),
    # They pass where num.partitions is 4.
    **dict.fromkeys(
        ("0012", "0015", "0029", "0054", "0056", "0057", "0118"),
        "expects auto-created topics of four partitions",
    ),
    **dict.fromkeys(("0139", "0150"), "makes a mock cluster of its own"),
}
# The version that we say the broker has: the tests of share groups ask for a later one.
VERSION: Final = "4.1.0"

# Those that are filtered out, or skip themselves for lack of TLS, SASL or followers, are not spoken of.
OUTCOMES: Final = {"PASSED": "passed", "FAILED": "failed", "RUNNING": "failed"}


def main(bootstrap: str) -> int:
    """Run the suite on a broker; the counts, or what failed, on standard output."""
    with tempfile.TemporaryDirectory(prefix="compat-") as folder:
        outcomes = _run(bootstrap, Path(folder))
    try:
        print(suite.judged(outcomes, suite.allowances(FOLDER / "suite.allow")))
    except Failed as error:
        print(error)
        return 1
    return 0


def _run(bootstrap: str, folder: Path) -> dict[str, str]:
    configuration, report = folder / "test.conf", folder / "report.json"
    configuration.write_text(
        f"metadata.broker.list={bootstrap}\ntest.topic.random=true\ntest.timeout.multiplier=3\n",
        encoding="utf-8",
    )
    package = native.package()
    subprocess.run(
        # Quick, no local tests, no network emulator, no known issues, four at a time.
        [package / "build" / "test-runner", "-Q", "-L", "-E", "-K", "-p4"],
        cwd=folder,
        env={
            **os.environ,
            "LD_LIBRARY_PATH": str(package / "build" / "deps"),
            "RDKAFKA_TEST_CONF": str(configuration),
            "TEST_KAFKA_VERSION": VERSION,
            "TEST_REPORT": str(report),
            "TESTS_SKIP": ",".join(LEFT_OUT),
        },
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        timeout=TIMEOUT_S,
        check=False,
    )
    tests = json.loads(report.read_text(encoding="utf-8"))["tests"]
    return {
        name: OUTCOMES[test["state"]]
        for name, test in tests.items()
        if test["state"] in OUTCOMES and name != "<MAIN>"
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
