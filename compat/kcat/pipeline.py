"""The main job on real input: a large file through kcat, a kill -9, a group of three.

The file is the text of this Python's own library, a JSON object a line, keyed
by the file it comes from. It is piped into `kcat -P`; the broker is killed in
the middle and started again; three `kcat -G` read. What they read must be the
file: every line, once in the log, in the order of its file.
"""

import json
import sysconfig
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from compat.harness import Context, check, equal, eventually
from compat.kcat.kit import Line, Member, Pipe, create_topic, settled

SIZE_BYTES: Final = 32 * 1024 * 1024
PARTITIONS: Final = 6


def kcat_pipeline(context: Context) -> None:
    file = context.scratch / "library.jsonl"
    lines = _write(file)
    # Small segments, so that several are rolled and recovered.
    topic = create_topic(context, context.topic(), PARTITIONS, {"segment.bytes": "2097152"})
    reconnect = "reconnect.backoff.max.ms=200"
    members = [Member(context, name, context.group(), topic, reconnect) for name in "abc"]
    options = ("-X", "enable.idempotence=true", "-X", reconnect, "-X", "queue.buffering.max.kbytes=4096")
    pipe = Pipe(context, topic, "-K", "\t", *options)
    try:
        settled(members, PARTITIONS)
        gate = threading.Event()
        feeding = pipe.feed(file, gate)
        eventually(lambda: _size(members) > file.stat().st_size // 3, "a third is read", 120)
        gate.set()
        # From now on kcat sends as fast as it can, and into this the broker dies.
        context.broker("kill")
        context.broker("start")
        feeding.join(200)
        pipe.end()
        eventually(lambda: len(_distinct(members)) >= lines, f"all {lines} lines are read", 120)
        _compare(file, _distinct(members))
    finally:
        pipe.kill()
        for member in members:
            member.kill()


def _write(file: Path) -> int:
    """The library as lines of `path TAB json`; how many."""
    count = 0
    with file.open("w", encoding="utf-8") as out:
        for path, text in _sources():
            for number, line in enumerate(text.splitlines(), 1):
                out.write(f"{path}\t{json.dumps({'line': number, 'text': line}, ensure_ascii=False)}\n")
                count += 1
            if out.tell() > SIZE_BYTES:
                break
    return count


def _sources() -> Iterator[tuple[str, str]]:
    paths = sysconfig.get_paths()
    for folder in (Path(paths["stdlib"]), Path(paths["purelib"])):
        for file in sorted(folder.rglob("*.py")):
            yield str(file.relative_to(folder)), file.read_text(encoding="utf-8", errors="replace")


def _size(members: list[Member]) -> int:
    return sum(member.output.stat().st_size for member in members)


def _distinct(members: list[Member]) -> dict[tuple[int, int], Line]:
    """What was read, by place. A member may read again what it could not commit, but never something else."""
    found: dict[tuple[int, int], Line] = {}
    for member in members:
        for line in member.lines():
            check(
                found.setdefault((line.partition, line.offset), line) == line,
                f"two different messages at offset {line.offset} of partition {line.partition}",
            )
    return found


def _compare(file: Path, found: dict[tuple[int, int], Line]) -> None:
    sent: dict[str, list[str]] = defaultdict(list)
    with file.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            key, value = line.rstrip("\n").split("\t", 1)
            sent[key].append(value)
    read: dict[str, list[str]] = defaultdict(list)
    for place in sorted(found):
        read[found[place].key or ""].append(found[place].value or "")
    equal(len(found), sum(map(len, sent.values())), "messages in the log")
    equal(set(read), set(sent), "files")
    for key in sent:
        check(read[key] == sent[key], f"{key} did not come back identical")
