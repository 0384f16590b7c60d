"""The runner's conversation with a program: verdicts, wishes, deaths."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.brokers import BrokerFailed, Refused
from compat.programs import Program, ProgramFailed, Verdict

PROGRAM = """
import os, sys, time
print("@client\\t1.0")
print("@scenarios\\tfine\\tbad\\tnoisy\\tdies\\thangs\\tkills\\tlooks\\tgibberish", flush=True)
for line in sys.stdin:
    _, name, kind, bootstrap, prefix = line.rstrip("\\n").split("\\t")
    def ask(action):
        print("@broker\\t" + action, flush=True)
        return sys.stdin.readline().rstrip("\\n").replace("\\t", " ")
    if name == "fine":
        print("@passed")
    elif name == "bad":
        print("@failed\\tthis: " + " ".join((kind, bootstrap, prefix)))
    elif name == "noisy":
        print("not for the runner")
        print("@skipped\\tno reason")
    elif name == "dies":
        os._exit(3)
    elif name == "hangs":
        time.sleep(60)
    elif name == "kills":
        print("@failed\\t" + ask("kill") + ", " + ask("start") + ", " + ask("data"))
    elif name == "looks":
        print("@failed\\t" + ask("stop"))
    else:
        print("@what?")
    sys.stdout.flush()
"""


class FakeBroker:
    """Does what it is told, and remembers it."""

    kind = "kbroker"
    bootstrap = "127.0.0.1:1"
    data_directory = Path("data")

    def __init__(self) -> None:
        self.beside = [Path("other")]
        self.done: list[str] = []

    def start(self) -> None:
        self.done.append("start")
        raise BrokerFailed("no\tport")

    def stop(self) -> None:
        raise Refused("not ours")

    def kill(self) -> None:
        self.done.append("kill")

    def failure(self) -> str | None:
        return None


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program([sys.executable, "-c", PROGRAM], tmp_path / "log")
    yield program
    program.close()


def run(program: Program, scenario: str, deadline_s: float = 20.0) -> Verdict:
    return program.run(scenario, FakeBroker(), "prefix", deadline_s)


def test_a_program_introduces_itself(program: Program) -> None:
    assert program.version == "1.0"
    assert program.scenarios[0] == "fine"


def test_verdicts_are_taken_and_noise_is_logged(program: Program, tmp_path: Path) -> None:
    assert run(program, "fine") == Verdict("passed")
    assert run(program, "bad") == Verdict("failed", "this: kbroker 127.0.0.1:1 prefix")
    assert run(program, "noisy") == Verdict("skipped", "no reason")
    program.close()
    assert (tmp_path / "log").read_text() == "not for the runner\n"


def test_what_a_program_asks_of_the_broker_is_carried_out_and_answered(program: Program) -> None:
    broker = FakeBroker()
    verdict = program.run("kills", broker, "prefix", 20.0)
    assert verdict.detail == "done, failed no port, done data other"
    assert broker.done == ["kill", "start"]
    assert run(program, "looks").detail == "refused not ours"


def test_a_program_that_dies_is_named(program: Program) -> None:
    with pytest.raises(ProgramFailed, match="ended with 3"):
        run(program, "dies")


def test_a_program_that_hangs_is_given_up(program: Program) -> None:
    with pytest.raises(ProgramFailed, match="no verdict within 1 s"):
        run(program, "hangs", 1.0)


def test_a_program_that_talks_gibberish_is_refused(program: Program) -> None:
    with pytest.raises(ProgramFailed, match="said 'what\\?'"):
        run(program, "gibberish")


def test_a_program_that_does_not_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="ended with 0"):
        Program([sys.executable, "-c", "pass"], tmp_path / "log")
