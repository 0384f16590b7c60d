"""A short life of a broker whose disk fails once, and what must be left of it.

Whatever an operation was answered is believed: an error means that nothing is
promised, and after a refusal (a full disk) that nothing has happened.
"""

from __future__ import annotations

import errno
from random import Random

from kbroker.log.directory import LogDirectoryError
from kbroker.protocol import errors
from kbroker.records.batch import build_batch
from kbroker.records.record import Record
from tests.disk.broker import LATEST, DiskBroker
from tests.disk.script import SETTINGS
from tests.handlers.support import DeferringDisk, FakeClock

TOPIC = "t"
PARTITIONS = 2
CONFIGS = {"internal.segment.bytes": "500", "index.interval.bytes": "100", "retention.bytes": "-1"}
# One fault needs no more to show: what comes behind it is always the same.
ROUNDS = 9


class FaultyLife:
    """One life in which the `at`-th read or write fails with `code`; 0: none does."""

    def __init__(self, code: int, at: int, *, reads: bool = False) -> None:
        self.clock = FakeClock()
        self.disk = DeferringDisk()
        self.calls = 0
        self.failed: tuple[str, str] | None = None
        self.broker: DiskBroker | None = None
        self._code = code
        self._at = at
        # Partition → values in the order of sending; those answered with their offset, those refused.
        self._sent: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self._acknowledged: list[dict[bytes, int]] = [{} for _ in range(PARTITIONS)]
        self._refused: set[bytes] = set()
        self._commits = {-1}
        self._created: set[str] = set()
        if reads:
            self.disk.on_read = lambda path: self._count("read", path)
        else:
            self.disk.on_write = self._count

    def _count(self, operation: str, path: str) -> None:
        self.calls += 1
        if self.calls == self._at:
            self.failed = (operation, path)
            raise OSError(self._code, "planted", path)

    @property
    def is_refusal(self) -> bool:
        """A full disk, told at once; told by an fsync it is a failure like any other."""
        return self._code == errno.ENOSPC and (self.failed is None or self.failed[0] != "sync")

    # --- the life

    def run(self) -> None:
        try:
            self.broker = DiskBroker(self.disk, self.clock, SETTINGS, topics=())
        except LogDirectoryError:
            assert self.failed is not None
            return
        self._create("__consumer_offsets", 1)
        self._create(TOPIC, PARTITIONS)
        for number in range(ROUNDS):
            self._produce(number % PARTITIONS, b"%d " % number * 20)
            self._produce(0, b"%d, large " % number * 15)
            self._commit(number)
            if number % 3 == 1:
                self._create(f"t{number}", 1)
                self.broker.delete_records(TOPIC, 0, 0)
                self.broker.new_producer()
                self.broker.pass_time(61_000)
            self._read()
        self.check_going_on()
        self.broker.stop()
        assert self.broker.defects == []

    def _create(self, name: str, partitions: int) -> None:
        assert self.broker is not None
        if self.broker.create_topic(name, partitions, CONFIGS) == errors.NONE:
            self._created.add(name)

    def _produce(self, partition: int, value: bytes) -> int | None:
        assert self.broker is not None
        batch = build_batch([Record(0, 0, None, value)], base_timestamp=self.clock.now_ms)
        self._sent[partition].append(value)
        answer = self.broker.produce(TOPIC, partition, bytes(batch))
        if answer is not None and answer.error == errors.NONE:
            assert value not in self._acknowledged[partition]
            self._acknowledged[partition][value] = answer.offset
        elif answer is not None and self.is_refusal:
            self._refused.add(value)
        return None if answer is None else answer.error

    def _commit(self, offset: int) -> None:
        assert self.broker is not None
        code = self.broker.commit(TOPIC, 0, offset)
        before = self._commits
        self._commits = {offset} if code == errors.NONE else before | {offset}
        found = self.broker.committed(TOPIC, 0)
        # Nobody is shown an offset that may yet be lost.
        if found is not None and found.error == errors.NONE:
            assert found.offset in ({offset} if code == errors.NONE else before)

    def _read(self) -> None:
        """What is served is right, or it is an error."""
        assert self.broker is not None
        for partition in range(PARTITIONS):
            for value, offset in self._acknowledged[partition].items():
                read = self.broker.fetch(TOPIC, partition, offset, 1)
                if read.error == errors.NONE:
                    assert read.records[0][:2] == (offset, value)
                else:
                    assert read.error in (
                        errors.KAFKA_STORAGE_ERROR,
                        errors.UNKNOWN_TOPIC_OR_PARTITION,
                        errors.UNKNOWN_TOPIC_ID,
                    )

    def check_going_on(self) -> None:
        """A refusal passes; a failed fsync ends the directory; in between the broker may choose."""
        assert self.broker is not None
        self.broker.pass_time(2_000)
        offline = self.broker.directory.offline_because is not None
        if self.failed is None:
            return  # It comes only with the stop, if at all.
        if self.failed == ("sync", "/"):
            # Not ours to sync; it may fail.
            assert not offline
        elif self.is_refusal:
            assert not offline
            if TOPIC in self.broker.topics:
                self._create("at-last", 1)
                assert self.broker.create_topic("space", 1, {}) == errors.NONE
                assert self.broker.new_producer() is not None
        elif self._code == errno.EIO and self.failed[0] == "sync":
            assert offline, self.failed
        if offline:
            assert self._produce(0, b"too late") != errors.NONE

    # --- what is left

    def check_left(self, random: Random | None) -> None:
        """Start again; with `random` after a power loss, else after the process has ended."""
        self.disk.on_write = self.disk.on_read = None
        self.disk.offloaded.clear()
        if random is None:
            self.disk.kill()
        else:
            self.disk.crash(random)
        broker = DiskBroker(self.disk, self.clock, SETTINGS, "again")
        assert self._created <= {*broker.topics, "__consumer_offsets"}
        if TOPIC not in broker.topics:
            return
        for partition in range(PARTITIONS):
            self._check_partition(broker, partition)
        answer = broker.committed(TOPIC, 0)
        assert answer is not None
        assert answer.error == errors.NONE
        assert answer.offset in self._commits
        assert broker.defects == []

    def _check_partition(self, broker: DiskBroker, partition: int) -> None:
        end = broker.list_offset(TOPIC, partition, LATEST).offset
        found: list[bytes] = []
        while len(found) < end:
            read = broker.fetch(TOPIC, partition, len(found))
            assert read.error == errors.NONE
            assert read.records
            found += [value for _, value, _ in read.records]
        assert len(set(found)) == len(found)
        for value, offset in self._acknowledged[partition].items():
            assert found[offset] == value
        assert not self._refused & set(found)
        order = [self._sent[partition].index(value) for value in found]
        assert order == sorted(order)
