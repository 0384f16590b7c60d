"""Log levels read and changed at run time, in Kafka's words (KIP-412).

Levels belong to the process and are not stored: a restart forgets them.
Kafka: `RuntimeLoggerManager`, `LoggingController`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kbroker.protocol.generated.incremental_alter_configs_request import AlterableConfig

ROOT = "root"

_SET, _DELETE, _APPEND, _SUBTRACT = 0, 1, 2, 3

_LEVELS = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
_NAMES = {level: name for name, level in _LEVELS.items()}

log = logging.getLogger(__name__)


def levels() -> dict[str, str]:
    """The effective level of the root logger and of each of ours, by name."""
    ours = sorted(name for name in logging.root.manager.loggerDict if name.split(".")[0] == "kbroker")
    return {name: _describe(_logger(name).getEffectiveLevel()) for name in (ROOT, *ours)}


def _describe(level: int) -> str:
    return _NAMES.get(level) or logging.getLevelName(level)


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(None if name == ROOT else name)


def alter(changes: Sequence[AlterableConfig], *, validate_only: bool) -> None:
    """Carry out `changes`: all of them or, raising KafkaError, none."""
    known = levels()
    for change in changes:
        _validate(change, known)
    if validate_only:
        return
    for change in changes:
        if change.config_operation == _SET:
            assert change.value is not None
            _logger(change.name).setLevel(_LEVELS[change.value])
            log.warning("Updated the log level of %s to %s", change.name, change.value)
        else:
            _logger(change.name).setLevel(logging.NOTSET)
            log.warning("Unset the log level of %s", change.name)


def _validate(change: AlterableConfig, known: dict[str, str]) -> None:
    operation, name = change.config_operation, change.name
    if operation in (_APPEND, _SUBTRACT):
        word = "APPEND" if operation == _APPEND else "SUBTRACT"
        raise KafkaError(
            errors.INVALID_REQUEST, f"{word} operation is not allowed for the BROKER_LOGGER resource"
        )
    if operation not in (_SET, _DELETE):
        # As Kafka answers; INVALID_REQUEST would say more.
        raise KafkaError(errors.UNKNOWN_SERVER_ERROR, f"Unknown operation type {operation}")
    if name not in known:
        raise KafkaError(errors.INVALID_CONFIG, f"Logger {name} does not exist!")
    if operation == _SET and change.value not in _LEVELS:
        raise KafkaError(
            errors.INVALID_CONFIG,
            f"Cannot set the log level of {name} to {change.value} as it is not a supported log level. "
            f"Valid log levels are {', '.join(sorted(_LEVELS))}",
        )
    if operation == _DELETE and name == ROOT:
        raise KafkaError(errors.INVALID_REQUEST, "Removing the log level of the root logger is not allowed")
