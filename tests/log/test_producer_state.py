"""Idempotence and transactions of one partition: the rules of both, and restarts."""

import pytest

from kbroker.environment import Environment
from kbroker.log.config import LogConfig
from kbroker.log.partition_log import AppendOrigin, PartitionLog
from kbroker.log.producer_state import ProducerStates
from kbroker.protocol.errors import (
    INVALID_PRODUCER_EPOCH,
    INVALID_TXN_STATE,
    OUT_OF_ORDER_SEQUENCE_NUMBER,
    TRANSACTION_COORDINATOR_FENCED,
    KafkaError,
)
from kbroker.records.batch import TRANSACTIONAL_FLAG
from kbroker.records.control import build_end_txn_marker
from tests.fakes.world import ManualClock, make_environment
from tests.log.support import LOG_PATH, NOW_MS, append, new_log, pump, read_all, reopen

PID = 42
DAY_MS = 86_400_000


def send(
    log: PartitionLog, sequence: int, *, count: int = 1, epoch: int = 0, pid: int = PID, txn: bool = False
) -> int:
    """Append an idempotent batch; its first offset."""
    values = [b"%d" % index for index in range(count)]
    attributes = TRANSACTIONAL_FLAG if txn else 0
    info = append(
        log, *values, producer_id=pid, producer_epoch=epoch, base_sequence=sequence, attributes=attributes
    )
    assert not info.duplicate
    return info.first_offset


def mark(
    log: PartitionLog, *, commit: bool, epoch: int = 0, pid: int = PID, coordinator_epoch: int = 0
) -> int:
    marker = build_end_txn_marker(
        commit=commit,
        producer_id=pid,
        producer_epoch=epoch,
        coordinator_epoch=coordinator_epoch,
        timestamp_ms=NOW_MS,
    )
    info = log.append_as_leader(memoryview(marker), 0, NOW_MS, origin=AppendOrigin.COORDINATOR)
    return info.first_offset


def code_of(
    log: PartitionLog, sequence: int, *, count: int = 1, epoch: int = 0, pid: int = PID, txn: bool = False
) -> int:
    end = log.log_end_offset
    with pytest.raises(KafkaError) as caught:
        send(log, sequence, count=count, epoch=epoch, pid=pid, txn=txn)
    assert log.log_end_offset == end
    return caught.value.code


def test_a_repeated_batch_is_answered_with_its_first_offset() -> None:
    log, _, _ = new_log()
    for number in range(7):
        append(log, b"between")
        send(log, number * 3, count=3)
    end = log.log_end_offset
    for number in range(2, 7):
        info = append(log, b"0", b"1", b"2", producer_id=PID, producer_epoch=0, base_sequence=number * 3)
        assert info.duplicate
        assert (info.first_offset, info.last_offset) == (number * 4 + 1, number * 4 + 3)
        # The stored batch's time, on CreateTime topics too.
        assert info.log_append_time_ms == NOW_MS
    assert log.log_end_offset == end
    # The sixth oldest is forgotten, and half a batch is no batch.
    assert code_of(log, 3, count=3) == OUT_OF_ORDER_SEQUENCE_NUMBER
    assert code_of(log, 18, count=2) == OUT_OF_ORDER_SEQUENCE_NUMBER
    assert code_of(log, 17, count=4) == OUT_OF_ORDER_SEQUENCE_NUMBER


def test_sequences_have_no_gaps() -> None:
    log, _, _ = new_log()
    send(log, 0, count=2)
    assert code_of(log, 3) == OUT_OF_ORDER_SEQUENCE_NUMBER
    assert code_of(log, 0) == OUT_OF_ORDER_SEQUENCE_NUMBER
    send(log, 2)


def test_an_unknown_producer_may_begin_anywhere() -> None:
    log, _, _ = new_log()
    send(log, 1000)
    send(log, 1001)


def test_sequences_wrap() -> None:
    log, _, _ = new_log()
    send(log, 2**31 - 2, count=2)
    send(log, 0)
    other, _, _ = new_log()
    send(other, 2**31 - 1, count=2)
    send(other, 1)


def test_epochs_only_rise_and_begin_at_zero() -> None:
    log, _, _ = new_log()
    send(log, 0, epoch=3)
    assert code_of(log, 1, epoch=2) == INVALID_PRODUCER_EPOCH
    assert code_of(log, 1, epoch=4) == OUT_OF_ORDER_SEQUENCE_NUMBER
    send(log, 0, epoch=4)
    assert code_of(log, 1, epoch=3) == INVALID_PRODUCER_EPOCH


def test_an_open_transaction_bounds_the_stable_offset() -> None:
    log, _, _ = new_log()
    append(log, b"before")
    first = send(log, 0, txn=True)
    append(log, b"after")
    assert log.last_stable_offset == first == 1
    assert log.high_watermark == 3
    assert code_of(log, 1) == INVALID_TXN_STATE
    marker = mark(log, commit=True)
    # Decided, but not yet below the high watermark.
    assert log.last_stable_offset == first
    log.commit(marker)
    assert log.last_stable_offset == first
    log.commit(marker + 1)
    assert log.last_stable_offset == marker + 1
    assert log.aborted_transactions(0, 10) == []
    send(log, 1)


def test_aborted_transactions_are_indexed_with_the_stable_offset_of_then() -> None:
    log, _, disk = new_log()
    first = send(log, 0, pid=1, txn=True)
    second = send(log, 0, pid=2, txn=True)
    marker_of_second = mark(log, commit=False, pid=2)
    marker_of_first = mark(log, commit=False, pid=1)
    aborted = log.aborted_transactions(0, 100)
    assert [(entry.producer_id, entry.first_offset, entry.last_offset) for entry in aborted] == [
        (2, second, marker_of_second),
        (1, first, marker_of_first),
    ]
    assert [entry.last_stable_offset for entry in aborted] == [first, marker_of_first + 1]
    assert disk.size(f"{LOG_PATH}/{0:020d}.txnindex") == 68
    log.truncate_to(marker_of_first, NOW_MS)
    assert len(log.aborted_transactions(0, 100)) == 1
    assert disk.size(f"{LOG_PATH}/{0:020d}.txnindex") == 34
    # The first transaction is open again.
    assert log.last_stable_offset == first


def test_a_marker_without_data_leaves_no_trace_but_its_epochs() -> None:
    log, _, _ = new_log()
    mark(log, commit=False, epoch=5, coordinator_epoch=3)
    assert log.aborted_transactions(0, 10) == []
    assert code_of(log, 0, epoch=4) == INVALID_PRODUCER_EPOCH
    with pytest.raises(KafkaError) as caught:
        mark(log, commit=True, epoch=5, coordinator_epoch=2)
    assert caught.value.code == TRANSACTION_COORDINATOR_FENCED
    with pytest.raises(KafkaError) as caught:
        mark(log, commit=True, epoch=4, coordinator_epoch=3)
    assert caught.value.code == INVALID_PRODUCER_EPOCH
    # After the marker that epoch's sequences begin at 0.
    assert code_of(log, 1, epoch=5) == OUT_OF_ORDER_SEQUENCE_NUMBER
    send(log, 0, epoch=5)


@pytest.mark.parametrize("clean", [True, False])
def test_state_survives_a_restart(clean: bool) -> None:
    environment = make_environment()
    config = LogConfig(segment_bytes=300)
    log, directory, disk = new_log(config, environment)
    for sequence in range(8):
        send(log, sequence)
    open_from = send(log, 0, pid=2, txn=True)
    if clean:
        directory.close(clean=True)
    disk.kill()
    log, _ = reopen(environment, config)
    log.commit(log.log_end_offset)
    info = append(log, b"0", producer_id=PID, producer_epoch=0, base_sequence=7)
    assert info.duplicate
    assert log.last_stable_offset == open_from
    assert code_of(log, 9) == OUT_OF_ORDER_SEQUENCE_NUMBER
    send(log, 8)
    mark(log, commit=False, pid=2)
    assert [entry.first_offset for entry in log.aborted_transactions(0, 100)] == [open_from]


def test_a_clean_restart_replays_nothing() -> None:
    environment = make_environment()
    log, directory, disk = new_log(None, environment)
    for sequence in range(100):
        send(log, sequence * 50, count=50)
    directory.close(clean=True)
    disk.kill()
    reads = disk.reads
    reopen(environment)
    assert disk.reads - reads < 15


def test_a_corrupt_snapshot_is_replaced_by_replay() -> None:
    environment = make_environment()
    log, directory, disk = new_log(None, environment)
    send(log, 0)
    send(log, 1)
    directory.close(clean=True)
    disk.kill()
    path = f"{LOG_PATH}/{2:020d}.snapshot"
    for content in (
        b"",
        b"\x00\x01",
        bytes(56),
        disk.read_bytes(path)[:-1],
        b"\x00\x02" + disk.read_bytes(path)[2:],
    ):
        copy = disk.copy()
        copy.cut(path, 0)
        copy.open(path).append(content)
        again, _ = reopen(make_environment(copy))
        assert append(again, b"0", producer_id=PID, producer_epoch=0, base_sequence=1).duplicate
        assert code_of(again, 3) == OUT_OF_ORDER_SEQUENCE_NUMBER


def test_a_damaged_transaction_index_is_made_anew() -> None:
    environment = make_environment()
    config = LogConfig(segment_bytes=300)
    log, directory, disk = new_log(config, environment)
    for number in range(6):
        send(log, number, txn=True)
        mark(log, commit=False)
    expected = log.aborted_transactions(0, 100)
    assert len(expected) == 6
    directory.close(clean=True)
    disk.kill()
    for path in [path for path in disk.files() if path.endswith(".txnindex")]:
        copy = disk.copy()
        copy.cut(path, 20)
        again, _ = reopen(make_environment(copy), config)
        assert again.aborted_transactions(0, 100) == expected


def advance(environment: Environment, by_ms: int) -> None:
    assert isinstance(environment.clock, ManualClock)
    environment.clock.advance(by_ms)


def test_idle_producers_are_forgotten_unless_their_transaction_is_open() -> None:
    environment = make_environment()
    log, directory, disk = new_log(None, environment)
    send(log, 5)
    send(log, 0, pid=2, txn=True)
    log.remove_expired_producers(NOW_MS + DAY_MS - 1)
    assert len(log.producers) == 2
    log.remove_expired_producers(NOW_MS + DAY_MS)
    assert [state.producer_id for state in log.producers.active()] == [2]
    send(log, 77)
    directory.close(clean=True)
    disk.kill()
    advance(environment, DAY_MS)
    log, _ = reopen(environment)
    assert [state.producer_id for state in log.producers.active()] == [2]


def test_snapshots_go_with_their_segments() -> None:
    environment = make_environment()
    config = LogConfig(segment_bytes=200, file_delete_delay_ms=0)
    log, directory, disk = new_log(config, environment)
    for sequence in range(6):
        send(log, sequence)

    def snapshots() -> list[int]:
        return [int(path[-29:-9]) for path in disk.files() if path.endswith(".snapshot")]

    pump(directory)
    assert snapshots() == [2, 4]
    log.set_log_start_offset(4, NOW_MS)
    log.delete_old_segments(NOW_MS)
    assert snapshots() == [4]
    for _ in range(3):
        directory.close(clean=True)
        disk.kill()
        log, directory = reopen(environment, config)
        append(log, b"more")
    # One for each segment's start, one for the last clean stop.
    assert snapshots() == [4, 6, 8]
    assert len(read_all(log)) == 5


def test_the_snapshot_is_that_of_kafka() -> None:
    states = ProducerStates()
    assert len(states.encode_snapshot()) == 10
    log, _, _ = new_log()
    send(log, 0)
    send(log, 0, pid=1)
    data = log.producers.encode_snapshot()
    assert len(data) == 102
    assert data[:2] == b"\x00\x01"
    again = ProducerStates.decode_snapshot(data, 2, NOW_MS, DAY_MS)
    assert again is not None
    assert again.encode_snapshot() == data
