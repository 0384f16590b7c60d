"""A slow fsync is waited for by those who asked for it, and by nobody else (D2)."""

from __future__ import annotations

import pytest

from kbroker.protocol import errors
from kbroker.records.batch import build_batch
from kbroker.records.record import Record
from tests.disk.broker import HeldBroker
from tests.disk.script import SETTINGS
from tests.handlers.support import DeferringDisk, FakeClock


def one(value: bytes) -> bytes:
    return bytes(build_batch([Record(0, 0, None, value)], base_timestamp=FakeClock().now_ms))


def started() -> HeldBroker:
    broker = HeldBroker(DeferringDisk(), FakeClock(), SETTINGS)
    for topic, flush in (("flushed", "1"), ("quick", "1000000"), ("doomed", "1")):
        configs = {"flush.messages": flush, "internal.segment.bytes": "400"}
        assert broker.create_topic(topic, 1, configs) == errors.NONE
        # Whatever is flushed first makes its directory durable as well.
        assert topic == "doomed" or broker.produce(topic, 0, one(b"first")) == (errors.NONE, 0)
    assert broker.new_producer() is not None
    return broker


def test_nobody_else_waits_for_a_slow_fsync() -> None:
    broker = started()
    broker.held = True
    syncs = broker.disk.syncs
    assert broker.produce("flushed", 0, one(b"waits")) is None
    for number in range(1, 12):
        assert broker.produce("quick", 0, one(b"rolls " * 10)) == (errors.NONE, number)
    assert broker.fetch("flushed", 0, 0).records[0][1] == b"first"
    assert len(broker.fetch("quick", 0, 0).records) > 0
    assert broker.commit("quick", 0, 3) is None
    assert broker.create_topic("later", 1, {}) is None
    assert broker.delete_records("quick", 0, 5) == (errors.NONE, 5)
    # Checkpoints, retention and snapshots come due as well.
    for _ in range(4):
        broker.pass_time(61_000)
    assert broker.new_producer() is not None
    assert broker.produce("quick", 0, one(b"last"))[0] == errors.NONE  # type: ignore[index]
    assert broker.disk.syncs == syncs, "an fsync on the loop"
    # What nobody is sure of is not shown.
    assert len(broker.fetch("flushed", 0, 0).records) == 1
    broker.held = False
    broker.finish_turn()
    assert len(broker.fetch("flushed", 0, 0).records) == 2
    assert broker.topics.keys() >= {"later"}
    assert broker.committed("quick", 0) == (errors.NONE, 3)
    assert broker.defects == []


@pytest.mark.parametrize("again", [False, True])
def test_a_topic_may_be_deleted_while_it_is_being_flushed(again: bool) -> None:
    broker = started()
    broker.held = True
    assert broker.produce("doomed", 0, one(b"too late")) is None
    [flush] = broker.disk.offloaded
    broker.disk.offloaded.clear()
    broker.held = False
    assert broker.delete_topic("doomed") == errors.NONE
    if again:
        assert broker.create_topic("doomed", 1, {}) == errors.NONE
    broker.disk.offloaded.append(flush)
    broker.finish_turn()
    assert broker.directory.offline_because is None
    assert not again or broker.produce("doomed", 0, one(b"new")) == (errors.NONE, 0)
    assert broker.defects == []
    broker.stop()
