"""Files that Apache Kafka 4.3.1 wrote: read, and written again byte for byte.

`fixtures/make.py` says how they were made.
"""

import tarfile
from pathlib import Path

import pytest

from kbroker.environment import Environment
from kbroker.log.config import LogConfig
from kbroker.log.directory import LogDirectory
from kbroker.log.partition_log import PartitionLog
from kbroker.records.batch import HEADER_SIZE, batch_crc_ok, read_batch_header
from kbroker.records.compression import GZIP, LZ4, SNAPPY, ZSTD, decompress
from kbroker.records.record import walk_records
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment
from tests.log.support import PATH, headers, read_all

ARCHIVE = Path(__file__).parent / "fixtures" / "kafka-4.3.1.tar.gz"
SEGMENTED = LogConfig(segment_bytes=6000, index_interval_bytes=300)
INDEXED = LogConfig(index_interval_bytes=300)
CONFIGS = {
    "plain": SEGMENTED,
    "transactional": SEGMENTED,
    "codecs": INDEXED,
    "append-time": INDEXED,
    "dashed-topic-1": LogConfig(),
}
END_OFFSETS = {"plain": 120, "transactional": 81, "codecs": 48, "append-time": 30, "dashed-topic-1": 3}
LAST_WRITE_MS = 1_795_000_000_000


def kafka_files() -> dict[str, bytes]:
    """Path → content, as below the log directory."""
    files = {}
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            files[member.name] = content.read()
    return files


def kafka_environment(*, clean: bool) -> Environment:
    disk = MemoryDisk()
    environment = make_environment(disk)
    files = kafka_files()
    files["meta.properties"] = (
        b"#\n#Sat Nov 21 07:28:00 UTC 2026\ncluster.id=abc\nversion=1\n"
        b"directory.id=AAAAAAAAAAAAAAAAAAAABQ\nnode.id=1\n"
    )
    if clean:
        files[".kafka_cleanshutdown"] = b'{"version":0,"brokerEpoch":9}'
        points = "".join(f"{topic} 0 {offset}\n" for topic, offset in END_OFFSETS.items())
        files["recovery-point-offset-checkpoint"] = f"0\n{len(END_OFFSETS)}\n{points}".encode()
    for name, content in files.items():
        path = f"{PATH}/{name}"
        disk.make_directory(path.rpartition("/")[0])
        disk.open(path, create=True).append(content)
    return environment


def load(environment: Environment) -> LogDirectory:
    directory = LogDirectory.open(environment, PATH, node_id=1)
    directory.load(lambda topic: CONFIGS[topic])
    return directory


@pytest.mark.parametrize("clean", [True, False])
def test_logs_of_kafka_are_opened(clean: bool) -> None:
    directory = load(kafka_environment(clean=clean))
    assert {key[0]: log.log_end_offset for key, log in directory.logs.items()} == END_OFFSETS
    assert directory.clean_broker_epoch == (9 if clean else None)
    for log in directory.logs.values():
        assert log.leader_epochs.entries == [(0, 0)]
        batches = read_all(log)
        assert all(map(batch_crc_ok, batches))
        assert read_batch_header(batches[-1]).next_offset == log.log_end_offset


def test_a_clean_stop_of_kafka_needs_no_scan() -> None:
    environment = kafka_environment(clean=True)
    disk = environment.disk
    assert isinstance(disk, MemoryDisk)
    scanned = []
    directory = LogDirectory.open(environment, PATH, node_id=1)
    directory.load(lambda topic: CONFIGS[topic], lambda done, total: scanned.append((done, total)))
    assert not scanned


@pytest.mark.parametrize("topic", CONFIGS)
def test_written_again_the_files_are_the_same(topic: str) -> None:
    source = load(kafka_environment(clean=True)).logs[topic, 0]
    environment = make_environment()
    directory = LogDirectory.open(environment, PATH, node_id=1)
    directory.load(lambda topic: CONFIGS[topic])
    log = directory.create(topic, 0, source.topic_id, CONFIGS[topic])
    for batch in read_all(source):
        log.append_as_follower(batch, LAST_WRITE_MS)
    directory.close(clean=True)
    written = written_files(environment, f"{PATH}/{topic}-0/")
    expected = {
        name.partition("/")[2]: content
        for name, content in kafka_files().items()
        if name.startswith(f"{topic}-0/")
    }
    assert written.keys() == expected.keys()
    for name, content in expected.items():
        if name.endswith(".snapshot"):
            assert sorted_snapshot(written[name]) == sorted_snapshot(content), name
        else:
            assert written[name] == content, name


def written_files(environment: Environment, folder: str) -> dict[str, bytes]:
    disk = environment.disk
    assert isinstance(disk, MemoryDisk)
    return {path[len(folder) :]: disk.read_bytes(path) for path in disk.files() if path.startswith(folder)}


def sorted_snapshot(content: bytes) -> tuple[bytes, list[bytes]]:
    """Kafka's entries come out of a hash map: their order says nothing."""
    entries = [content[at : at + 46] for at in range(10, len(content), 46)]
    return content[:2] + content[6:10], sorted(entries)


@pytest.mark.parametrize("topic", ["plain", "transactional", "codecs"])
def test_recovery_rebuilds_what_kafka_wrote(topic: str) -> None:
    """Kept only the .log files and partition.metadata; the rest is made anew, the same."""
    environment = kafka_environment(clean=False)
    disk = environment.disk
    assert isinstance(disk, MemoryDisk)
    before = written_files(environment, f"{PATH}/{topic}-0/")
    for name in before:
        if not name.endswith((".log", ".metadata")):
            disk.remove(f"{PATH}/{topic}-0/{name}")
    directory = load(environment)
    log = directory.logs[topic, 0]
    assert producers_of(log) == producers_of(load(kafka_environment(clean=True)).logs[topic, 0])
    directory.close(clean=True)
    after = written_files(environment, f"{PATH}/{topic}-0/")
    for name, content in before.items():
        if not name.endswith(".snapshot"):
            assert after.get(name) == content, name


def producers_of(log: PartitionLog) -> list[tuple[int, int, int, int]]:
    return sorted(
        (state.producer_id, state.producer_epoch, state.last_sequence, state.current_txn_first_offset)
        for state in log.producers.active()
    )


def test_aborted_transactions_are_found() -> None:
    log = load(kafka_environment(clean=True)).logs["transactional", 0]
    aborted = log.aborted_transactions(0, log.log_end_offset)
    assert len(aborted) == 6
    by_offset = {header.base_offset: header for header in headers(read_all(log))}
    for entry in aborted:
        assert by_offset[entry.first_offset].producer_id == entry.producer_id
        assert by_offset[entry.last_offset].is_control
    first = aborted[0]
    assert log.aborted_transactions(first.last_offset, first.last_offset + 1) == [first]
    assert log.aborted_transactions(0, first.first_offset) == []
    assert log.last_stable_offset == log.high_watermark


def test_every_codec_of_the_client_can_be_read() -> None:
    log = load(kafka_environment(clean=True)).logs["codecs", 0]
    seen = {}
    for batch in read_all(log):
        header = read_batch_header(batch)
        payload = decompress(header.compression, batch[HEADER_SIZE:], 1 << 20)
        for record in walk_records(payload, header.record_count):
            assert record.value is not None
            seen[header.base_offset + record.offset_delta] = (header.compression, record.value)
    for index, codec in enumerate((GZIP, SNAPPY, LZ4, ZSTD)):
        for number in range(12):
            used, value = seen[index * 12 + number]
            assert value == f"value {number} ".encode() * 5
            # A small batch that would grow is sent as it is.
            assert used in (codec, 0)
    assert {used for used, _ in seen.values()} >= {GZIP, SNAPPY, LZ4, ZSTD}


def test_log_append_time_is_found_by_time() -> None:
    log = load(kafka_environment(clean=True)).logs["append-time", 0]
    first = headers(read_all(log))[0]
    assert first.timestamp_type == 1
    assert log.offset_for_timestamp(first.max_timestamp) == (0, first.max_timestamp, 0)
