"""`python -m compat`: run the clients, print the table, keep the results."""

import argparse
import contextlib
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from compat import client as clients
from compat import results
from compat.brokers import Broker, BrokerFailed, BrokerProcess, ForeignBroker, broker_of
from compat.kafka import artifacts
from compat.kafka.artifacts import ArtifactsFailed
from compat.programs import Program, ProgramFailed, Verdict
from compat.results import ClientResults, Result
from compat.scenarios import ONLY_ON, SCENARIOS, deadline_s


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when nothing failed that was not allowed to."""
    options = _parse(arguments)
    if options.table:
        print(results.readme_table(results.load(options.broker)), end="")
        return 0
    # Unwinds, so that brokers and programs are ended when we are told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.broker == "kafka" and not options.bootstrap and (reason := artifacts.missing()):
        print(f"Apache Kafka can not be run here: {reason}")
        return 1
    with tempfile.TemporaryDirectory(prefix="compat-") as folder:
        code = _run(options, Path(folder))
        if code and options.keep_logs:
            _keep_logs(Path(folder), options.keep_logs)
    return code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m compat", description="Run other people's clients against a broker."
    )
    known = clients.names()
    parser.add_argument("client", nargs="*", help=f"the folders to run; all by default: {' '.join(known)}")
    parser.add_argument(
        "--broker", choices=("kbroker", "kafka"), default="kbroker", help="what to start, or to find"
    )
    parser.add_argument(
        "--bootstrap", metavar="HOST:PORT", help="a broker that already runs; none is started"
    )
    parser.add_argument(
        "--scenario", action="append", choices=list(SCENARIOS), help="only this one; may be repeated"
    )
    parser.add_argument(
        "--property", action="append", default=[], metavar="KEY=VALUE", help="for the broker started"
    )
    parser.add_argument(
        "--keep-logs", type=Path, metavar="FOLDER", help="where logs go when something failed"
    )
    parser.add_argument("--table", action="store_true", help="print the README's table from the last results")
    options = parser.parse_args(arguments)
    for name in set(options.client) - set(known):
        parser.error(f"no client {name!r}; there are: {', '.join(known)}")
    return options


def _run(options: argparse.Namespace, folder: Path) -> int:
    outcomes: dict[str, ClientResults] = {}
    unrunnable: list[str] = []
    with _broker(options, folder) as broker:
        for name in options.client or clients.names():
            client = clients.load(name)
            if reason := client.missing():
                print(f"{name}: skipped: {reason}")
                continue
            try:
                outcomes[name] = _run_client(name, client, broker, options.scenario, folder)
            except (ArtifactsFailed, ProgramFailed) as error:
                print(f"{name}: can not be run: {error}")
                unrunnable.append(name)
    if outcomes:
        print(results.terminal_table(outcomes))
    if not options.scenario and not options.bootstrap:
        results.save(options.broker, outcomes)
    return 0 if all(outcome.good() for outcome in outcomes.values()) and not unrunnable else 1


@contextlib.contextmanager
def _broker(options: argparse.Namespace, folder: Path) -> Iterator[Broker]:
    if options.bootstrap:
        foreign = ForeignBroker(options.bootstrap)
        foreign.kind = options.broker
        yield foreign
        return
    properties = dict(item.split("=", 1) for item in options.property)
    if options.broker == "kafka":
        # Else a killed broker is refused for nine seconds, until its dead incarnation's session ends.
        properties = {
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            **properties,
        }
    broker = broker_of(options.broker, folder / options.broker, properties)
    try:
        broker.start()
        yield broker
    finally:
        _end(broker)


def _end(broker: BrokerProcess) -> None:
    try:
        broker.stop()
    finally:
        broker.kill()


def _run_client(
    name: str, client: clients.Client, broker: Broker, only: Sequence[str] | None, folder: Path
) -> ClientResults:
    """All scenarios of one client; a program that hangs or dies is started again."""
    log = folder / f"{name}.log"
    allowed = clients.allowed_failures(name, broker.kind)
    program = Program(client.command(), log)
    outcomes = ClientResults(client.title, program.version)
    _check_names(name, [*program.scenarios, *allowed])
    try:
        for scenario in program.scenarios:
            if (only and scenario not in only) or ONLY_ON.get(scenario, broker.kind) != broker.kind:
                continue
            started_at_s = time.monotonic()
            try:
                verdict = program.run(
                    scenario, broker, f"{name}-{uuid.uuid4().hex[:6]}", deadline_s(scenario)
                )
            except ProgramFailed as error:
                verdict = Verdict("failed", str(error))
                program.close()
                program = Program(client.command(), log)
            verdict = _after(verdict, broker)
            result = _judged(verdict, allowed.get(scenario), time.monotonic() - started_at_s)
            outcomes.scenarios[scenario] = result
            print(
                f"{name:18} {scenario:24} {result.outcome:8} {result.seconds:6.1f} s  {result.detail}",
                flush=True,
            )
    finally:
        program.close()
    return outcomes


def _check_names(client: str, names: Sequence[str]) -> None:
    unknown = set(names) - set(SCENARIOS)
    if unknown:
        raise SystemExit(f"compat/{client} names scenarios that do not exist: {', '.join(sorted(unknown))}")


def _after(verdict: Verdict, broker: Broker) -> Verdict:
    """A broker that is down after a scenario fails it, and is started for the next."""
    failure = broker.failure()
    with contextlib.suppress(BrokerFailed):
        if isinstance(broker, BrokerProcess) and not broker.running():
            broker.kill()
            broker.start()
    if failure is None:
        return verdict
    return Verdict("failed", f"{failure} | {verdict.detail}".replace("\n", " | "))


def _judged(verdict: Verdict, allowed: str | None, seconds: float) -> Result:
    if allowed is not None and verdict.outcome == "failed":
        return Result("allowed", allowed, seconds)
    if allowed is not None and verdict.outcome == "passed":
        return Result("stale", "passes: take it out of tests.allow", seconds)
    return Result(verdict.outcome, verdict.detail, seconds)


def _keep_logs(folder: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for file in [*folder.glob("*.log"), *folder.glob("*/*.log")]:
        target.joinpath(f"{file.parent.name}-{file.name}").write_bytes(file.read_bytes())
    print(f"logs are in {target}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
