"""Log lines."""

import json
import logging

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


def test_lines_of_one_of_several_nodes_say_which() -> None:
    assert logs.TextFormatter(2).format(record("started")).endswith("INFO    node 2, broker: started")
    assert json.loads(logs.JsonFormatter(2).format(record("started")))["node"] == 2
    assert "node" not in json.loads(logs.JsonFormatter().format(record("started")))
