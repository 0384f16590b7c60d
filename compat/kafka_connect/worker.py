"""A Kafka Connect worker in distributed mode: a process, and its REST API."""

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from compat.brokers import HOST, free_port
from compat.harness import Context, check, eventually
from compat.kafka import artifacts
from compat.kafka.tools import QUIET, SHORT_LIVED

POM: Final = Path(__file__).with_name("pom.xml")

MAIN: Final = "org.apache.kafka.connect.cli.ConnectDistributed"
STRINGS: Final = "org.apache.kafka.connect.storage.StringConverter"
START_TIMEOUT_S: Final = 90.0


class RestError(Exception):
    """The worker refused a request."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Worker:
    """One worker; those of one context form a cluster."""

    def __init__(self, context: Context) -> None:
        self._port = free_port()
        self._properties = context.scratch / f"worker-{self._port}.properties"
        settings = {
            "bootstrap.servers": context.bootstrap,
            "group.id": context.group(),
            "listeners": f"http://{HOST}:{self._port}",
            "plugin.discovery": "service_load",
            "key.converter": STRINGS,
            "value.converter": STRINGS,
            "offset.flush.interval.ms": "500",
            "heartbeat.interval.ms": "500",
            # A dead worker, and its sink, are waited for so long.
            "session.timeout.ms": "6000",
            "consumer.session.timeout.ms": "6000",
            "consumer.heartbeat.interval.ms": "500",
            # Else the tasks of a dead worker wait for its return, five minutes long.
            "scheduled.rebalance.max.delay.ms": "0",
            # A source's producer is not idempotent unless asked to be.
            "producer.enable.idempotence": "true",
            "offset.storage.partitions": "3",
            "status.storage.partitions": "3",
        }
        for kind in ("config", "offset", "status"):
            settings[f"{kind}.storage.topic"] = context.topic(f"{kind}s")
            settings[f"{kind}.storage.replication.factor"] = "1"
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        self._properties.write_text("".join(lines), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def worker_id(self) -> str:
        """How the cluster names it."""
        return f"{HOST}:{self._port}"

    def start(self) -> None:
        """Run, and return when it is a member that knows its cluster's connectors."""
        self._process = subprocess.Popen(
            ["java", *SHORT_LIVED, *QUIET, "-cp", artifacts.class_path(POM), MAIN, self._properties],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )
        eventually(self._ready, "the worker answers", START_TIMEOUT_S)

    def _ready(self) -> bool:
        check(self._process is not None and self._process.poll() is None, "the worker has ended")
        with contextlib.suppress(OSError, RestError):
            return bool(self.ask("GET", "/health")["status"] == "healthy")
        return False

    def stop(self) -> None:
        """SIGTERM, and gone when this returns."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What the REST API answers; RestError when it refuses."""
        request = urllib.request.Request(
            f"http://{self.worker_id}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise RestError(error.code, error.read().decode(errors="replace")) from None

    def asked(self, method: str, path: str) -> Any:
        """The same; None while what is asked for is not there, or a rebalance is under way."""
        try:
            return self.ask(method, path)
        except RestError as error:
            if error.status not in (404, 409, 500, 503):
                raise
            return None
