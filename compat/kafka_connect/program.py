"""Kafka Connect's scenarios: a file, a topic, another file."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from compat.harness import Context, Scenario, check, equal, eventually, serve
from compat.kafka import artifacts
from compat.kafka_connect.worker import RestError, Worker

FILE: Final = "org.apache.kafka.connect.file.FileStream"
PATIENCE_S: Final = 60.0


class Pipe:
    """A source and a sink, and what must have gone through them."""

    def __init__(self, context: Context, worker: Worker) -> None:
        self.worker = worker
        self.topic = context.topic("lines")
        self.input = context.scratch / "input.txt"
        self.output = context.scratch / "output.txt"
        self.input.write_bytes(b"")
        self._count = 0

    def create(self) -> None:
        """Both connectors, told over REST."""
        source = {"connector.class": f"{FILE}SourceConnector", "topic": self.topic, "file": str(self.input)}
        sink = {"connector.class": f"{FILE}SinkConnector", "topics": self.topic, "file": str(self.output)}
        for name, config in (("source", source), ("sink", sink)):
            settled(self.worker, "POST", "/connectors", {"name": name, "config": config})

    def write(self, count: int) -> None:
        """More lines, each one of its kind."""
        with self.input.open("a", encoding="utf-8") as file:
            for number in range(self._count, self._count + count):
                file.write(f"line {number} {'of ordinary words ' * (number % 20)}\n")
        self._count += count

    def through(self) -> bool:
        """Whether all that was written has arrived."""
        return _lines(self.output) == _lines(self.input)

    def through_with_repeats(self) -> bool:
        """The same, where a line may have been sent again."""
        return list(dict.fromkeys(_lines(self.output))) == _lines(self.input)

    def running(self) -> bool:
        """Whether connectors and tasks say so."""
        parts = [part for name in ("source", "sink") for part in self.parts(name)]
        return all(part["state"] == "RUNNING" for part in parts)

    def paused(self, name: str) -> bool:
        """Whether a connector and its task say so."""
        return all(part["state"] == "PAUSED" for part in self.parts(name))

    def workers(self) -> set[str]:
        """Those that have a connector or a task."""
        return {part["worker_id"] for name in ("source", "sink") for part in self.parts(name)}

    def parts(self, name: str) -> list[dict[str, str]]:
        """The status of a connector and of its one task; a failure is raised."""
        status = self.worker.asked("GET", f"/connectors/{name}/status")
        parts = [status["connector"], *status["tasks"]] if status else []
        for part in parts:
            check(part["state"] != "FAILED", f"{name}: {part.get('trace')}")
        unknown = {"state": "UNKNOWN", "worker_id": ""}
        return [*parts, *[unknown] * (2 - len(parts))]

    def read(self) -> bool:
        """Whether the source has stored that it is at the end of the file."""
        return bool(self._offset("source").get("position") == self.input.stat().st_size)

    def committed(self) -> bool:
        """Whether the sink's offset is stored, too."""
        return self.read() and int(self._offset("sink").get("kafka_offset", -1)) >= self._count

    def _offset(self, name: str) -> dict[str, Any]:
        found = self.worker.asked("GET", f"/connectors/{name}/offsets")
        return found["offsets"][0]["offset"] if found and found["offsets"] else {}


def source_to_sink(context: Context) -> None:
    """Two workers share a source and a sink; pausing, resuming, deleting."""
    with _workers(context, 2) as (first, second):
        pipe = Pipe(context, second)
        pipe.write(2000)
        pipe.create()
        eventually(pipe.running, "connectors and tasks are running", PATIENCE_S)
        equal(pipe.workers(), {first.worker_id, second.worker_id}, "workers with something to do")
        eventually(pipe.through, "all lines have gone through", PATIENCE_S)
        pipe.write(500)
        eventually(pipe.through, "the lines that were added have gone through", PATIENCE_S)
        eventually(pipe.committed, "offsets are stored", PATIENCE_S)

        settled(first, "PUT", "/connectors/sink/pause")
        eventually(lambda: pipe.paused("sink"), "the sink is paused", PATIENCE_S)
        before = _lines(pipe.output)
        pipe.write(100)
        eventually(pipe.read, "the source goes on", PATIENCE_S)
        equal(_lines(pipe.output), before, "lines while the sink is paused")
        settled(first, "PUT", "/connectors/sink/resume")
        eventually(pipe.through, "the lines of the pause have gone through", PATIENCE_S)

        equal(refused(second, "POST", "/connectors", {"name": "bad", "config": {}}), 400, "without a class")
        second.stop()
        pipe.worker = first
        eventually(
            lambda: pipe.running() and pipe.workers() == {first.worker_id},
            "the worker that is left does all the work",
            PATIENCE_S,
        )
        pipe.write(100)
        eventually(pipe.through, "the last lines have gone through", PATIENCE_S)
        for name in ("source", "sink"):
            settled(first, "DELETE", f"/connectors/{name}")
        eventually(lambda: first.ask("GET", "/connectors") == [], "the connectors are gone", PATIENCE_S)
        first.stop()


def restart(context: Context) -> None:
    """Configs, offsets and statuses outlive the worker; a broker's death loses nothing."""
    with _workers(context, 1) as (worker,):
        pipe = Pipe(context, worker)
        pipe.write(1000)
        pipe.create()
        eventually(pipe.through, "all lines have gone through", PATIENCE_S)
        eventually(pipe.committed, "offsets are stored", PATIENCE_S)
        worker.kill()
        pipe.write(500)
        worker.start()
        eventually(pipe.running, "what ran before runs again", PATIENCE_S)
        eventually(pipe.through, "all lines have gone through, each once", PATIENCE_S)
        eventually(pipe.committed, "offsets are stored", PATIENCE_S)
        for action in ("kill", "stop"):
            pipe.write(300)
            context.broker(action)
            pipe.write(300)
            context.broker("start")
            pipe.write(300)
            eventually(pipe.through_with_repeats, f"all lines have gone through a {action}", PATIENCE_S)
        check(pipe.running(), "something runs no more")
        worker.stop()


@contextlib.contextmanager
def _workers(context: Context, count: int) -> Iterator[list[Worker]]:
    workers = [Worker(context) for _ in range(count)]
    try:
        for worker in workers:
            worker.start()
        yield workers
    finally:
        for worker in workers:
            worker.kill()


def settled(worker: Worker, method: str, path: str, body: object = None) -> None:
    """A request that a rebalance may refuse for a while."""
    eventually(lambda: refused(worker, method, path, body) != 409, f"{method} {path} is taken", PATIENCE_S)


def refused(worker: Worker, method: str, path: str, body: object = None) -> int | None:
    """The status that a request is refused with, if it is."""
    try:
        worker.ask(method, path, body)
    except RestError as error:
        return error.status
    return None


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


SCENARIOS: Final[dict[str, Scenario]] = {"connect_source_to_sink": source_to_sink, "connect_restart": restart}

if __name__ == "__main__":
    sys.exit(serve(artifacts.VERSION, SCENARIOS))
