"""The tools as functions: run one, have one fail, speak with one that runs on."""

import json
import signal
import subprocess
import threading
from typing import Any

from compat.harness import Context, Failed, check
from compat.kafka import tools
from compat.kafka.tools import ToolFailed


def tool(context: Context, main_class: str, *arguments: str, text: str = "") -> str:
    """What a tool prints, told where the broker is."""
    return tools.run(main_class, "--bootstrap-server", context.bootstrap, *arguments, text=text)


def refusal(context: Context, main_class: str, *arguments: str) -> str:
    """What a tool says when it must fail."""
    try:
        tool(context, main_class, *arguments)
    except ToolFailed as error:
        return str(error)
    raise Failed(f"{main_class} {' '.join(arguments)} worked")


def complaint(context: Context, main_class: str, *arguments: str, text: str = "") -> str:
    """All that a tool says, whether or not it ends with an error."""
    try:
        where = ("--bootstrap-server", context.bootstrap)
        return "".join(tools.run_both(main_class, *where, *arguments, text=text, timeout_s=45))
    except ToolFailed as error:
        return str(error)


def produce(context: Context, topic: str, lines: list[str], *arguments: str) -> None:
    """Each line a record; the console producer only logs what goes wrong."""
    text = "".join(f"{line}\n" for line in lines)
    tool(context, tools.CONSOLE_PRODUCER, "--topic", topic, *arguments, text=text)


def consume(context: Context, topic: str, count: int, *arguments: str) -> list[str]:
    """`count` lines of the console consumer; fewer when no more come for a while."""
    limits = ("--max-messages", str(count), "--timeout-ms", "60000")
    return tool(context, tools.CONSOLE_CONSUMER, "--topic", topic, *limits, *arguments).splitlines()


def create(context: Context, topic: str, *arguments: str) -> None:
    tool(context, tools.TOPICS, "--create", "--topic", topic, "--replication-factor", "1", *arguments)


def filled(context: Context, count: int, suffix: str = "") -> str:
    """A topic of numbers."""
    topic = context.topic(suffix)
    create(context, topic)
    produce(context, topic, [str(number) for number in range(count)])
    return topic


def parsing(*properties: str) -> list[str]:
    return [part for each in properties for part in ("--reader-property", each)]


def offsets_of(context: Context, group: str) -> dict[tuple[str, int], tuple[str, str, str]]:
    """(topic, partition) → current offset, log end offset, lag, as the group tool shows them."""
    rows = tool(context, tools.CONSUMER_GROUPS, "--describe", "--group", group).splitlines()
    cells = [row.split() for row in rows if row.startswith(f"{group} ")]
    return {(row[1], int(row[2])): (row[3], row[4], row[5]) for row in cells}


class Speaker:
    """A verifiable client in a process of its own: it says in JSON what it does."""

    def __init__(self, context: Context, main_class: str, *arguments: str) -> None:
        command = tools.command(main_class, "--bootstrap-server", context.bootstrap, *arguments)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._said: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def said(self, name: str) -> list[dict[str, Any]]:
        """All events of a name so far."""
        return [event for event in list(self._said) if event["name"] == name]

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions that a consumer has by what it said."""
        owned: set[int] = set()
        for event in list(self._said):
            if event["name"] in ("partitions_assigned", "partitions_revoked"):
                named = {each["partition"] for each in event["partitions"]}
                owned = owned | named if event["name"] == "partitions_assigned" else owned - named
        return frozenset(owned)

    def end(self, timeout_s: float = 60.0) -> None:
        """SIGTERM: it closes its client, and says a last word."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout_s)
        self._reader.join(timeout_s)
        check(self.said("shutdown_complete"), "a verifiable client did not end well")

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{") and line.endswith("}\n"):  # Else cut by a kill.
                self._said.append(json.loads(line))
