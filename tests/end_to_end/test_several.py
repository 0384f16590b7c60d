"""`--brokers N`: the nodes of one command start, fail and stop together."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from compat.brokers import free_port
from tests.end_to_end.conftest import StartBroker
from tests.end_to_end.process import BrokerProcess, run_to_end
from tests.end_to_end.test_life import consume, produce

MARKER = ".kafka_cleanshutdown"


class TwoBrokers:
    """Nodes 1 and 2 of one command."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.ports, self.admin_ports = two_free_ports(), two_free_ports()
        self.command = BrokerProcess(
            data,
            *("--brokers", "2", "-o", f"kbroker.admin.listener=127.0.0.1:{self.admin_ports[0]}"),
            port=self.ports[0],
        )
        self.bootstraps = [f"127.0.0.1:{port}" for port in self.ports]
        self.await_all_ready()

    def await_all_ready(self) -> None:
        """Wait until the last that is heard of the nodes is that all are ready."""
        self.command.await_output(re.compile(r"(All 2 nodes are ready)(?!(?s:.*)started again)"))

    def pid_of(self, node_id: int) -> int:
        found: list[str] = re.findall(rf"Node {node_id} is process (\d+)", self.command.read_output())
        return int(found[-1])

    def kill(self, node_id: int) -> None:
        """kill -9, and it runs again when this returns."""
        os.kill(self.pid_of(node_id), signal.SIGKILL)
        self.command.await_output(re.compile(rf"(Node {node_id} was ended by SIGKILL)"))
        self.await_all_ready()

    def has_marker(self, node_id: int) -> bool:
        return (self.data / f"node{node_id}" / MARKER).exists()


def two_free_ports() -> tuple[int, int]:
    """Of which the second is the next."""
    while True:
        first = free_port()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", first + 1)) != 0:
                return first, first + 1


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[TwoBrokers]:
    both = TwoBrokers(tmp_path / "data")
    yield both
    both.command.end()


def test_each_serves_at_ports_and_in_a_directory_of_its_own(brokers: TwoBrokers) -> None:
    clusters = set()
    for index, bootstrap in enumerate(brokers.bootstraps):
        values = [b"%d of node %d" % (number, index) for number in range(100)]
        produce(bootstrap, "t", values)
        assert consume(bootstrap, "t", 100) == values
        clusters.add(AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).cluster_id)
        with urllib.request.urlopen(
            f"http://127.0.0.1:{brokers.admin_ports[index]}/health", timeout=10
        ) as answer:
            assert json.load(answer)["node"] == index + 1
        assert (brokers.data / f"node{index + 1}" / "t-0").is_dir()
    assert len(clusters) == 2
    assert sorted(path.name for path in brokers.data.iterdir()) == ["node1", "node2"]


def test_one_signal_stops_all_cleanly(brokers: TwoBrokers) -> None:
    # A terminal's Ctrl-C must reach the command alone, or its signal would be their second.
    assert all(os.getpgid(pid) == pid for pid in (brokers.pid_of(1), brokers.pid_of(2)))
    brokers.command.signal(signal.SIGINT)
    assert brokers.command.wait() == 0
    assert brokers.has_marker(1)
    assert brokers.has_marker(2)
    line = re.compile(r"\S+ \S+ INFO    (node [12], broker\.broker|supervisor): ")
    strange = [text for text in brokers.command.output.splitlines() if not line.match(text)]
    assert strange == []


def test_a_second_signal_ends_all_at_once(brokers: TwoBrokers) -> None:
    # It would never stop by itself.
    os.kill(brokers.pid_of(2), signal.SIGSTOP)
    brokers.command.signal(signal.SIGTERM)
    brokers.command.await_output(re.compile("(node 1, broker.broker: Stopped)"))
    brokers.command.signal(signal.SIGTERM)
    assert brokers.command.wait(5) == 128 + signal.SIGTERM
    assert brokers.has_marker(1)
    assert not brokers.has_marker(2)


def test_who_dies_is_started_again_with_its_records(brokers: TwoBrokers) -> None:
    values = [b"value %d" % number for number in range(200)]
    produce(brokers.bootstraps[1], "t", values[:100])
    first, second = brokers.pid_of(1), brokers.pid_of(2)
    brokers.kill(2)
    assert brokers.pid_of(1) == first
    assert brokers.pid_of(2) != second
    produce(brokers.bootstraps[1], "t", values[100:])
    assert consume(brokers.bootstraps[1], "t", 200) == values
    assert brokers.command.stop() == 0
    assert brokers.has_marker(2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_kill_9_of_the_command_leaves_nobody(brokers: TwoBrokers) -> None:
    # Not even one that listens to nothing.
    os.kill(brokers.pid_of(2), signal.SIGSTOP)
    pids = [brokers.pid_of(1), brokers.pid_of(2)]
    brokers.command.signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    try:
        while any(map(is_running, pids)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        for pid in filter(is_running, pids):
            os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_who_cannot_start_ends_the_others(tmp_path: Path) -> None:
    first, second = two_free_ports()
    with socket.create_server(("127.0.0.1", second)):
        code, output, errors = run_to_end(
            *("--brokers", "2", "-o", "kbroker.admin.listener=", "-o", f"log.dirs={tmp_path / 'data'}"),
            *("-o", f"listeners=PLAINTEXT://127.0.0.1:{first}"),
        )
    assert code == 1
    assert (
        errors == f"kbroker: node 2: cannot listen on 127.0.0.1:{second} (PLAINTEXT): the port is in use.\n"
    )
    assert len(re.findall(r"Node 2 is process", output)) == 4
    assert len(re.findall(r"Node 1 is process", output)) == 1
    assert (tmp_path / "data" / "node1" / MARKER).exists()
    assert not (tmp_path / "data" / "node2").exists()


def test_without_processes_to_be_had_it_ends_with_a_sentence(tmp_path: Path) -> None:
    program = (
        "import os, sys, errno; from kbroker.cli import main\n"
        "def fork(): raise OSError(errno.EAGAIN, 'Resource temporarily unavailable')\n"
        "os.fork = fork; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "--brokers", "2", "-o", f"log.dirs={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr == "kbroker: node 1: no process can be had: Resource temporarily unavailable.\n"


def test_one_is_a_plain_broker(start_broker: StartBroker, tmp_path: Path) -> None:
    broker = start_broker("--brokers", "1")
    assert (tmp_path / "data" / "meta.properties").exists()
    assert broker.stop() == 0, broker.output
    assert "supervisor" not in broker.output
    assert "INFO    broker.broker: Stopped" in broker.output


def test_the_directories_of_one_and_of_several_do_not_mix(tmp_path: Path, start_broker: StartBroker) -> None:
    ports = ("-o", "listeners=PLAINTEXT://127.0.0.1:0", "-o", "kbroker.admin.listener=")
    assert start_broker().stop() == 0
    before = sorted(path.name for path in (tmp_path / "data").iterdir())
    code, _, errors = run_to_end("--brokers", "2", *ports, "-o", f"log.dirs={tmp_path / 'data'}")
    assert code == 1
    assert "is that of a single broker" in errors
    assert errors.count("\n") == 1
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == before

    (tmp_path / "several" / "node1").mkdir(parents=True)
    code, _, errors = run_to_end(*ports, "-o", f"log.dirs={tmp_path / 'several'}")
    assert code == 1
    assert "not empty (node1)" in errors
