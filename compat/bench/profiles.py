"""Where a broker's processor time goes under a load, told in the same words for each kind of broker.

`perf record` watches the processors: to watch the threads of a process costs most whom they change often.
A sample of the broker's processes counts for the call into the kernel that its stack comes from; without
one, for what the process does itself.
"""

import json
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from compat import artifact
from compat.bench.generator import Result
from compat.bench.report import FILE, REFERENCE, TITLES, figure, keep

PROFILES_FILE: Final = FILE.with_name("profiles.json")

_HZ: Final = 999
_PATIENCE_S: Final = 60.0

OWN: Final = "own code"
CHECKSUM: Final = "checksum"
INTERRUPTS: Final = "interrupts"
# What each of them is written in.
_LANGUAGES: Final = {"kbroker": "Python", "kafka": "Java", "kfake": "Go"}
# Parts that take less than this are told together.
_WORTH_TELLING: Final = 0.02

_FRAME: Final = re.compile(r"\s+([0-9a-f]+) (\S+).* \((.*)\)$")
_KERNEL: Final = 1 << 63
_SYSTEM_CALL: Final = re.compile(r"(?:__[a-z0-9]+_sys|ksys)_(\w+)")
# A file and a socket are written to by the same calls: what stands deeper in the stack tells them apart.
# `sendfile` sends, too.
_BY_FUNCTION: Final = (
    ("do_sendfile", "sendfile"),
    ("tcp_sendmsg", "send"),
    ("tcp_recvmsg", "recv"),
)
_BY_CALL: Final = {
    "sendto": "send",
    "sendmsg": "send",
    "recvfrom": "recv",
    "recvmsg": "recv",
    "pwritev": "write",
    "pwritev2": "write",
    "pwrite64": "write",
    "writev": "write",
    "epoll_wait": "epoll",
    "epoll_pwait": "epoll",
    "epoll_ctl": "epoll",
}


class NothingSeen(Exception):
    """perf can not watch, or not say what it saw."""


def missing() -> str | None:
    """Why there can be no profile here."""
    return artifact.missing_tool("perf")


@dataclass
class Spent:
    """What one kind of broker, and the client, spent on so many answers; and the samples of each part."""

    answers: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    client_cpu_s: float = 0.0
    parts: dict[str, int] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        self.answers += result.answers
        self.seconds += result.seconds
        self.cpu_s += result.cpu_s
        self.client_cpu_s += result.client_cpu_s

    def see(self, parts: Mapping[str, int]) -> None:
        self.parts = dict(Counter(self.parts) + Counter(parts))

    def cores(self) -> float:
        return self.cpu_s / self.seconds

    def client_cores(self) -> float:
        return self.client_cpu_s / self.seconds

    def us_each(self) -> float:
        return self.cpu_s * 1e6 / self.answers

    def of_these(self, kind: str) -> str:
        """The parts of an answer's µs, the largest first."""
        samples = sum(self.parts.values())
        told, little = [], 0.0
        for part, count in sorted(self.parts.items(), key=lambda item: -item[1]):
            share = count / samples
            if share < _WORTH_TELLING:
                little += share
                continue
            name = _LANGUAGES[kind] if part == OWN else part
            told.append(f"{name} {figure(share * self.us_each())}")
        return ", ".join([*told, f"others {figure(little * self.us_each())}"] if little else told)


@dataclass
class Profile:
    """One load on each kind of broker."""

    what: str
    # The rate that is wanted, as a ratio to Apache Kafka's.
    wanted: float | None = None
    spent: dict[str, Spent] = field(default_factory=dict)

    @contextmanager
    def watched(self, kind: str, pids: Sequence[int], folder: Path) -> Iterator[None]:
        """What the processes do meanwhile is added; NothingSeen when perf fails."""
        with recorded(folder / "perf.data"):
            yield
        self.of(kind).see(parts(script(folder / "perf.data", pids)))

    def of(self, kind: str) -> Spent:
        return self.spent.setdefault(kind, Spent())

    def may_take_us(self) -> float | None:
        """What an answer of kbroker may take on the cores it had, for the rate that is wanted."""
        own, other = self.spent.get("kbroker"), self.spent.get(REFERENCE)
        if self.wanted is None or own is None or other is None:
            return None
        return other.us_each() * own.cores() / other.cores() / self.wanted


@contextmanager
def recorded(file: Path) -> Iterator[None]:
    """Samples of all processors, with their stacks, in the file."""
    command = ["perf", "record", "-a", "-g", "-F", str(_HZ), "-o", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as perf:
        try:
            yield
        finally:
            perf.send_signal(signal.SIGINT)
            _, told = perf.communicate(timeout=_PATIENCE_S)
    if not file.exists():
        raise NothingSeen(told.strip())


def script(file: Path, pids: Sequence[int]) -> list[str]:
    """The samples of these processes, stack by stack."""
    of_these = ",".join(map(str, pids))
    command = ["perf", "script", "--no-inline", "-F", "ip,sym,dso", "--pid", of_these, "-i", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE_S)
    if done.returncode != 0:
        raise NothingSeen(done.stderr.strip())
    return done.stdout.splitlines()


def parts(lines: Iterable[str]) -> dict[str, int]:
    """How many samples each part has; NothingSeen when there is no call into the kernel among them."""
    found: Counter[str] = Counter()
    stack: list[tuple[int, str, str]] = []
    for line in [*lines, ""]:
        if frame := _FRAME.match(line):
            stack.append((int(frame[1], 16), frame[2], frame[3]))
        elif stack:
            found[_part(stack)] += 1
            stack = []
    if not found.keys() - {OWN, CHECKSUM, INTERRUPTS}:
        raise NothingSeen(f"no call into the kernel in {found.total()} samples")
    return dict(found)


def _part(stack: Sequence[tuple[int, str, str]]) -> str:
    """Of a stack, the innermost frame first: address, function, file."""
    address, _, file = stack[0]
    if address < _KERNEL:
        return CHECKSUM if "crc32c" in file else OWN
    functions = [function for address, function, _ in stack if address >= _KERNEL]
    for function, part in _BY_FUNCTION:
        if function in functions:
            return part
    for function in functions:
        if call := _SYSTEM_CALL.match(function):
            return _BY_CALL.get(call[1], call[1])
    return "page faults" if any("page_fault" in function for function in functions) else INTERRUPTS


def table(profiles: Sequence[Profile]) -> str:
    """Markdown: a line for each kind of broker under each load."""
    lines = ["| | | cores | client's | µs each | wanted | of these |", "|---|---|---:|---:|---:|---:|---|"]
    for profile in profiles:
        what = profile.what
        for kind, spent in profile.spent.items():
            cores = f"{spent.cores():.2f} | {spent.client_cores():.2f}"
            may_take_us = profile.may_take_us() if kind == "kbroker" else None
            wanted = "" if may_take_us is None else f"≤ {figure(may_take_us)}"
            each = f"{figure(spent.us_each())} | {wanted} | {spent.of_these(kind)}"
            lines.append(f"| {what} | {TITLES[kind]} | {cores} | {each} |")
            what = ""
    return "\n".join(lines) + "\n"


def save(profiles: Sequence[Profile], command: str, file: Path = PROFILES_FILE) -> None:
    """Put these in the place of their former selves."""
    kept = {profile.what: profile for profile in [*load(file), *profiles]}
    keep({"profiles": [asdict(profile) for profile in kept.values()]}, command, file)


def load(file: Path = PROFILES_FILE) -> list[Profile]:
    """Those of the last runs."""
    if not file.exists():
        return []
    return [
        Profile(kept["what"], kept["wanted"], {kind: Spent(**spent) for kind, spent in kept["spent"].items()})
        for kept in json.loads(file.read_text(encoding="utf-8"))["profiles"]
    ]


def readme(only: Collection[str], file: Path = PROFILES_FILE) -> str:
    """By what they were made, and a table of some."""
    if not file.exists():
        return "Not seen yet: `python -m compat.bench --profile` prints it."
    kept = json.loads(file.read_text(encoding="utf-8"))
    head = f"Seen {kept['date']}, last by `{kept['command']}`: {kept['machine']}."
    found = [profile for profile in load(file) if profile.what in only]
    return f"{head}\n\n{table(found)}".rstrip()
