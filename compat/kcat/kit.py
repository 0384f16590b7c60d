"""kcat as functions: produce, consume, a member of a group."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from compat import wire
from compat.harness import Context, check, eventually

# Between key and value, and between the fields that we ask kcat to print.
TAB = "\t"


@dataclass(frozen=True)
class Line:
    """One message as kcat prints it."""

    partition: int
    offset: int
    timestamp_ms: int
    headers: str
    key: str | None
    value: str | None


FORMAT = TAB.join(("%p", "%o", "%T", "%h", "%K", "%k", "%S", "%s")) + "\n"


def create_topic(context: Context, topic: str, partitions: int, configs: dict[str, str] | None = None) -> str:
    """kcat creates no topics but by producing, so this is by hand."""
    host, port = context.bootstrap.rsplit(":", 1)
    with wire.connect(host, int(port), 30.0) as connection:
        answer = wire.request(connection, wire.create_topic_request(topic, partitions, configs))
    code = wire.topic_error(answer)
    check(code == 0, f"creating {topic} gave error {code}")

    def led() -> bool:
        return run(context, "-L", "-t", topic).stdout.count("leader 1") == partitions

    eventually(led, f"{topic} has leaders")
    return topic


def run(
    context: Context, *arguments: str, text: str = "", timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """kcat to its end."""
    return subprocess.run(
        ["kcat", "-b", context.bootstrap, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def produce(context: Context, topic: str, lines: Iterable[str], *options: str) -> None:
    """Each line a message; fails when kcat says that one was not delivered."""
    done = run(context, "-P", "-t", topic, *options, text="".join(f"{line}\n" for line in lines))
    check(
        done.returncode == 0 and "failed" not in done.stderr,
        f"kcat -P: {done.returncode}: {done.stderr.strip()}",
    )


def refused(context: Context, topic: str, text: str, *options: str) -> str:
    """What kcat says about messages that must not be delivered."""
    done = run(context, "-P", "-t", topic, *options, text=text)
    check(done.returncode != 0 or "failed" in done.stderr, "the messages were taken")
    return done.stderr.strip()


def consume(context: Context, topic: str, *options: str) -> list[Line]:
    """All there is from `-o` (the beginning unless given) to the end."""
    where = () if "-o" in options else ("-o", "beginning")
    done = run(context, "-C", "-t", topic, "-e", "-q", "-f", FORMAT, *where, *options)
    check(done.returncode == 0, f"kcat -C: {done.returncode}: {done.stderr.strip()}")
    return parsed(done.stdout)


def parsed(text: str) -> list[Line]:
    """Lines in `FORMAT`."""
    found = []
    for line in text.split("\n")[:-1]:
        partition, offset, timestamp_ms, headers, key_length, key, value_length, value = line.split(TAB, 7)
        found.append(
            Line(
                int(partition),
                int(offset),
                int(timestamp_ms),
                headers,
                None if key_length == "-1" else key,
                None if value_length == "-1" else value,
            )
        )
    return found


class Member:
    """One `kcat -G`: what it reads goes to a file, what it owns is told by its log."""

    def __init__(self, context: Context, name: str, group: str, topic: str, *options: str) -> None:
        self.output = context.scratch / f"{name}.out"
        self._log = context.scratch / f"{name}.log"
        self._topic = topic
        settings = (
            "auto.offset.reset=earliest",
            "session.timeout.ms=6000",
            "heartbeat.interval.ms=500",
            *options,
        )
        command = ["kcat", "-b", context.bootstrap, "-G", group, "-E", "-u", "-f", FORMAT]
        command += [part for setting in settings for part in ("-X", setting)]
        with self.output.open("wb") as output, self._log.open("wb") as log:
            self._process = subprocess.Popen([*command, topic], stdout=output, stderr=log)

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions of the last assignment it spoke of."""
        owned: set[int] = set()
        for line in self.said.splitlines():
            if "rebalanced" in line:
                named = {int(number) for number in re.findall(r" \[(\d+)\]", line)}
                owned = owned - named if "revoke" in line else owned | named
        return frozenset(owned)

    @property
    def said(self) -> str:
        """Its log."""
        return self._log.read_text()

    def lines(self) -> list[Line]:
        """What it has read so far."""
        text = self.output.read_text(encoding="utf-8")
        return parsed(text[: text.rfind("\n") + 1])

    def leave(self) -> None:
        """SIGTERM: kcat leaves its group and ends."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()


def settled(members: Sequence[Member], partitions: int, timeout_s: float = 30.0) -> None:
    """Wait until the members share all partitions evenly, each owned once."""

    def even() -> bool:
        shares = [member.assigned for member in members]
        owned = sorted(partition for share in shares for partition in share)
        sizes = [len(share) for share in shares]
        return owned == list(range(partitions)) and max(sizes) - min(sizes) <= 1

    eventually(even, f"{len(members)} members share {partitions} partitions evenly", timeout_s)


class Pipe:
    """A `kcat -P` that is fed while other things happen."""

    def __init__(self, context: Context, topic: str, *options: str) -> None:
        self._log = context.scratch / "pipe.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["kcat", "-b", context.bootstrap, "-P", "-t", topic, "-E", *options],
                stdin=subprocess.PIPE,
                stderr=log,
            )

    def feed(self, file: Path, gate: threading.Event | None = None) -> threading.Thread:
        """Pour a file into it from a thread, like a shell's pipe; its second half once the gate is open."""

        def pour() -> None:
            assert self._process.stdin is not None
            with file.open("rb") as source, self._process.stdin as target:
                while data := source.read(64 * 1024):
                    target.write(data)
                    if gate is not None and source.tell() > file.stat().st_size // 2:
                        gate.wait()

        thread = threading.Thread(target=pour, daemon=True)
        thread.start()
        return thread

    def end(self, timeout_s: float = 60.0) -> None:
        """Wait until it has delivered everything."""
        code = self._process.wait(timeout_s)
        log = self._log.read_text()
        check(code == 0 and "Delivery failed" not in log, f"kcat -P ended with {code}: {log[-500:]}")

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        self._process.kill()
        self._process.wait()
