"""The tests that are published with kafka-clients, judged by `suite.allow`."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from compat.brokers import broker_of
from compat.harness import Context, Scenario, check, serve
from compat.kafka import artifacts
from compat.kafka.tools import QUIET, SHORT_LIVED
from compat.suite import allowances, judged

FOLDER: Final = Path(__file__).resolve().parent

CLASSES: Final = (
    *("consumer.PlaintextConsumerTest", "consumer.PlaintextConsumerAssignTest"),
    *("consumer.PlaintextConsumerCallbackTest", "consumer.PlaintextConsumerCloseTest"),
    *("consumer.PlaintextConsumerCommitTest", "consumer.PlaintextConsumerFetchTest"),
    *("consumer.PlaintextConsumerPollTest", "consumer.PlaintextConsumerSubscriptionTest"),
    *("consumer.ConsumerTopicCreationTest", "consumer.ConsumerIntegrationTest"),
    *("admin.AutoTopicCreationTest", "admin.ConcurrentListOffsetsRequestTest"),
    "producer.ProducerCompressionTest",
)
# Below the deadline of `own_suite`, so that it is told where it stopped.
TIMEOUT_S: Final = 850.0


def class_path() -> str:
    """Maven's jars, and what fits their tests to a broker outside."""
    return artifacts.compiled(FOLDER / "pom.xml", FOLDER / "src")


def own_suite(context: Context) -> str:
    """All tests of `CLASSES`, on a broker without other topics: some count them, or subscribe to all."""
    # What the tests are written for: members that are soon missed, and groups that wait for those who
    # come together (else some are thrown out of each rebalance before their next heartbeat tells them).
    groups = {"group.min.session.timeout.ms": "100", "group.initial.rebalance.delay.ms": "100"}
    broker = broker_of(context.broker_kind, context.scratch / "broker", groups)
    broker.start()
    try:
        return _run(context, broker.bootstrap)
    finally:
        broker.kill()


def _run(context: Context, bootstrap: str) -> str:
    options = [*SHORT_LIVED, *QUIET, f"-Dsuite.bootstrap={bootstrap}"]
    output = context.scratch / "output"
    with output.open("wb") as file:
        command = ["java", *options, "-cp", class_path(), "Suite", *CLASSES]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=file, cwd=context.scratch, timeout=TIMEOUT_S
        )
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
    print("\n".join(lines), file=sys.stderr)
    check(done.returncode == 0, f"the suite ended with {done.returncode}")
    told = [line[1:].split("\t") for line in lines if line.startswith("@")]
    outcomes = {name: outcome for outcome, name, *_ in told}
    check(len(outcomes) == len(told), "two tests have one name")
    return judged(outcomes, allowances(FOLDER / "suite.allow"))


SCENARIOS: Final[dict[str, Scenario]] = {"own_suite": own_suite}

if __name__ == "__main__":
    sys.exit(serve(artifacts.VERSION, SCENARIOS))
