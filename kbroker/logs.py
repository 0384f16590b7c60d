"""Log lines: one event each, as text for people or JSON for machines.

To standard output, as Kafka's container does. Kafka's names for levels are
understood too, because DescribeConfigs and AlterConfigs of a broker's loggers
speak them.
"""

from __future__ import annotations

import logging
import sys
import time

# Kafka's levels, strictest first, and the standard library's.
KAFKA_LEVELS = {
    "OFF": logging.CRITICAL + 10,
    "FATAL": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "TRACE": logging.NOTSET + 5,
}


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


def levels() -> dict[str, str]:
    """Every logger of the broker and its effective level in Kafka's words; the root one is `root`."""
    names = sorted(name for name in logging.root.manager.loggerDict if name.startswith("kbroker"))
    return {"root": level_name(logging.root), **{name: level_name(logging.getLogger(name)) for name in names}}


def level_name(logger: logging.Logger) -> str:
    """The effective level in Kafka's words."""
    level = logger.getEffectiveLevel()
    return next(name for name, limit in KAFKA_LEVELS.items() if level >= limit)


def set_level(name: str, level: str | None) -> bool:
    """Change a logger's level while the broker runs; None gives it its parent's again.

    False if there is no such logger or level.
    """
    known = name == "root" or name in logging.root.manager.loggerDict
    if not known or (level is not None and level.upper() not in KAFKA_LEVELS):
        return False
    logger = logging.getLogger(None if name == "root" else name)
    logger.setLevel(logging.NOTSET if level is None else KAFKA_LEVELS[level.upper()])
    return True
