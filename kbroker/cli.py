"""The command `kbroker`: arguments, configuration file, variables → run.

    kbroker [run] [--config FILE] [-o KEY=VALUE …] [--mode dev|kafka] [--brokers N]
    kbroker health [--admin HOST:PORT]

What is wrong with the configuration is said in one sentence on standard error,
with exit code 2 and before anything is touched. Nothing of the broker is
imported before it is needed: `health` runs every few seconds.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from kbroker import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kbroker.config import Config

EXIT_FAILED = 1
EXIT_BAD_USE = 2
_MOST_BROKERS = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["health"]:
        return _health(words[1:])
    return _run(_run_parser().parse_args(words[1:] if words[:1] == ["run"] else words))


def _health(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="kbroker health", description="Exit code 0 if the broker is ready, else 1."
    )
    parser.add_argument(
        "--admin",
        metavar="HOST:PORT",
        help="the admin port; default: that of KAFKA_KBROKER_ADMIN_LISTENER, else 127.0.0.1:9644",
    )
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=3.0, help="default: %(default)s")
    options = parser.parse_args(words)
    from kbroker.health import check

    return check(options.admin, options.timeout)


def _run_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kbroker",
        usage="kbroker [run] [options]\n       kbroker health [--admin HOST:PORT]",
        description="Run a Kafka-compatible broker. Settings have Kafka's names; of several sources "
        "the first of -o, KAFKA_* variables, --config and the mode's defaults decides.",
    )
    parser.add_argument("--version", action="version", version=f"kbroker {__version__}")
    parser.add_argument("--config", metavar="FILE", help="a server.properties file")
    parser.add_argument(
        "-o",
        "--override",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="one setting; may be given many times",
    )
    parser.add_argument(
        "--mode",
        choices=("dev", "kafka"),
        help="defaults: dev (the default) for a laptop or a test, kafka for those of Apache Kafka",
    )
    parser.add_argument(
        "--brokers",
        metavar="N",
        default="1",
        help="how many brokers, a process each, with the next node ids and ports; default: %(default)s",
    )
    parser.add_argument("--log-format", choices=("text", "json"), help="default: text")
    parser.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO (the default), WARNING or ERROR")
    return parser


def _run(options: argparse.Namespace) -> int:
    from kbroker.broker.start_error import StartError
    from kbroker.config import ConfigError

    try:
        nodes = _load(options)
        _set_up_logs(nodes[0])
        if len(nodes) > 1:
            from kbroker.supervisor import supervise

            return supervise(nodes)
        from kbroker.broker.broker import run

        run(nodes[0])
        return 0
    except (ConfigError, StartError) as error:
        print(f"kbroker: {_sentence(error)}", file=sys.stderr)
        return EXIT_BAD_USE if isinstance(error, ConfigError) else EXIT_FAILED


def _load(options: argparse.Namespace) -> list[Config]:
    import os

    from kbroker.config.nodes import load_nodes

    overrides = dict(_split_override(text) for text in options.override)
    if options.log_format is not None:
        overrides["kbroker.log.format"] = options.log_format
    if options.log_level is not None:
        overrides["kbroker.log.level"] = options.log_level
    count = _count_brokers(options.brokers)
    return load_nodes(count, _read_file(options.config), os.environ, overrides, options.mode)


def _count_brokers(text: str) -> int:
    from kbroker.config import ConfigError

    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST_BROKERS):
        raise ConfigError(f"--brokers {text} is not a number from 1 to {_MOST_BROKERS}.")
    return int(text)


def _split_override(text: str) -> tuple[str, str]:
    from kbroker.config import ConfigError

    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"-o {text} is not of the form KEY=VALUE.")
    return name.strip(), value


def _read_file(path: str | None) -> dict[str, str]:
    from kbroker.config import ConfigError, properties

    if path is None:
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            return properties.parse(file.read())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.") from None
    except ConfigError as error:
        raise ConfigError(f"{path}, {error}") from None


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith((".", "?")) else f"{text}."


def _set_up_logs(config: Config) -> None:
    import logging

    from kbroker import logs

    logs.set_up(config.str("kbroker.log.format"), config.str("kbroker.log.level"))
    logger = logging.getLogger("kbroker.config")
    for level, text in config.notices:
        logger.log(level, "%s", text)
