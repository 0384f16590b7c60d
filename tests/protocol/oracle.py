"""Holds the codecs against Apache Kafka's own Java classes.

    python -m tests.protocol.oracle            compare, and re-make the files below
    python -m tests.protocol.oracle --fuzz 20  compare that many more samples of each message and version

Both directions: Java reads our bytes, prints what it understood, and writes
them again; what it wrote must be ours, what it understood must be what we
decode from it. Needs Java and Maven; the files it makes are tested without.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from codegen.vendor import KAFKA_VERSION
from kbroker.protocol.messages import message_class
from tests.protocol.as_json import as_json, digest, from_java
from tests.protocol.samples import PROFILES, encode, messages, pairs, sample

HERE = Path(__file__).parent
GOLDEN = HERE / "golden.txt.gz"
DEFAULTS = HERE / "defaults.txt.gz"
ERRORS = HERE / "errors.txt"

Sample = tuple[str, int, bytes]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.protocol.oracle")
    parser.add_argument("--fuzz", type=int, metavar="N", help="samples of each message and version")
    count = parser.parse_args().fuzz
    classpath = _classpath()
    samples = list(_samples(range(count) if count else [0]))
    answers = _java(classpath, [], "".join(f"{n}\t{v}\t{data.hex()}\n" for n, v, data in samples))
    wrong = [complaint for s, a in zip(samples, answers, strict=True) if (complaint := _compare(s, a))]
    print(*wrong[:20], sep="\n")
    print(f"{len(samples)} samples, {len(wrong)} differ from Apache Kafka {KAFKA_VERSION}")
    if not wrong and count is None:
        lines = [_golden_line(s, a) for s, a in zip(samples, answers, strict=True)]
        GOLDEN.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
        defaults = "".join(f"{line}\n" for line in sorted(_java(classpath, ["defaults"], "")))
        DEFAULTS.write_bytes(gzip.compress(defaults.encode(), mtime=0))
        ERRORS.write_text("".join(f"{line}\n" for line in _java(classpath, ["errors"], "")))
    return 1 if wrong else 0


def _samples(seeds: range | list[int]) -> Iterator[Sample]:
    for name, version in pairs():
        for profile in PROFILES[:2]:
            for seed in seeds:
                yield name, version, encode(sample(name, version, profile, seed), version)


def _compare(given: Sample, answer: str) -> str | None:
    """What is wrong, if anything."""
    name, version, data = given
    read, *rest = answer.split("\t")
    if read == "error":
        return f"{name} v{version}: Java can't read it: {rest[0]}"
    if int(read) != len(data):
        return f"{name} v{version}: Java read {read} bytes of {len(data)}"
    if bytes.fromhex(rest[0]) != data:
        return f"{name} v{version}: Java wrote {rest[0]} for {data.hex()}"
    decoded, _ = message_class(name).read(memoryview(data), 0, version)
    ours, theirs = as_json(messages()[name], version, decoded), from_java(json.loads(rest[1]))
    return None if ours == theirs else f"{name} v{version}: Java understood {theirs}, we {ours}"


def _golden_line(given: Sample, answer: str) -> str:
    """Name, version, the bytes Java wrote, what it understood."""
    _, written, understood = answer.split("\t")
    return f"{given[0]} {given[1]} {written} {digest(from_java(json.loads(understood)))}\n"


def _classpath() -> str:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "classpath"
        command = ["mvn", "-B", "-q", "-f", str(HERE / "java" / "pom.xml"), "dependency:build-classpath"]
        settings = [f"-Dkafka.version={KAFKA_VERSION}", f"-Dmdep.outputFile={output}"]
        subprocess.run([*command, *settings], check=True, stdout=subprocess.DEVNULL)
        return output.read_text().strip()


def _java(classpath: str, arguments: list[str], given: str) -> list[str]:
    command = ["java", "-cp", classpath, str(HERE / "java" / "Oracle.java"), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.split("\n")[:-1]


if __name__ == "__main__":
    sys.exit(main())
