"""Log lines: one event each, as text for people or JSON for machines.

To standard output, as Kafka's container does.
"""

from __future__ import annotations

import logging
import sys
import time


class TextFormatter(logging.Formatter):
    """`2026-11-21 06:53:01.123 INFO    broker: message`; of several nodes `node 2, broker: message`."""

    def __init__(self, node_id: int | None = None) -> None:
        super().__init__()
        self._node = "" if node_id is None else f"node {node_id}, "

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        name = self._node + record.name.removeprefix("kbroker.")
        line = f"{seconds}.{int(record.msecs):03d} {record.levelname:<7} {name}: {_one_line(record)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, node if there are several, logger, message, any exception."""

    def __init__(self, node_id: int | None = None) -> None:
        super().__init__()
        self._node = {} if node_id is None else {"node": node_id}

    def format(self, record: logging.LogRecord) -> str:
        import json

        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, object] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            **self._node,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def _one_line(record: logging.LogRecord) -> str:
    # What clients send (a client id, a topic) must not begin a line of its own.
    message = record.getMessage()
    if message.isprintable():
        return message
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)


def set_up(log_format: str, level: str, node_id: int | None = None) -> None:
    """Send every logger's lines to standard output; once, at start. One of several nodes marks them."""
    # Nobody reads these fields, so nobody need pay for them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter((JsonFormatter if log_format == "json" else TextFormatter)(node_id))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("kbroker").setLevel(level.upper())
