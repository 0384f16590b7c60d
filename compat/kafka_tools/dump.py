"""Every file of the data directories, read by kafka-dump-log.

The brokers are stopped, so that their indexes are cut to size. Each batch must
be valid, each index sane and in agreement with its log, the offsets and the
metadata must decode; and no file may be there that Apache Kafka would not
have written.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from compat.harness import Context, Failed, check
from compat.kafka import tools

# What a partition's directory may hold, and what stands beside the partitions.
SEGMENT_FILE: Final = re.compile(r"\d{20}\.(log|index|timeindex|txnindex|snapshot)")
METADATA_SNAPSHOT: Final = re.compile(r"\d{20}-\d{10}\.checkpoint")
BESIDE_SEGMENTS: Final = {"leader-epoch-checkpoint", "partition.metadata", "quorum-state"}
BESIDE_PARTITIONS: Final = {
    "meta.properties",
    "bootstrap.checkpoint",
    ".lock",
    ".kafka_cleanshutdown",
    "cleaner-offset-checkpoint",
    "log-start-offset-checkpoint",
    "recovery-point-offset-checkpoint",
    "replication-offset-checkpoint",
}


def dump_log(context: Context) -> None:
    directories = context.broker("data").split("\t")
    context.broker("stop")
    try:
        for directory in map(Path, directories):
            check_directory(directory)
    finally:
        context.broker("start")


def check_directory(directory: Path) -> None:
    """A directory whose broker has stopped."""
    _check_names(directory)
    _check_checkpoints(directory)
    files = _files_by_kind(directory)
    _check_logs(files["log"])
    _check_indexes(files)
    _check_offsets(files["offsets"])
    _check_metadata(files["metadata"])
    _run(files["snapshot"])


def _check_names(directory: Path) -> None:
    strange = [
        str(file.relative_to(directory))
        for file in directory.rglob("*")
        if file.is_file() and not _is_known(file, directory)
    ]
    check(not strange, f"files that Apache Kafka does not know: {', '.join(strange)}")


def _is_known(file: Path, directory: Path) -> bool:
    if file.parent == directory:
        return file.name in BESIDE_PARTITIONS
    if METADATA_SNAPSHOT.fullmatch(file.name):
        return file.parent.name == "__cluster_metadata-0"
    # A segment that retention has just cut off waits under this name for a minute.
    name = file.name.removesuffix(".deleted")
    return name in BESIDE_SEGMENTS or SEGMENT_FILE.fullmatch(name) is not None


def _check_checkpoints(directory: Path) -> None:
    """The text checkpoints, which the tool does not read: version 0, a count, so many lines."""
    found = [*directory.glob("*-offset-checkpoint"), *directory.rglob("leader-epoch-checkpoint")]
    check(len(found) > 1, "no checkpoints")
    for file in found:
        # Apache Kafka leaves the epochs of a log without records empty.
        version, count, *entries = file.read_text(encoding="utf-8").splitlines() or ["0", "0"]
        check(
            version == "0" and int(count) == len(entries),
            f"{file.relative_to(directory)} is not a checkpoint",
        )
        fields = 2 if file.name == "leader-epoch-checkpoint" else 3
        check(
            all(len(entry.split(" ")) == fields for entry in entries),
            f"{file.relative_to(directory)}: bad entries",
        )


def _files_by_kind(directory: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(directory.rglob("*")):
        if file.parent.name.endswith("-delete"):
            continue  # On its way out; nobody cuts its indexes to size any more.
        kind = file.suffix.removeprefix(".")
        if not SEGMENT_FILE.fullmatch(file.name) and kind != "checkpoint":
            continue
        if file.parent.name == "__cluster_metadata-0" or kind == "checkpoint":
            if kind in ("log", "checkpoint"):
                files["metadata"].append(file)
        elif file.parent.name.startswith("__consumer_offsets-") and kind == "log":
            files["offsets"].append(file)
        if file.stat().st_size:
            files[kind].append(file)
    return files


def _check_logs(logs: list[Path]) -> None:
    batches = 0
    for line in _run(logs):
        if line.startswith("baseOffset: "):
            check(line.endswith("isvalid: true"), f"a batch that is not valid: {line}")
            batches += 1
    check(batches, "no batches at all")


def _check_indexes(files: dict[str, list[Path]]) -> None:
    indexes = [file for kind in ("index", "timeindex", "txnindex") for file in files[kind]]
    check(indexes, "no index has an entry: nothing was checked")
    _run(indexes, "--verify-index-only")
    sane = [line for line in _run(indexes, "--index-sanity-check") if line.endswith("passed sanity check.")]
    expected = [file for file in indexes if file.suffix != ".txnindex"]
    check(len(sane) >= len(expected), f"{len(sane)} of {len(expected)} indexes passed the sanity check")


def _check_offsets(logs: list[Path]) -> None:
    """`__consumer_offsets`: every record decodes, and both kinds are there."""
    kinds = set()
    for line in _run([log for log in logs if log.stat().st_size], "--offsets-decoder"):
        if line.startswith("| offset: ") and " endTxnMarker: " not in line:
            match = re.search(r" key: (\{.*\}) payload: (\{.*\}|<DELETE>)$", line)
            if match is None:
                raise Failed(f"an offsets record that does not decode: {line}")
            kinds.add(json.loads(match[1])["type"])
    check({"1", "2"} <= kinds, f"kinds of offsets records: {sorted(kinds)}")


def _check_metadata(files: list[Path]) -> None:
    """`__cluster_metadata`: every record decodes, and what a start must leave is there."""
    kinds = set()
    for line in _run(files, "--cluster-metadata-decoder"):
        if line.startswith("| offset: "):
            match = re.search(r" payload: (\{.*\})$", line)
            control = re.search(
                r" (LeaderChange|SnapshotHeader|SnapshotFooter|KRaftVersion|KRaftVoters):? ?\{", line
            )
            if match is None and control is None:
                raise Failed(f"a metadata record that does not decode: {line}")
            kinds.add(json.loads(match[1])["type"] if match else control[1] if control else "")
    for kind in (
        "LeaderChange",
        "FEATURE_LEVEL_RECORD",
        "REGISTER_BROKER_RECORD",
        "TOPIC_RECORD",
        "PARTITION_RECORD",
    ):
        check(kind in kinds, f"no {kind} among the metadata records")


def _run(files: Iterable[Path], *options: str) -> list[str]:
    """The tool's lines over some files; whatever it says on standard error is a complaint."""
    names = ",".join(map(str, files))
    if not names:
        return []
    printed, complaints = tools.run_both(tools.DUMP_LOG, *options, "--files", names, timeout_s=240)
    check(not complaints.strip(), complaints.strip()[:1000])
    return printed.splitlines()
