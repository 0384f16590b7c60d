"""`kbroker health` against small servers of every kind."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import run

import pytest

from kbroker.cli import main

READY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
STARTING = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def server(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Answers one connection; yields its address and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", asked
        thread.join()


def test_ready() -> None:
    with server(READY) as (address, asked):
        assert main(["health", "--admin", address]) == 0
    assert asked[0].startswith(b"GET /health HTTP/1.1\r\n")


def test_not_ready(capsys: pytest.CaptureFixture[str]) -> None:
    with server(STARTING) as (address, _):
        assert main(["health", "--admin", address]) == 1
    assert capsys.readouterr().err == "kbroker: not ready: the broker says so itself\n"


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    assert main(["health", "--admin", address]) == 1
    assert "not ready: " in capsys.readouterr().err


def test_an_answer_that_never_comes(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert main(["health", "--admin", address, "--timeout", "0.05"]) == 1
    assert "timed out" in capsys.readouterr().err


def test_without_an_admin_port_a_listener_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = bytes.fromhex("00000006 00000001 0000")
    with server(answer) as (address, asked):
        monkeypatch.setenv("KAFKA_KBROKER_ADMIN_LISTENER", "")
        monkeypatch.setenv("KAFKA_LISTENERS", f"PLAINTEXT://{address},CONTROLLER://:9093")
        assert main(["health"]) == 0
    # ApiVersions version 0, correlation id 1.
    assert asked[0][4:12] == bytes.fromhex("0012 0000 00000001")
    assert int.from_bytes(asked[0][:4], "big") == len(asked[0]) - 4


def test_the_variable_names_the_admin_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(READY) as (address, _):
        monkeypatch.setenv("KAFKA_KBROKER_ADMIN_LISTENER", address.replace("127.0.0.1", "0.0.0.0"))
        assert main(["health"]) == 0


def test_it_imports_nothing_of_the_broker() -> None:
    program = (
        "import sys; from kbroker.cli import main; main(['health', '--admin', '127.0.0.1:1']);"
        "print(sorted(name for name in sys.modules if name.startswith('kbroker')))"
    )
    done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['kbroker', 'kbroker.cli', 'kbroker.health']"
