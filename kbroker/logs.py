"""Log lines: one event each, as text for people or JSON for machines.

To standard output, as Kafka's container does.
"""

from __future__ import annotations

import logging
import sys
import time


class TextFormatter(logging.Formatter):
    """`2026-11-21 06:53:01.123 INFO    broker: message`."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        name = record.name.removeprefix("kbroker.")
        line = f"{seconds}.{int(record.msecs):03d} {record.levelname:<7} {name}: {_one_line(record)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and exception if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        import json

        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
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


def set_up(log_format: str, level: str) -> None:
    """Send every logger's lines to standard output; once, at start."""
    # Nobody reads these fields, so nobody need pay for them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("kbroker").setLevel(level.upper())
