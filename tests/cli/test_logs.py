"""Log lines and levels."""

import json
import logging

import pytest

from kbroker import logs


def record(message: str, *arguments: object, failed: bool = False) -> logging.LogRecord:
    error = ValueError("broken")
    exception = (ValueError, error, None) if failed else None
    return logging.LogRecord("kbroker.broker", logging.INFO, "x.py", 1, message, arguments, exception)


def test_text_is_one_line_whatever_a_client_sends() -> None:
    line = logs.TextFormatter().format(record("client %s", "a\nINFO forged é\x1b[0m"))
    assert line.endswith(r"INFO    broker: client a\nINFO forged é\x1b[0m")
    assert "\n" not in line


def test_json_is_one_object_per_line() -> None:
    fields = json.loads(logs.JsonFormatter().format(record("client %s", "a\n", failed=True)))
    assert fields["message"] == "client a\n"
    assert (fields["level"], fields["logger"]) == ("INFO", "kbroker.broker")
    assert fields["time"].endswith("Z")
    assert "broken" in fields["exception"]


def test_a_failure_is_shown_with_its_traceback() -> None:
    assert logs.TextFormatter().format(record("oh", failed=True)).endswith("ValueError: broken")


@pytest.fixture
def logger() -> logging.Logger:
    logger = logging.getLogger("kbroker.test_logs")
    logger.setLevel(logging.NOTSET)
    return logger


def test_levels_are_changed_and_told_in_kafkas_words(logger: logging.Logger) -> None:
    assert logs.set_level(logger.name, "TRACE")
    assert logs.levels()[logger.name] == "TRACE"
    assert logs.set_level(logger.name, "warn")
    assert logs.levels()[logger.name] == "WARN"
    assert logs.set_level(logger.name, None)
    assert logger.level == logging.NOTSET
    assert "root" in logs.levels()


def test_unknown_loggers_and_levels_are_refused(logger: logging.Logger) -> None:
    assert not logs.set_level("kbroker.no_such_logger", "INFO")
    assert not logs.set_level(logger.name, "LOUD")
