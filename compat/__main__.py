"""`python -m compat`: run the clients, print the table, keep the results."""

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from compat import client as clients
from compat import results
from compat.brokers import Broker, BrokerProcess, ForeignBroker, broker_of
from compat.diff.main import THEMES
from compat.diff.main import main as diff
from compat.kafka import artifacts
from compat.run import Run
from compat.scenarios import SCENARIOS


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when nothing failed that was not allowed to."""
    options = _parse(arguments)
    if options.table:
        print(results.readme_table(results.load(options.broker)), end="")
        return 0
    # Unwinds, so that brokers and programs are ended when we are told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.diff:
        return diff(options.client)
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
        "--skip", action="append", default=[], choices=list(SCENARIOS), help="not this one; may be repeated"
    )
    parser.add_argument(
        "--again", action="store_true", help="try what failed a second time; the results say so"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="how many clients side by side, each with its broker"
    )
    parser.add_argument(
        "--property", action="append", default=[], metavar="KEY=VALUE", help="for the broker started"
    )
    parser.add_argument(
        "--keep-logs", type=Path, metavar="FOLDER", help="where logs go when something failed"
    )
    parser.add_argument(
        "--diff", action="store_true", help="no clients, but the same requests to kbroker and Apache Kafka"
    )
    parser.add_argument("--table", action="store_true", help="print the README's table from the last results")
    options = parser.parse_args(arguments)
    if options.diff:
        known = list(THEMES)
    for name in set(options.client) - set(known):
        parser.error(f"no {name!r}; there are: {', '.join(known)}")
    return options


def _run(options: argparse.Namespace, folder: Path) -> int:
    names = _runnable(options.client or clients.names())
    run = Run(options.broker, options.scenario or (), set(options.skip), folder, again=options.again)
    first = [name for name in names if name not in clients.LAST]
    with contextlib.ExitStack() as stack:
        lanes = [_broker(options, folder, number) for number in range(_lanes(options, len(first)))]
        for broker in lanes:
            stack.callback(_end, broker)
        run.side_by_side(first, lanes)
        run.one_by_one([name for name in names if name in clients.LAST], lanes)
    if run.outcomes:
        print(results.terminal_table(run.outcomes))
    if not options.scenario and not options.bootstrap:
        results.save(options.broker, run.outcomes, skipped=options.skip)
    for name, reason in run.failures.items():
        print(f"{name}: can not be run: {reason}")
    return 0 if all(outcome.good() for outcome in run.outcomes.values()) and not run.failures else 1


def _runnable(names: Sequence[str]) -> list[str]:
    runnable = []
    for name in names:
        if reason := clients.load(name).missing():
            print(f"{name}: skipped: {reason}", flush=True)
        else:
            runnable.append(name)
    return runnable


def _lanes(options: argparse.Namespace, clients_side_by_side: int) -> int:
    return 1 if options.bootstrap else max(1, min(options.jobs, clients_side_by_side))


def _broker(options: argparse.Namespace, folder: Path, number: int) -> Broker:
    if options.bootstrap:
        foreign = ForeignBroker(options.bootstrap)
        foreign.kind = options.broker
        return foreign
    properties = dict(item.split("=", 1) for item in options.property)
    if options.broker == "kafka":
        # Else a killed broker is refused for nine seconds, until its dead incarnation's session ends.
        properties = {
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            **properties,
        }
    return broker_of(options.broker, folder / f"{options.broker}-{number}", properties)


def _end(broker: Broker) -> None:
    if isinstance(broker, BrokerProcess):
        try:
            broker.stop()
        finally:
            broker.kill()


def _keep_logs(folder: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for file in [*folder.glob("*.log"), *folder.glob("*/*.log")]:
        target.joinpath(f"{file.parent.name}-{file.name}").write_bytes(file.read_bytes())
    print(f"logs are in {target}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
