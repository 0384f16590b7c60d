"""A broker in a process of its own on a disk that is full, fails or is slow (D1, D2, D5).

The disk is a tmpfs of 8 MiB: its last page gives a short write before it
refuses. Failing and slow system calls are strace's. What this machine does
not allow is skipped, and said.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kbroker.protocol import errors
from kbroker.records.batch import build_batch
from kbroker.records.record import Record
from tests.disk.broker import LATEST
from tests.end_to_end.conftest import StartBroker
from tests.end_to_end.process import BrokerProcess, run_to_end
from tests.end_to_end.socket_client import SocketClient, can_be_asked

TOPIC = "t"
MIB = 1 << 20


def batch_of(value: bytes) -> bytes:
    return bytes(build_batch([Record(0, 0, None, value)], base_timestamp=int(time.time() * 1000)))


def health(broker: BrokerProcess) -> str:
    """What it says of itself; OSError if nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{broker.admin}/health", timeout=30) as answer:
            return str(json.load(answer)["status"])
    except urllib.error.HTTPError as error:
        with error:
            return str(json.load(error)["status"])


def eventually(true: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


Connect = Callable[[BrokerProcess], SocketClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients, and ends them with the test."""
    clients: list[SocketClient] = []

    def make(broker: BrokerProcess) -> SocketClient:
        clients.append(SocketClient(broker.bootstrap))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted file system of 8 MiB."""
    path = tmp_path / "small"
    path.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount")
    command = [mount, "-t", "tmpfs", "-o", "size=8m", "kbroker-test", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a tmpfs may not be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_refuses_and_recovers(
    small_disk: Path, start_broker: StartBroker, connect: Connect
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(3 * MIB))
    data = small_disk / "data"
    broker = start_broker(data=data)
    client = connect(broker)
    assert client.create_topic(TOPIC, 1, {}) == errors.NONE
    values: list[bytes] = []

    def produce_until_refused() -> None:
        for _ in range(500):
            value = b"%d " % len(values) * 9_000
            answer = client.produce(TOPIC, 0, batch_of(value))
            assert answer is not None
            if answer.error:
                assert answer.error == errors.KAFKA_STORAGE_ERROR
                return
            assert answer.offset == len(values)
            values.append(value)
        raise AssertionError("the disk does not get full")

    def check_values() -> None:
        for offset, value in enumerate(values):
            assert client.fetch(TOPIC, 0, offset, 1).records[0][:2] == (offset, value)

    produce_until_refused()
    for _ in range(3):
        answer = client.produce(TOPIC, 0, batch_of(bytes(50_000)))
        assert answer is not None
        assert answer.error == errors.KAFKA_STORAGE_ERROR
    client.create_topic("another", 1, {})
    client.new_producer()
    check_values()
    assert health(broker) == "ready"
    filler.unlink()
    produce_until_refused()
    check_values()
    assert health(broker) == "ready"
    # It stops in order even so, says in a sentence if it can't start, and starts once there is room.
    (small_disk / "last").write_bytes(b"")
    fill(small_disk / "last")
    assert broker.stop() == 0
    assert "Traceback" not in broker.output
    code, output, complaint = run_to_end(
        *("-o", f"log.dirs={data}", "-o", "listeners=PLAINTEXT://127.0.0.1:0"),
        *("-o", "kbroker.admin.listener="),
    )
    assert code == 1, output
    assert "No space left" in complaint
    assert "Traceback" not in complaint
    (small_disk / "last").unlink()
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    broker = start_broker(data=data)
    client = connect(broker)
    check_values()
    assert broker.stop() == 0


def fill(path: Path) -> None:
    """Take the last byte there is."""
    with path.open("ab", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


# --- system calls


@contextmanager
def injected(broker: BrokerProcess, *rules: str, path: Path | None = None) -> Iterator[None]:
    """While it lasts, the broker's system calls go by `rules`."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    only = [] if path is None else ["-P", str(path)]
    calls = ",".join(rule.partition("=")[2].partition(":")[0] for rule in rules)
    tracer = subprocess.Popen(
        [
            strace,
            *("-f", "-p", str(broker.pid), "-e", f"trace={calls}", *only),
            *(part for rule in rules for part in ("-e", rule)),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        if "attached" not in line:
            pytest.skip(f"strace may not trace here: {line.strip()}")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)


def started_with_topic(
    start_broker: StartBroker, connect: Connect, **configs: str
) -> tuple[BrokerProcess, SocketClient]:
    broker = start_broker()
    client = connect(broker)
    assert client.create_topic(TOPIC, 1, configs) == errors.NONE
    assert client.produce(TOPIC, 0, batch_of(b"first")) == (errors.NONE, 0)
    return broker, client


def test_a_failed_fsync_is_never_tried_again(start_broker: StartBroker, connect: Connect) -> None:
    broker, client = started_with_topic(start_broker, connect, **{"flush.messages": "1"})
    with injected(broker, "inject=fdatasync,fsync:error=EIO:when=1"):
        answer = client.produce(TOPIC, 0, batch_of(b"lost"))
    assert answer is not None
    assert answer.error == errors.KAFKA_STORAGE_ERROR
    # The next fsync would succeed; it has nothing to say any more.
    answer = client.produce(TOPIC, 0, batch_of(b"too late"))
    assert answer is not None
    assert answer.error == errors.KAFKA_STORAGE_ERROR
    assert client.fetch(TOPIC, 0, 0).error == errors.KAFKA_STORAGE_ERROR
    assert health(broker) == "failed"
    broker.stop()
    assert "Traceback" not in broker.output
    client = connect(start_broker())
    assert client.fetch(TOPIC, 0, 0).records[0][:2] == (0, b"first")


def test_a_refused_write_leaves_nothing_behind(
    start_broker: StartBroker, connect: Connect, tmp_path: Path
) -> None:
    broker, client = started_with_topic(start_broker, connect)
    log = tmp_path / "data" / f"{TOPIC}-0" / f"{0:020d}.log"
    with injected(broker, "inject=write:error=ENOSPC:when=1", path=log):
        answer = client.produce(TOPIC, 0, batch_of(b"refused"))
        assert answer is not None
        assert answer.error == errors.KAFKA_STORAGE_ERROR
        assert client.produce(TOPIC, 0, batch_of(b"second")) == (errors.NONE, 1)
    assert health(broker) == "ready"
    broker.kill()
    client = connect(start_broker())
    assert [value for _, value, _ in client.fetch(TOPIC, 0, 0).records] == [b"first", b"second"]


def test_a_slow_fsync_keeps_nobody_else_waiting(start_broker: StartBroker, connect: Connect) -> None:
    broker, slow = started_with_topic(start_broker, connect, **{"flush.messages": "1"})
    other = connect(broker)
    assert other.create_topic("quick", 1, {}) == errors.NONE
    delay_s = 3.0
    with injected(broker, f"inject=fdatasync,fsync:delay_enter={int(delay_s * 1e6)}:when=1"):
        begun_s = time.monotonic()
        waiting = ExchangeLater(slow)
        answered = 0
        while time.monotonic() < begun_s + delay_s * 0.6:
            assert other.produce("quick", 0, batch_of(b"quick")) == (errors.NONE, answered)
            assert other.fetch(TOPIC, 0, 0).high_watermark == 1
            answered += 1
        assert answered > 5
        assert waiting.answer() == (errors.NONE, 1)
        assert time.monotonic() > begun_s + delay_s * 0.9


class ExchangeLater:
    """A produce whose answer is asked for later."""

    def __init__(self, client: SocketClient) -> None:
        self._answers: list[object] = []

        def produce() -> None:
            self._answers.append(client.produce(TOPIC, 0, batch_of(b"waits")))

        self._thread = threading.Thread(target=produce)
        self._thread.start()

    def answer(self) -> object:
        self._thread.join(60)
        [answer] = self._answers
        return answer


# --- descriptors


def test_the_last_descriptor_is_not_the_end(start_broker: StartBroker, connect: Connect) -> None:
    prlimit = shutil.which("prlimit")
    if prlimit is None:
        pytest.skip("prlimit is not installed")
    broker = start_broker(prefix=[prlimit, "--nofile=64:64"])
    good = connect(broker)
    assert good.create_topic(TOPIC, 2, {"flush.messages": "1"}) == errors.NONE
    assert good.produce(TOPIC, 0, batch_of(b"first")) == (errors.NONE, 0)
    # Right after the start the first fetch imports what it needs.
    assert good.fetch(TOPIC, 0, 0).records[0][1] == b"first"
    for _ in range(2):
        crowd = [connect(broker) for _ in range(100)]
        eventually(lambda: "out of resources" in broker.read_output(), "no descriptor is missed")
        # Whoever is in is served; what needs a descriptor of its own is refused or waits.
        assert good.fetch(TOPIC, 0, 0).records[0][1] == b"first"
        answer = good.produce(TOPIC, 1, batch_of(b"a file of its own"))
        assert answer is not None
        assert answer.error in (errors.NONE, errors.KAFKA_STORAGE_ERROR, errors.REQUEST_TIMED_OUT)
        for client in crowd:
            client.close()
        eventually(lambda: can_be_asked(broker.bootstrap, 5.0), "nobody is let in any more")
        eventually(lambda: health_or_none(broker) == "ready", "the broker is not ready")
        answer = good.produce(TOPIC, 1, batch_of(b"again"))
        assert answer is not None
        assert answer.error == errors.NONE
    assert good.list_offset(TOPIC, 0, LATEST) == (errors.NONE, 1)
    assert broker.stop() == 0
    assert "Traceback" not in broker.output


def health_or_none(broker: BrokerProcess) -> str | None:
    try:
        return health(broker)
    except OSError:
        return None
