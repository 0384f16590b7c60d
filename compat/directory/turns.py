"""One directory, and the two brokers that take turns on it, on one port.

Apache Kafka is started with the `server.properties` that stands in the
README, to the letter but for the ports and the path; kbroker without a file,
or with the same one.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from compat.brokers import ROOT, BrokerProcess, Kbroker
from compat.harness import Context, check
from compat.kafka.server import Kafka

SECTION: Final = re.compile(
    r"^## The data directory\n.*?^```properties\n(.*?)^```$", re.DOTALL | re.MULTILINE
)

# What a person would wait for, from a quarter of a minute to an hour.
SOONER: Final = {
    "log.cleaner.backoff.ms": "300",
    "log.flush.start.offset.checkpoint.interval.ms": "300",
    "metadata.log.max.snapshot.interval.ms": "2000",
}


class _Kbroker(Kbroker):
    """`kbroker` as the README starts it; `with_file`: as it does on Apache Kafka's directory."""

    with_file = False
    # It ends with the program, however that ends.
    own_session = False

    @property
    def data_directory(self) -> Path:
        return self.directory / "kbroker-data"

    def command(self) -> Sequence[str | Path]:
        options = {**SOONER, "kbroker.admin.listener": ""}
        if not self.with_file:
            options["listeners"] = f"PLAINTEXT://{self.bootstrap}"
        file: list[str | Path] = ["--config", self.properties_file] if self.with_file else []
        return [sys.executable, "-m", "kbroker", *file, *_options("-o", options)]


class _Kafka(Kafka):
    own_session = False

    @property
    def data_directory(self) -> Path:
        return self.directory / "kbroker-data"

    def command(self) -> Sequence[str | Path]:
        return [*super().command(), *_options("--override", SOONER)]


class Turns:
    """Which broker runs, and how its turn ends."""

    def __init__(self, folder: Path, *, first: str) -> None:
        kbroker, kafka = _Kbroker(folder), _Kafka(folder)
        controller = re.search(r":(\d+)$", kafka.properties["controller.quorum.voters"])
        assert controller is not None
        kafka.port = kbroker.port
        kbroker.with_file = first == "kafka"
        text = server_properties(kbroker.port, int(controller[1]), kbroker.data_directory)
        kafka.properties_file.write_text(text, encoding="utf-8")
        self.brokers: dict[str, BrokerProcess] = {"kbroker": kbroker, "kafka": kafka}
        self.directory = kbroker.data_directory
        self.bootstrap = kbroker.bootstrap

    def start(self, kind: str) -> None:
        self.brokers[kind].start()

    def has_written_down(self, topic: str, partition: int, first_offset: int) -> bool:
        """Whether a kill can no longer undo a DeleteRecords, as it can for a minute with either broker."""
        lines = (self.directory / "log-start-offset-checkpoint").read_text(encoding="utf-8").splitlines()
        return f"{topic} {partition} {first_offset}" in lines

    def end(self, kind: str, how: str) -> None:
        """`stop` or `kill`; it must not have ended by itself."""
        broker = self.brokers[kind]
        failure = broker.failure()
        check(failure is None, failure or "")
        broker.stop() if how == "stop" else broker.kill()

    def close(self) -> None:
        """End whatever runs, and tell the log what the brokers said."""
        for broker in self.brokers.values():
            broker.kill()
        print(self.brokers["kbroker"].output_tail(200), file=sys.stderr)


def server_properties(port: int, controller_port: int, data: Path) -> str:
    """The README's text for Apache Kafka, with other ports and another path."""
    found = SECTION.search((ROOT / "README.md").read_text(encoding="utf-8"))
    check(found, "the README has no server.properties for Apache Kafka")
    assert found is not None
    text = found[1]
    for written, actual in (
        ("127.0.0.1:9092", f"127.0.0.1:{port}"),
        ("127.0.0.1:9093", f"127.0.0.1:{controller_port}"),
        ("=./kbroker-data\n", f"={data}\n"),
    ):
        check(written in text, f"the README's server.properties has no {written.strip()}")
        text = text.replace(written, actual)
    return text


def at(context: Context, turns: Turns, kind: str) -> Context:
    """The scenario's world while this broker has its turn."""
    return Context(context.scenario, kind, turns.bootstrap, context.prefix, context.scratch)


def _options(flag: str, properties: dict[str, str]) -> list[str]:
    return [part for name, value in properties.items() for part in (flag, f"{name}={value}")]
