"""A flipped bit anywhere in a broker's directory (D3).

It starts, or says in one sentence why not, where Apache Kafka refuses as well:
an identity that is another one, an election state or metadata that can't be
believed. Whatever is served is what was written, with a good checksum.

Where a batch begins is outside of its checksum, in Kafka's format: with that
flipped, good records may be served with other offsets.
"""

from __future__ import annotations

from functools import cache
from random import Random

import pytest

from kbroker.log.checkpoints import decode_properties
from kbroker.log.directory import LogDirectoryError
from kbroker.protocol import errors
from kbroker.protocol.primitives import uuid_from_text
from kbroker.records.batch import build_batch
from kbroker.records.record import Record
from tests.disk.broker import EARLIEST, LATEST, DiskBroker
from tests.disk.script import SETTINGS, Model, Script
from tests.handlers.support import DeferringDisk, FakeClock

FLIPS = 500
# A moved batch can make a log seem endless.
_MOST_OFFSETS = 100
# What no broker can make up for. The last two only while they hold what nothing else holds.
MAY_REFUSE = ("meta.properties", "quorum-state", "bootstrap.checkpoint", "__cluster_metadata-0")


@cache
def lived_in(seed: int, clean: bool) -> Script:
    """A broker's directory after a life, and what was promised."""
    script = Script(seed, 120, lambda: None)
    script.run()
    if not clean:
        script.disk.remove("/data/.kafka_cleanshutdown")
    script.disk.kill()
    return script


def flip_bits(flips: int, *, clean: bool, seed: int) -> tuple[int, int]:
    """How many were flipped, and how many of them kept the broker from starting."""
    script = lived_in(seed, clean)
    random = Random(f"{seed} {clean}")
    paths = [path for path in script.disk.files() if script.disk.size(path)]
    refused = 0
    for _ in range(flips):
        # Each file is as likely as another, whatever its size.
        path = random.choice(paths)
        position = random.randrange(script.disk.size(path))
        bit = 1 << random.randrange(8)
        try:
            refused += not starts_and_serves(script, path, position, bit)
        except BaseException:
            print(f"bit {bit} of byte {position} of {path}, clean={clean}, seed {seed}")
            raise
    return flips, refused


def starts_and_serves(script: Script, path: str, position: int, bit: int) -> bool:
    disk = script.disk.copy()
    disk.corrupt(path, position, bit)
    clock = FakeClock()
    clock.now_ms = script.clock.now_ms
    try:
        broker = DiskBroker(disk, clock, SETTINGS, "flipped")
    except LogDirectoryError as error:
        if not any(name in path for name in MAY_REFUSE) or "\n" in str(error):
            raise
        return False
    moved = path.endswith(".log") and is_base_offset(script.disk.read_bytes(path), position)
    is_stranger = identity(disk) != identity(script.disk)
    check_served(broker, script.model, moved=moved, is_stranger=is_stranger)
    broker.stop()
    assert broker.defects == []
    return True


def identity(disk: DeferringDisk) -> bytes:
    return uuid_from_text(decode_properties(disk.read_bytes("/data/meta.properties"))["directory.id"])


def is_base_offset(data: bytes, position: int) -> bool:
    """Whether the first offset of a batch stands there."""
    start = 0
    while start <= position:
        if position < start + 8:
            return True
        start += 12 + int.from_bytes(data[start + 8 : start + 12], "big")
    return False


def check_served(broker: DiskBroker, model: Model, *, moved: bool = False, is_stranger: bool = False) -> None:
    for name, id_ in broker.topics.items():
        topic = model.topics.get(name)
        if topic is None or topic.id != id_:
            # A flip in the metadata log that an unclean start cuts away: an older state of affairs.
            continue
        for index, partition in enumerate(topic.partitions):
            # A directory of another name may not be the one that a partition was assigned to.
            if is_stranger and broker.list_offset(name, index, LATEST).error == errors.NOT_LEADER_OR_FOLLOWER:
                continue
            start = broker.list_offset(name, index, EARLIEST).offset
            end = broker.list_offset(name, index, LATEST).offset
            for offset in range(start, min(end, start + _MOST_OFFSETS)):
                read = broker.fetch(name, index, offset, 400)
                assert read.error in (errors.NONE, errors.CORRUPT_MESSAGE)
                for at, value, sent_ms in read.records:
                    assert (value, sent_ms) in (
                        partition.records if moved else partition.records[at : at + 1]
                    )
            data = bytes(build_batch([Record(0, 0, None, b"after")], base_timestamp=broker.clock.now_ms))
            assert broker.produce(name, index, data) == (errors.NONE, end)
            assert broker.fetch(name, index, end).records[0][:2] == (end, b"after")


@pytest.mark.parametrize("clean", [True, False])
def test_a_flipped_bit_is_never_served_and_hardly_ever_stops_a_start(clean: bool) -> None:
    flipped, refused = flip_bits(FLIPS, clean=clean, seed=3)
    assert refused < flipped / 5


def test_undamaged_it_starts() -> None:
    script = lived_in(3, True)
    disk: DeferringDisk = script.disk.copy()
    broker = DiskBroker(disk, script.clock, SETTINGS, "as it was")
    assert broker.topics.keys() == script.model.topics.keys()
    check_served(broker, script.model)
