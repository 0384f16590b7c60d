"""Makes `consumer_offsets.log` and `told_by_kafka.txt` anew with Apache Kafka.

    python -m tests.coordinator.kafka.make

Needs Java and Maven, like `compat.kafka`. Not run by the tests, which read the
two files: a log of one partition that holds a group of every kind, left by a
broker that was killed, and what that broker had told of the groups before.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from compat.kafka import artifacts
from compat.kafka.server import Kafka

_HERE = Path(__file__).parent


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        broker = Kafka(Path(directory), {"offsets.topic.num.partitions": "1"})
        broker.start()
        class_path = artifacts.class_path()
        program = subprocess.Popen(
            ["java", "-cp", class_path, str(_HERE / "MakeConsumerOffsets.java"), broker.bootstrap],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert program.stdout is not None
        told = []
        for line in program.stdout:
            if line == "done\n":
                break
            told.append(line)
        # In this order: members that are gone would leave their groups.
        broker.kill()
        program.kill()
        program.wait()
        segment = broker.data_directory / "__consumer_offsets-0" / "00000000000000000000.log"
        (_HERE / "consumer_offsets.log").write_bytes(segment.read_bytes())
    (_HERE / "told_by_kafka.txt").write_text("".join(sorted(told)))


if __name__ == "__main__":
    main()
