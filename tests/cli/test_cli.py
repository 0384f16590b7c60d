"""The command line: precedence, errors in one sentence, start-up time."""

import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from subprocess import run

import pytest

from kbroker.cli import main
from kbroker.config import Config

Start = Callable[..., tuple[int, Config | None]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Runs the command with a broker that only says which configuration it got."""
    seen: list[Config] = []

    broker = types.ModuleType("kbroker.broker.broker")
    vars(broker)["run"] = seen.append
    monkeypatch.setitem(sys.modules, "kbroker.broker.broker", broker)
    monkeypatch.setattr("kbroker.logs.set_up", lambda log_format, level: None)
    # Whatever the developer's own shell says of Kafka.
    for variable in [name for name in os.environ if name.startswith("KAFKA_") or name == "CLUSTER_ID"]:
        monkeypatch.delenv(variable)

    def start(*arguments: str) -> tuple[int, Config | None]:
        seen.clear()
        code = main(arguments)
        return code, seen[0] if seen else None

    return start


def test_alone_it_runs_a_broker(start: Start) -> None:
    for arguments in ([], ["run"]):
        code, config = start(*arguments)
        assert code == 0
        assert config is not None
        assert config.mode == "dev"


def test_options_beat_variables_beat_the_file(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "server.properties"
    file.write_text("num.partitions=1\nmessage.max.bytes=1\ndefault.replication.factor=1\n")
    monkeypatch.setenv("KAFKA_NUM_PARTITIONS", "2")
    monkeypatch.setenv("KAFKA_MESSAGE_MAX_BYTES", "2")
    options = ["-o", "num.partitions=3", "--mode", "kafka", "--log-format", "json"]
    _, config = start("--config", str(file), *options)
    assert config is not None
    assert config.int("num.partitions") == 3
    assert config.int("message.max.bytes") == 2
    assert config.int("default.replication.factor") == 1
    assert config.mode == "kafka"
    assert config.str("kbroker.log.format") == "json"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-o", "num.partition=3"], "Did you mean num.partitions?"),
        (["-o", "num.partitions"], "-o num.partitions is not of the form KEY=VALUE."),
        (["--config", "/nowhere/x"], "cannot read /nowhere/x: No such file or directory."),
        (["--config", "/"], "cannot read /: Is a directory."),
        (["--log-level", "LOUD"], "String must be one of (case insensitive)"),
        (["-o", "listeners=SSL://:9092"], "does not support yet"),
        (["--brokers", "0"], "--brokers 0 is not a number from 1 to 1000."),
        (["--brokers", "1001"], "--brokers 1001 is not a number from 1 to 1000."),
        (["--brokers", "two"], "--brokers two is not a number from 1 to 1000."),
        (["--brokers", "2", "-o", "num.partition=3"], "Did you mean num.partitions?"),
        (["--brokers", "2", "-o", "listeners=PLAINTEXT://:65535"], "65536"),
    ],
)
def test_a_bad_configuration_is_one_sentence_on_standard_error(
    start: Start, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    code, config = start(*arguments)
    captured = capsys.readouterr()
    assert (code, config, captured.out) == (2, None, "")
    assert sentence in captured.err
    assert captured.err.startswith("kbroker: ")
    assert captured.err.count("\n") == 1


def test_a_bad_file_names_file_and_line(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.properties"
    file.write_bytes(b"a=1\nb=\\u12\n")
    assert start("--config", str(file))[0] == 2
    assert f"{file}, line 2: " in capsys.readouterr().err
    file.write_bytes(b"a=\xff\n")
    assert start("--config", str(file))[0] == 2
    assert "UTF-8" in capsys.readouterr().err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--version", "--help"):
        with pytest.raises(SystemExit) as stopped:
            main([option])
        assert stopped.value.code == 0
    assert "kbroker 0." in capsys.readouterr().out


def test_reading_the_configuration_and_supervising_imports_nothing_heavy() -> None:
    program = (
        "import sys; import kbroker.cli, kbroker.config, kbroker.supervisor;"
        "heavy = {'trio', 'rich', 'prometheus_client', 'cramjam', 'asyncio', 'ssl', 'json', 'dataclasses'};"
        "print(sorted(heavy & set(sys.modules)), 'kbroker.config.documentation' in sys.modules)"
    )
    done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"
