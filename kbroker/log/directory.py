"""One log directory: whose it is, its logs, what must survive it.

    open    look, lock, say no in one sentence; nothing is touched but `.lock`
    begin   first write: identity of a new directory, the clean-shutdown marker goes
    load    open every partition's log
    close   logs, checkpoints, last of all the marker

    invariant  the marker exists only while nobody writes and nothing needs checking

What may block is collected as work for the edge: flushes, removals, checkpoints.
Kafka: `LogManager`, `LogConfig`, `MetaPropertiesEnsemble`.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

from kbroker.environment import Environment
from kbroker.log.checkpoints import (
    TopicPartition,
    decode_clean_shutdown,
    decode_offsets,
    decode_partition_metadata,
    encode_clean_shutdown,
    encode_offsets,
    encode_partition_metadata,
    encode_properties,
)
from kbroker.log.config import LogConfig
from kbroker.log.flush import PARTITION_METADATA, REFUSALS
from kbroker.log.identity import LOCK, META_PROPERTIES, identify
from kbroker.log.identity import LogDirectoryError as LogDirectoryError
from kbroker.log.open_files import OpenFiles
from kbroker.log.partition_log import PartitionLog
from kbroker.log.recovery import LoadedLog, LogLoader, new_log
from kbroker.log.writeback import Writeback
from kbroker.protocol.errors import KafkaError
from kbroker.protocol.primitives import METADATA_TOPIC_ID

logger = logging.getLogger(__name__)

CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
RECOVERY_POINTS = "recovery-point-offset-checkpoint"
HIGH_WATERMARKS = "replication-offset-checkpoint"
LOG_STARTS = "log-start-offset-checkpoint"
METADATA_TOPIC = "__cluster_metadata"

_PREPARED_SUFFIX = ".next"
_DELETE_SUFFIX = "-delete"
_ASIDE_SUFFIXES = ("-delete", "-future", "-stray")
_MAX_NAME = 255
# Up to here a clean stop syncs log by log, behind it the whole volume.
_MAX_SINGLE_FLUSHES = 16

Progress = Callable[[int, int], None]


class LogDirectory:
    """The logs below one path. `open` makes one; `load` fills it."""

    def __init__(
        self, environment: Environment, path: str, meta: Mapping[str, str], unlock: Callable[[], None]
    ) -> None:
        self.path = path
        self.cluster_id = meta["cluster.id"]
        self.directory_id = meta["directory.id"]
        self.node_id = int(meta["node.id"])
        # The broker epoch of the last clean stop; None after any other.
        self.clean_broker_epoch: int | None = None
        self.was_clean = False
        self.is_new = False
        self.offline_because: OSError | None = None
        self.logs: dict[TopicPartition, PartitionLog] = {}
        self._environment = environment
        self._disk = environment.disk
        # Half of what the process may have open: clients need theirs.
        self.files = OpenFiles(self._disk, max(self._disk.max_files() // 2, 1), self._make_if_missing)
        self.writeback = Writeback(self._disk, self.on_refusal_or_failure)
        # Directories of logs that nothing was written to yet, and their topics' ids.
        self._unmade: dict[str, bytes] = {}
        self._meta = meta
        self._unlock = unlock
        self._begun = False
        self._recovery_points: dict[TopicPartition, int] = {}
        self._high_watermarks: dict[TopicPartition, int] = {}
        self._log_starts: dict[TopicPartition, int] = {}
        self._metadata_logs: list[PartitionLog] = []
        self._flush_requests: dict[PartitionLog, None] = {}
        self._deferred_flushes: dict[PartitionLog, None] = {}
        self._discarded: list[tuple[int, str]] = []
        # Checkpoints by file name: on disk, waiting to be written, and written but not in place yet.
        self._written: dict[str, Mapping[TopicPartition, int]] = {}
        self._writes: dict[str, Mapping[TopicPartition, int]] = {}
        self._prepared: dict[str, Mapping[TopicPartition, int]] = {}
        # A log was deleted that checkpoints may still name: its namesake should not have to wait for that.
        self._names_gone = False

    # --- opening

    @classmethod
    def open(
        cls, environment: Environment, path: str, *, node_id: int, cluster_id: str | None = None
    ) -> "LogDirectory":
        """Take possession of `path`; LogDirectoryError says in one sentence why it can't be."""
        disk = environment.disk
        with in_one_sentence(path):
            disk.make_directory(path)
            names = disk.list_directory(path)
            meta = identify(environment, path, names, node_id, cluster_id)
            unlock = disk.lock(f"{path}/{LOCK}")
        if unlock is None:
            raise LogDirectoryError(f"The log directory {path} is in use by another broker process.")
        directory = cls(environment, path, meta, unlock)
        directory.is_new = META_PROPERTIES not in names
        with in_one_sentence(path):
            if CLEAN_SHUTDOWN in names:
                directory.was_clean = True
                directory.clean_broker_epoch = decode_clean_shutdown(directory._read(CLEAN_SHUTDOWN) or b"")
            directory._recovery_points = directory._read_offsets(RECOVERY_POINTS)
            directory._high_watermarks = directory._read_offsets(HIGH_WATERMARKS)
            directory._log_starts = directory._read_offsets(LOG_STARTS)
        return directory

    def _read(self, name: str) -> bytes | None:
        try:
            return self._disk.read_bytes(f"{self.path}/{name}")
        except FileNotFoundError:
            return None

    def _read_offsets(self, name: str) -> dict[TopicPartition, int]:
        data = self._read(name)
        if not data:
            return {}
        offsets = decode_offsets(data)
        if offsets is None:
            logger.warning("%s/%s is corrupt and is made anew", self.path, name)
            return {}
        self._written[name] = dict(offsets)
        return offsets

    def begin(self) -> None:
        """Before the first write: from here on only a clean stop makes the directory clean again."""
        if self._begun:
            return
        self._begun = True
        with in_one_sentence(self.path):
            if self.is_new:
                self._disk.write_atomically(f"{self.path}/{META_PROPERTIES}", encode_properties(self._meta))
                # Its own name too, if it is ours to sync.
                with suppress(OSError):
                    self._disk.sync_directory(self.path.rpartition("/")[0] or "/")
            if self.was_clean:
                self._disk.remove(f"{self.path}/{CLEAN_SHUTDOWN}")
                self._disk.sync_directory(self.path)

    def open_metadata_log(self, config: LogConfig) -> PartitionLog:
        """The log of the cluster's metadata, made if need be. It is in no checkpoint."""
        self.begin()
        name = f"{METADATA_TOPIC}-0"
        with in_one_sentence(self.path):
            is_new = not self._disk.exists(f"{self.path}/{name}")
            if is_new:
                self._make_log_directory(name, METADATA_TOPIC_ID)
            log = self._load_log((METADATA_TOPIC, 0), config, METADATA_TOPIC_ID, is_new=is_new)
        self._metadata_logs.append(log)
        return log

    def load(
        self, config_for: Callable[[str], LogConfig], progress: Progress = lambda done, total: None
    ) -> None:
        """Open all partitions; `progress` hears (bytes checked, bytes to check) after an unclean stop."""
        self.begin()
        found = []
        for name in self._disk.list_directory(self.path):
            if name.endswith(_DELETE_SUFFIX):
                self._discarded.append((0, f"{self.path}/{name}"))
            elif not name.endswith(_ASIDE_SUFFIXES):
                key = parse_directory_name(name)
                if key is not None and key[0] != METADATA_TOPIC:
                    found.append(key)
        total = 0 if self.was_clean else sum(map(self._bytes_to_check, found))
        done = 0

        def on_scanned(scanned: int) -> None:
            nonlocal done
            done += scanned
            progress(min(done, total), total)

        with in_one_sentence(self.path):
            for key in found:
                self._load_partition(key, config_for(key[0]), on_scanned)

    def _bytes_to_check(self, key: TopicPartition) -> int:
        """About how much of a partition lies behind its recovery point: whole segments."""
        path = f"{self.path}/{key[0]}-{key[1]}"
        names = [name for name in self._disk.list_directory(path) if name.endswith(".log")]
        recovery_point = self._recovery_points.get(key, 0)
        first = max((name for name in names if name[:20] <= f"{recovery_point:020d}"), default="")
        return sum(self._disk.size(f"{path}/{name}") for name in names if name >= first)

    def _load_partition(
        self, key: TopicPartition, config: LogConfig, progress: Callable[[int], None]
    ) -> None:
        path = f"{self.path}/{key[0]}-{key[1]}"
        data = self._read(f"{key[0]}-{key[1]}/{PARTITION_METADATA}")
        topic_id = None if data is None else decode_partition_metadata(data)
        if topic_id is None:
            # As Kafka does: without its topic's id a log belongs to nobody.
            logger.warning("%s has no readable %s: set aside as stray", path, PARTITION_METADATA)
            self._rename_aside(f"{key[0]}-{key[1]}", "stray")
            return
        self.logs[key] = self._load_log(key, config, topic_id, progress)

    def _load_log(
        self,
        key: TopicPartition,
        config: LogConfig,
        topic_id: bytes,
        progress: Callable[[int], None] = lambda scanned: None,
        *,
        is_new: bool = False,
    ) -> PartitionLog:
        now_ms = self._environment.clock.wall_ms()
        path = f"{self.path}/{key[0]}-{key[1]}"
        recovery_point = self._recovery_points.get(key, 0)
        loader = LogLoader(
            self.files,
            path,
            config,
            recovery_point=recovery_point,
            log_start_offset=self._log_starts.get(key, 0),
            clean=self.was_clean,
            now_ms=now_ms,
            progress=progress,
        )
        loaded = loader.load()
        return self._opened(
            key,
            path,
            topic_id,
            config,
            loaded,
            recovery_point=loaded.log_end_offset if self.was_clean else recovery_point,
            high_watermark=self._high_watermarks.get(key, 0),
            names_unsure=is_new or not self.was_clean,
        )

    def _opened(
        self,
        key: TopicPartition,
        path: str,
        topic_id: bytes,
        config: LogConfig,
        loaded: LoadedLog,
        *,
        recovery_point: int = 0,
        high_watermark: int = 0,
        names_unsure: bool = True,
    ) -> PartitionLog:
        return PartitionLog(
            self._environment,
            self,
            path,
            *key,
            topic_id,
            config,
            loaded,
            recovery_point=recovery_point,
            high_watermark=high_watermark,
            names_unsure=names_unsure,
        )

    # --- partitions come and go

    def on_refusal_or_failure(self, error: OSError) -> None:
        """A full disk only makes what failed wait; after anything else the disk can't be trusted any more."""
        if error.errno in REFUSALS:
            logger.warning("%s: something has to wait: %s", self.path, error)
        else:
            self.on_failure(error)

    def create(self, topic: str, partition: int, topic_id: bytes, config: LogConfig) -> PartitionLog:
        """A new, empty log."""
        key = (topic, partition)
        assert key not in self.logs
        self.begin()
        for checkpoint in (self._recovery_points, self._high_watermarks, self._log_starts):
            checkpoint.pop(key, None)
        path = f"{self.path}/{topic}-{partition}"
        loaded = new_log(self.files, path, config, self._environment.clock.wall_ms())
        log = self.logs[key] = self._opened(key, path, topic_id, config, loaded)
        self._unmade[path] = topic_id
        return log

    def _make_if_missing(self, path: str) -> None:
        """The directory of a log that is about to get its first file."""
        topic_id = self._unmade.get(path)
        if topic_id is not None:
            name = path.rpartition("/")[2]
            key = parse_directory_name(name)
            assert key is not None
            self._forget_namesake(key)
            self._make_log_directory(name, topic_id)
            del self._unmade[path]

    def _forget_namesake(self, key: TopicPartition) -> None:
        """What checkpoints say of a deleted log of that name must never be taken for the new one's."""
        for name, offsets_now in (
            (RECOVERY_POINTS, self._recovery_points_now),
            (HIGH_WATERMARKS, self._high_watermarks_now),
            (LOG_STARTS, self._log_starts_now),
        ):
            for waiting in (self._writes, self._prepared):
                if key in waiting.get(name, ()):
                    del waiting[name]
            if key in self._written.get(name, ()):
                self._write_offsets(name, offsets_now())

    def _make_log_directory(self, name: str, topic_id: bytes) -> None:
        """The directory with its id: not synced here, a lost empty log is made again."""
        path = f"{self.path}/{name}"
        self._disk.make_directory(path)
        file = self._disk.open(f"{path}/{PARTITION_METADATA}", create=True)
        file.truncate(0)
        file.append(encode_partition_metadata(topic_id))
        file.close()

    def delete(self, log: PartitionLog) -> None:
        """Rename the log's directory away now; its bytes go later, off the loop."""
        name = self._set_aside(log, "delete")
        if name is not None:
            now_ms = self._environment.clock.wall_ms()
            self.discard([f"{self.path}/{name}"], log.config.file_delete_delay_ms, now_ms)

    def mark_stray(self, log: PartitionLog) -> None:
        """Nobody claims this log: keep its bytes under another name, for a person to decide."""
        self._set_aside(log, "stray")

    def _set_aside(self, log: PartitionLog, suffix: str) -> str | None:
        """The directory's new name; None if it was never made."""
        key = (log.topic, log.partition)
        del self.logs[key]
        if self._unmade.pop(log.directory, None) is not None:
            return None
        self._flush_requests.pop(log, None)
        self._deferred_flushes.pop(log, None)
        for checkpoint in (self._recovery_points, self._high_watermarks, self._log_starts):
            checkpoint.pop(key, None)
        self._names_gone = True
        log.give_up_flush()
        log.close()
        return self._rename_aside(f"{log.topic}-{log.partition}", suffix)

    def _rename_aside(self, name: str, suffix: str) -> str:
        ending = f".{self._environment.random.uuid().hex()}-{suffix}"
        target = name[: _MAX_NAME - len(ending)] + ending
        self._disk.rename(f"{self.path}/{name}", f"{self.path}/{target}")
        return target

    # --- checkpoints: an offset of 0 is not written, for that is what a missing one means

    def checkpoint_high_watermarks(self) -> None:
        self._checkpoint(HIGH_WATERMARKS, self._high_watermarks_now())

    def checkpoint_recovery_points(self) -> None:
        self._checkpoint(RECOVERY_POINTS, self._recovery_points_now())

    def checkpoint_log_starts(self) -> None:
        self._checkpoint(LOG_STARTS, self._log_starts_now())

    def _high_watermarks_now(self) -> dict[TopicPartition, int]:
        return {key: offset for key, log in self.logs.items() if (offset := log.high_watermark)}

    def _recovery_points_now(self) -> dict[TopicPartition, int]:
        return {key: offset for key, log in self.logs.items() if (offset := log.flushed_offset)}

    def _log_starts_now(self) -> dict[TopicPartition, int]:
        return {
            key: log.log_start_offset
            for key, log in self.logs.items()
            if log.log_start_offset and log.log_start_offset > log.first_segment_base_offset
        }

    def _checkpoint(self, name: str, offsets: Mapping[TopicPartition, int]) -> None:
        """A chore, for an fsync takes its time. A lost one costs a step back, and nothing else."""
        if self._written.get(name) != offsets:
            self._writes[name] = offsets

    def _write_offsets(self, name: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Here and now, and instead of what waits to be written."""
        self._writes.pop(name, None)
        self._prepared.pop(name, None)
        if self._written.get(name) != offsets:
            self._disk.write_atomically(f"{self.path}/{name}", encode_offsets(offsets))
            self._written[name] = offsets

    def _prepare(self, name: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Off the loop: write a checkpoint, to be put in place on the loop if it is still true then."""
        file = self._disk.open(f"{self.path}/{name}{_PREPARED_SUFFIX}", create=True)
        file.truncate(0)
        file.append(encode_offsets(offsets))
        file.sync()
        file.close()

    # --- what logs ask for (LogOwner), and what the edge takes

    def on_failure(self, error: OSError) -> None:
        if self.offline_because is None:
            logger.error("The log directory %s is offline: %s", self.path, error)
            self.offline_because = error
        for log in (*self.logs.values(), *self._metadata_logs):
            log.offline = True

    def request_flush(self, log: PartitionLog) -> None:
        self._flush_requests[log] = None

    def defer_flush(self, log: PartitionLog) -> None:
        self._deferred_flushes[log] = None

    def request_deferred_flushes(self) -> None:
        """Try again what was refused."""
        self._flush_requests.update(self._deferred_flushes)
        self._deferred_flushes.clear()

    def take_flush_requests(self) -> list[PartitionLog]:
        """Logs whose flush is due: `begin_flush` each, run the work off the loop, then `done`."""
        requests = list(self._flush_requests)
        self._flush_requests.clear()
        return requests

    def discard(self, paths: list[str], delay_ms: int, now_ms: int) -> None:
        self._discarded += [(now_ms + delay_ms, path) for path in paths]

    def take_chores(self, now_ms: int) -> list[Callable[[], None]]:
        """Blocking work that is due: checkpoints, removing files.

        Run it off the loop, `finish_chores` on the loop behind it, and let both end before `close`.
        """
        chores: list[Callable[[], None]] = []
        if self.offline_because is None:
            if self._names_gone:
                self._names_gone = False
                self.checkpoint_recovery_points()
                self.checkpoint_high_watermarks()
                self.checkpoint_log_starts()
            self._prepared, self._writes = self._writes, {}
            chores += [partial(self._prepare, name, offsets) for name, offsets in self._prepared.items()]
        due = [path for at_ms, path in self._discarded if at_ms <= now_ms]
        if due:
            self._discarded = [(at_ms, path) for at_ms, path in self._discarded if at_ms > now_ms]
            chores.append(partial(self._remove, due))
        return chores

    def finish_chores(self, failures: Iterable[OSError]) -> None:
        """Put checkpoints in place, unless something failed: then they are written another time."""
        prepared, self._prepared = self._prepared, {}
        failed = list(failures)
        try:
            for name, offsets in () if failed else prepared.items():
                path = f"{self.path}/{name}"
                self._disk.rename(path + _PREPARED_SUFFIX, path)
                self._written[name] = offsets
        except OSError as error:
            failed.append(error)
        for failure in failed:
            self.on_refusal_or_failure(failure)

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            if path.endswith(_DELETE_SUFFIX):
                self._disk.remove_tree(path)
            else:
                self._disk.remove(path)

    def before_truncation(self, log: PartitionLog) -> None:
        self._write_offsets(RECOVERY_POINTS, self._recovery_points_now())

    # --- closing

    def close(self, *, clean: bool, broker_epoch: int = -1) -> None:
        """Release everything. Only a clean close of a healthy directory leaves the marker."""
        logs = [*self.logs.values(), *self._metadata_logs]
        try:
            if clean and self._begun and self.offline_because is None:
                self._close_cleanly(logs, broker_epoch)
        except (OSError, KafkaError) as error:
            logger.error("%s was not closed cleanly, the next start will check it: %s", self.path, error)
        finally:
            for log in logs:
                log.close()
            self._unlock()

    def _close_cleanly(self, logs: list[PartitionLog], broker_epoch: int) -> None:
        now_ms = self._environment.clock.wall_ms()
        for log in logs:
            log.write_closing_state()
        unflushed = [log for log in logs if not log.is_flushed]
        if len(unflushed) <= _MAX_SINGLE_FLUSHES and not self.files.has_given_up_any:
            for log in unflushed:
                log.flush(now_ms)
        else:
            # A flush of its own for each log would take milliseconds each.
            self._disk.sync_all(self.path)
            for log in unflushed:
                log.mark_flushed()
        self._write_offsets(RECOVERY_POINTS, self._recovery_points_now())
        self._write_offsets(HIGH_WATERMARKS, self._high_watermarks_now())
        self._write_offsets(LOG_STARTS, self._log_starts_now())
        self._disk.write_atomically(f"{self.path}/{CLEAN_SHUTDOWN}", encode_clean_shutdown(broker_epoch))


@contextmanager
def in_one_sentence(path: str) -> Iterator[None]:
    """What a person hears when the operating system refuses."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        where = error.filename if error.filename is not None else path
        raise LogDirectoryError(f"The log directory {path} can't be used: {why} ({where}).") from error


def parse_directory_name(name: str) -> TopicPartition | None:
    """(topic, partition) of a log's directory; the topic itself may contain dashes."""
    topic, dash, partition = name.rpartition("-")
    if not topic or not dash or not partition.isdecimal() or not partition.isascii():
        return None
    return topic, int(partition)
