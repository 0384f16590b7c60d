"""What the log's tests share: a directory in memory, batches, reading back."""

from collections.abc import Callable, Sequence

from kbroker.environment import Environment
from kbroker.log.config import LogConfig
from kbroker.log.directory import LogDirectory
from kbroker.log.partition_log import AppendInfo, AppendOrigin, PartitionLog
from kbroker.records.batch import BatchHeader, build_batch, iterate_batches, read_batch_header
from kbroker.records.record import Record
from tests.fakes.disk import MemoryDisk
from tests.fakes.world import make_environment

PATH = "/data"
TOPIC_ID = bytes(range(16))
NOW_MS = 1_700_000_000_000
LOG_PATH = f"{PATH}/topic-0"


def open_directory(environment: Environment, config: LogConfig | None = None) -> LogDirectory:
    """The directory, with all logs loaded."""
    directory = LogDirectory.open(environment, PATH, node_id=1)
    directory.load(lambda topic: config or LogConfig())
    return directory


def new_log(
    config: LogConfig | None = None, environment: Environment | None = None
) -> tuple[PartitionLog, LogDirectory, MemoryDisk]:
    environment = environment or make_environment()
    directory = open_directory(environment, config)
    log = directory.create("topic", 0, TOPIC_ID, config or LogConfig())
    disk = environment.disk
    assert isinstance(disk, MemoryDisk)
    return log, directory, disk


def batch_of(
    values: Sequence[bytes], *, timestamp: int = NOW_MS, key: bytes | None = None, **fields: int
) -> memoryview:
    """One batch with a record per value."""
    records = [Record(index, 0, key, value) for index, value in enumerate(values)]
    return memoryview(build_batch(records, base_timestamp=timestamp, **fields))


def append(
    log: PartitionLog,
    *values: bytes,
    epoch: int = 0,
    now_ms: int = NOW_MS,
    timestamp: int | None = None,
    origin: AppendOrigin = AppendOrigin.CLIENT,
    key: bytes | None = None,
    **fields: int,
) -> AppendInfo:
    batch = batch_of(values, timestamp=now_ms if timestamp is None else timestamp, key=key, **fields)
    info = log.append_as_leader(batch, epoch, now_ms, origin=origin)
    log.high_watermark = log.high_watermark_limit
    return info


def read_all(log: PartitionLog, offset: int | None = None, max_bytes: int = 1 << 20) -> list[memoryview]:
    """All batches from `offset` to the log end, by as many reads as it takes."""
    offset = log.log_start_offset if offset is None else offset
    batches: list[memoryview] = []
    while offset < log.log_end_offset:
        found = read_once(log, offset, max_bytes)
        if not found:
            break
        batches += found
        offset = read_batch_header(found[-1]).next_offset
    return batches


def read_once(
    log: PartitionLog, offset: int, max_bytes: int, upper_offset: int | None = None
) -> list[memoryview]:
    """The batches of one read, which must be whole."""
    upper_offset = log.log_end_offset if upper_offset is None else upper_offset
    region = log.read(offset, max_bytes, upper_offset)
    data = b"" if region is None else region.file.pread(region.length, region.position)
    assert len(data) == (0 if region is None else region.length)
    batches = list(iterate_batches(memoryview(data)))
    assert sum(map(len, batches)) == len(data)
    return batches


def headers(batches: Sequence[memoryview]) -> list[BatchHeader]:
    return [read_batch_header(batch) for batch in batches]


def reopen(environment: Environment, config: LogConfig | None = None) -> tuple[PartitionLog, LogDirectory]:
    directory = open_directory(environment, config)
    return opened_or_new(directory, config or LogConfig()), directory


def opened_or_new(directory: LogDirectory, config: LogConfig) -> PartitionLog:
    """As whoever follows the metadata does: a log that has nothing on the disk is made again."""
    log = directory.logs.get(("topic", 0))
    return directory.create("topic", 0, TOPIC_ID, config) if log is None else log


def pump(directory: LogDirectory, now_ms: int = NOW_MS) -> None:
    """Do what the edge does off the loop: requested flushes, then chores."""
    for log in directory.take_flush_requests():
        flush = log.begin_flush(now_ms)
        if flush is not None:
            _run(flush.work, flush.done)
    failures: list[OSError] = []
    for chore in directory.take_chores(now_ms):
        try:
            chore()
        except OSError as error:
            failures.append(error)
    directory.finish_chores(failures)


def _run(work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
    try:
        work()
    except OSError as error:
        done(error)
    else:
        done(None)
