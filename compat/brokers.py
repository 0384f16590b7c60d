"""Brokers as processes: started on free ports of loopback, ended by pid.

Each lives in one directory that its owner makes and removes: `data` (its log
directory), `server.properties`, `output.log`. The same port is kept over
restarts, and lies below the ephemeral range, so that no client's outgoing
connection takes it while the broker is down.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Protocol

from compat import wire

ROOT: Final = Path(__file__).resolve().parent.parent
HOST: Final = "127.0.0.1"

# Kafka's names, understood by both brokers.
PROPERTIES: Final[Mapping[str, str]] = {
    "node.id": "1",
    "num.partitions": "1",
    "auto.create.topics.enable": "true",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
}


class BrokerFailed(Exception):
    """A broker did not start, or ended by itself."""


class Refused(Exception):
    """This broker is not ours to do that with."""


class Broker(Protocol):
    """What scenarios may do to a broker."""

    kind: str
    # Data directories of brokers that are stopped and may be looked into with this one's.
    beside: list[Path]

    @property
    def bootstrap(self) -> str: ...

    @property
    def data_directory(self) -> Path: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def failure(self) -> str | None:
        """Why it is not running although it should be."""


class ForeignBroker:
    """A broker that somebody else started."""

    kind = "kbroker"

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.beside: list[Path] = []

    @property
    def data_directory(self) -> Path:
        raise Refused("the broker is not ours to look into")

    def start(self) -> None:
        raise Refused("the broker is not ours to start")

    def stop(self) -> None:
        raise Refused("the broker is not ours to stop")

    def kill(self) -> None:
        raise Refused("the broker is not ours to kill")

    def failure(self) -> str | None:
        return None


class BrokerProcess:
    """One broker process over its directory. Subclasses say what to run."""

    kind = ""
    start_timeout_s = 30.0
    stop_timeout_s = 30.0
    # Ctrl-C is for the runner, which then stops the broker itself.
    own_session = True

    def __init__(self, directory: Path, properties: Mapping[str, str] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.beside: list[Path] = []
        self._process: subprocess.Popen[bytes] | None = None
        self.properties = {
            **PROPERTIES,
            **self.own_properties(),
            "log.dirs": str(self.data_directory),
            **(properties or {}),
        }
        lines = [f"{name}={value}\n" for name, value in self.properties.items()]
        self.properties_file.write_text("".join(lines), encoding="utf-8")

    def own_properties(self) -> dict[str, str]:
        """Properties that only this kind of broker needs."""
        raise NotImplementedError

    def command(self) -> Sequence[str | Path]:
        """What runs the broker in the foreground."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The child's environment: nothing that would configure a broker."""
        return {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def data_directory(self) -> Path:
        return self.directory / "data"

    @property
    def properties_file(self) -> Path:
        return self.directory / "server.properties"

    @property
    def output_file(self) -> Path:
        return self.directory / "output.log"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Run, and return when a Metadata request has been answered."""
        self.measured_start()

    def measured_start(self) -> float:
        """`start`, giving the seconds from spawn to the first answered Metadata."""
        assert not self.running()
        started_at_s = time.monotonic()
        with self.output_file.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment(),
                cwd=self.directory,
                start_new_session=self.own_session,
            )
        try:
            return wire.first_answer_s(HOST, self.port, started_at_s, self.start_timeout_s, self.running)
        except (ConnectionError, TimeoutError) as error:
            self.kill()
            raise BrokerFailed(f"{self.kind}: {error}\n{self.output_tail()}") from error

    def stop(self) -> None:
        """SIGTERM; SIGKILL and BrokerFailed when it does not end in time, or badly."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(self.stop_timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerFailed(f"{self.kind} did not stop within {self.stop_timeout_s:.0f} s") from None
        self._process = None
        # The JVM ends with 128 + 15 after a clean stop by a signal.
        if code not in (0, 143):
            raise BrokerFailed(f"{self.kind} ended with {code}\n{self.output_tail()}")

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def failure(self) -> str | None:
        if self._process is None or self._process.poll() is None:
            return None
        return f"{self.kind} ended by itself with {self._process.returncode}\n{self.output_tail()}"

    def output_tail(self, lines: int = 15) -> str:
        """The last lines the broker printed."""
        text = (
            self.output_file.read_text(encoding="utf-8", errors="replace")
            if self.output_file.exists()
            else ""
        )
        return "\n".join(text.splitlines()[-lines:])


class Kbroker(BrokerProcess):
    """The broker of this checkout, whatever is installed elsewhere."""

    kind = "kbroker"
    # What the one who runs us wants of every kbroker.
    given: ClassVar[dict[str, str]] = {}

    def own_properties(self) -> dict[str, str]:
        own = {"listeners": f"PLAINTEXT://{HOST}:{self.port}", "kbroker.admin.listener": ""}
        return {**own, **self.given}

    def command(self) -> Sequence[str | Path]:
        return [sys.executable, "-m", "kbroker", "--config", self.properties_file]

    def environment(self) -> dict[str, str]:
        environment = {**super().environment(), "PYTHONPATH": str(ROOT)}
        # An installed kbroker has its bytecode: it should be started as one, from the second time on.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return environment


def broker_of(kind: str, directory: Path, properties: Mapping[str, str] | None = None) -> BrokerProcess:
    """A broker by its name on the command line."""
    if kind == "kbroker":
        return Kbroker(directory, properties)
    from compat.kafka.server import Kafka

    return Kafka(directory, properties)


def free_port() -> int:
    """A port of loopback that nobody listens on, below the ephemeral range."""
    numbers = random.SystemRandom()
    for _ in range(1000):
        port = numbers.randrange(20_000, 32_000)
        if not _is_taken(port):
            return port
    raise BrokerFailed("no free port between 20000 and 32000")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        # As brokers do: a port whose old connections linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
