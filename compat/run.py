"""One run: clients side by side in lanes, each lane with a broker of its own.

A lane takes the next client when it is done with one. Those that look at
what all others have left behind (`client.LAST`) run alone at the end, with
every lane's broker stopped but the first, whose data directories they see.
"""

import contextlib
import queue
import threading
import time
import uuid
from collections.abc import Sequence, Set
from pathlib import Path

from compat import client as clients
from compat.artifact import BuildFailed
from compat.brokers import Broker, BrokerFailed, BrokerProcess
from compat.programs import Program, ProgramFailed, Verdict
from compat.results import ClientResults, Result
from compat.scenarios import ONLY_ON, SCENARIOS, deadline_s


class Run:
    """What is run, and what has come out so far."""

    def __init__(
        self, broker_kind: str, only: Sequence[str], skip: Set[str], folder: Path, *, again: bool = False
    ) -> None:
        self._kind = broker_kind
        self._only = only
        self._skip = skip
        self._folder = folder
        self._again = again
        self.outcomes: dict[str, ClientResults] = {}
        # Clients whose program could not be built or started, and why.
        self.failures: dict[str, str] = {}

    def side_by_side(self, names: Sequence[str], lanes: Sequence[Broker]) -> None:
        """Every client once, on whichever lane is free."""
        left: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name in names:
            left.put(name)
        # Daemons: when we are told to end, their brokers are ended, and so are they.
        workers = [threading.Thread(target=self._lane, args=(left, lane), daemon=True) for lane in lanes]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def one_by_one(self, names: Sequence[str], lanes: Sequence[Broker]) -> None:
        """Every client once on the first lane, which sees the directories of all."""
        if not names:
            return
        first, *others = lanes
        for broker in others:
            broker.stop()
            first.beside.append(broker.data_directory)
        for name in names:
            self._client(name, first)

    def _lane(self, left: "queue.SimpleQueue[str]", broker: Broker) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._client(left.get_nowait(), broker)

    def _client(self, name: str, broker: Broker) -> None:
        try:
            _running(broker)
            self.outcomes[name] = self._scenarios(name, clients.load(name), broker)
        except (BuildFailed, ProgramFailed, BrokerFailed) as error:
            self.failures[name] = str(error)
            print(f"{name}: can not be run: {error}", flush=True)

    def _scenarios(self, name: str, client: clients.Client, broker: Broker) -> ClientResults:
        """All scenarios of one client; what failed may be tried again, and says so."""
        allowed = clients.allowed_failures(name, self._kind)
        attempts = _Attempts(name, client.command(), broker, self._folder / f"{name}.log")
        outcomes = ClientResults(client.title, attempts.program.version)
        _check_names(name, [*attempts.program.scenarios, *allowed])
        try:
            for scenario in filter(self._wanted, attempts.program.scenarios):
                started_at_s = time.monotonic()
                verdict = attempts.run(scenario)
                if verdict.outcome == "failed" and scenario not in allowed and self._again:
                    first, verdict = verdict, attempts.run(scenario)
                    verdict = Verdict(verdict.outcome, f"{verdict.detail} (at first: {first.detail})".strip())
                result = _judged(verdict, allowed.get(scenario), time.monotonic() - started_at_s)
                outcomes.scenarios[scenario] = result
                print(
                    f"{name:18} {scenario:24} {result.outcome:8} {result.seconds:6.1f} s  {result.detail}",
                    flush=True,
                )
        finally:
            attempts.program.close()
        return outcomes

    def _wanted(self, scenario: str) -> bool:
        if scenario in self._skip or (self._only and scenario not in self._only):
            return False
        return ONLY_ON.get(scenario, self._kind) == self._kind


class _Attempts:
    """One client's program on one broker; one that hangs or dies is started again."""

    def __init__(self, name: str, command: list[str], broker: Broker, log: Path) -> None:
        self._name = name
        self._command = command
        self._broker = broker
        self._log = log
        self.program = Program(command, log)

    def run(self, scenario: str) -> Verdict:
        prefix = f"{self._name}-{uuid.uuid4().hex[:6]}"
        try:
            verdict = self.program.run(scenario, self._broker, prefix, deadline_s(scenario))
        except ProgramFailed as error:
            verdict = Verdict("failed", str(error))
            self.program.close()
            self.program = Program(self._command, self._log)
        return _after(verdict, self._broker)


def _check_names(client: str, names: Sequence[str]) -> None:
    unknown = set(names) - set(SCENARIOS)
    if unknown:
        raise ProgramFailed(
            f"compat/{client} names scenarios that do not exist: {', '.join(sorted(unknown))}"
        )


def _after(verdict: Verdict, broker: Broker) -> Verdict:
    """A broker that is down after a scenario fails it, and is started for the next."""
    failure = broker.failure()
    with contextlib.suppress(BrokerFailed):
        _running(broker)
    if failure is None:
        return verdict
    return Verdict("failed", f"{failure} | {verdict.detail}".replace("\n", " | "))


def _running(broker: Broker) -> None:
    if isinstance(broker, BrokerProcess) and not broker.running():
        broker.kill()
        broker.start()


def _judged(verdict: Verdict, allowed: str | None, seconds: float) -> Result:
    if allowed is not None and verdict.outcome == "failed":
        return Result("allowed", allowed, seconds)
    if allowed is not None and verdict.outcome == "passed":
        return Result("stale", "passes: take it out of tests.allow", seconds)
    return Result(verdict.outcome, verdict.detail, seconds)
