"""Bugs that trusted brokers had, and those that this directory's tests found here.

R9 the clean-shutdown marker outlives its truth · R10 a leader-epoch checkpoint
torn by a rename that came before its bytes · R11 a cut tail beside an intact
index stops the start.
"""

from __future__ import annotations

from random import Random

import pytest

from kbroker.protocol import errors
from kbroker.records.batch import build_batch
from kbroker.records.record import Record
from tests.disk.broker import LATEST, DiskBroker
from tests.disk.script import SETTINGS
from tests.fakes.disk import PowerFailureError
from tests.handlers.support import DeferringDisk, FakeClock

MARKER = "/data/.kafka_cleanshutdown"
LOG = "/data/t-0"
CONFIGS = {"internal.segment.bytes": "600", "index.interval.bytes": "100"}


def one(value: bytes, at_ms: int = 1_700_000_000_000) -> bytes:
    return bytes(build_batch([Record(0, 0, None, value)], base_timestamp=at_ms))


def started(disk: DeferringDisk | None = None) -> DiskBroker:
    return DiskBroker(disk or DeferringDisk(), FakeClock(), SETTINGS)


def with_records(count: int = 12) -> DiskBroker:
    broker = started()
    assert broker.create_topic("t", 1, CONFIGS) == errors.NONE
    for number in range(count):
        assert broker.produce("t", 0, one(b"value %d " % number * 10)) == (errors.NONE, number)
    return broker


def test_r9_the_marker_stands_for_a_stopped_directory_only() -> None:
    broker = with_records()
    broker.stop()
    assert broker.disk.exists(MARKER)
    total = started(broker.disk.copy()).disk.writes
    for power_off_at in range(1, total + 1):
        disk = broker.disk.copy()
        disk.power_off_at = power_off_at
        with pytest.raises(PowerFailureError):
            started(disk)
        # Gone, or nothing but the lock was touched.
        assert not disk.exists(MARKER) or disk.writes <= 2
        disk.crash(Random(power_off_at))
        assert started(disk).list_offset("t", 0, LATEST) == (errors.NONE, 12)


def test_r9_recovery_that_is_interrupted_begins_again() -> None:
    broker = with_records()
    last = max(path for path in broker.disk.files() if path.startswith(LOG) and path.endswith(".log"))
    broker.disk.cut(last, broker.disk.size(last) - 3)
    broker.disk.kill()
    total = started(broker.disk.copy()).disk.writes
    for power_off_at in range(1, total + 1):
        disk = broker.disk.copy()
        disk.power_off_at = power_off_at
        with pytest.raises(PowerFailureError):
            started(disk)
        assert not disk.exists(MARKER)
        disk.crash(Random(power_off_at))
        again = started(disk)
        assert again.list_offset("t", 0, LATEST) == (errors.NONE, 11)
        assert again.defects == []


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("content", [b"", b"0\n1\n0", b"0\n2\n0 0\n", bytes(30), b"0\n1\n0 0\n" * 2])
def test_r10_a_torn_leader_epoch_checkpoint_is_learned_anew(clean: bool, content: bytes) -> None:
    broker = with_records()
    if clean:
        broker.stop()
    broker.disk.kill()
    path = f"{LOG}/leader-epoch-checkpoint"
    assert broker.disk.read_bytes(path) == b"0\n1\n0 0\n"
    broker.disk.cut(path, 0)
    broker.disk.open(path).append(content)
    again = started(broker.disk)
    epochs = again.directory.logs["t", 0].leader_epochs
    assert epochs.entries[0] == (0, 0)
    assert epochs.epoch_for_offset(11) == 0
    assert again.list_offset("t", 0, LATEST) == (errors.NONE, 12)


@pytest.mark.parametrize("clean", [True, False])
def test_r11_a_cut_tail_beside_an_intact_index_stops_nothing(clean: bool) -> None:
    broker = with_records()
    broker.stop()
    disk = broker.disk
    if not clean:
        disk.remove(MARKER)
    path = max(path for path in disk.files() if path.startswith(LOG) and path.endswith(".log"))
    for length in range(disk.size(path)):
        damaged = disk.copy()
        damaged.cut(path, length)
        again = started(damaged)
        end = again.list_offset("t", 0, LATEST).offset
        assert again.produce("t", 0, one(b"after")) == (errors.NONE, end)
        assert again.fetch("t", 0, end).records[0][1] == b"after"
        assert again.defects == []


def test_a_new_topic_inherits_no_log_start_from_its_namesake() -> None:
    broker = with_records()
    assert broker.delete_records("t", 0, 9) == (errors.NONE, 9)
    broker.pass_time(61_000)
    assert broker.delete_topic("t") == errors.NONE
    assert broker.create_topic("t", 1, CONFIGS) == errors.NONE
    assert broker.produce("t", 0, one(b"new")) == (errors.NONE, 0)
    broker.disk.kill()
    again = started(broker.disk)
    assert again.fetch("t", 0, 0).records[0][:2] == (0, b"new")


def test_an_empty_log_keeps_its_identity_over_a_clean_stop() -> None:
    broker = started()
    assert broker.create_topic("t", 1, CONFIGS) == errors.NONE
    broker.stop()
    broker = started(broker.disk)
    assert broker.produce("t", 0, one(b"kept")) == (errors.NONE, 0)
    for seed in range(10):
        disk = broker.disk.fork()
        disk.crash(Random(seed))
        assert started(disk).fetch("t", 0, 0).records[0][:2] == (0, b"kept")


def test_a_sealed_segments_times_survive_with_its_records() -> None:
    broker = started()
    assert broker.create_topic("t", 1, CONFIGS) == errors.NONE
    base_ms = broker.clock.now_ms
    for number in range(30):
        assert broker.produce("t", 0, one(b"value " * 12, base_ms + number)) == (errors.NONE, number)
        if number in (3, 17):
            broker.pass_time(61_000)
            broker.stop()
            broker = DiskBroker(broker.disk, broker.clock, SETTINGS)
    broker.pass_time(61_000)
    for seed in range(30):
        disk = broker.disk.fork()
        disk.crash(Random(seed))
        again = DiskBroker(disk, broker.clock, SETTINGS)
        for number in range(30):
            assert again.list_offset("t", 0, base_ms + number) == (errors.NONE, number)
