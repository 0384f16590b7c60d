"""The files in one log's directory: names, small ones written whole."""

from collections.abc import Callable, Iterable

from kbroker.environment import Disk

LOG_SUFFIX = ".log"
INDEX_SUFFIX = ".index"
TIME_INDEX_SUFFIX = ".timeindex"
TXN_INDEX_SUFFIX = ".txnindex"
SNAPSHOT_SUFFIX = ".snapshot"
SEGMENT_SUFFIXES = (LOG_SUFFIX, INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX)

# A file's path and what makes its content.
Unwritten = tuple[str, Callable[[], bytes]]


def offset_name(offset: int) -> str:
    return f"{offset:020d}"


def sync_paths(disk: Disk, paths: Iterable[str]) -> None:
    """Make small files durable, as far as they are still there."""
    for path in paths:
        try:
            file = disk.open(path)
        except FileNotFoundError:
            continue
        file.sync()
        file.close()


def replace_file(disk: Disk, path: str, data: bytes) -> None:
    """Write a small file anew, unsynced."""
    file = disk.open(path, create=True)
    file.truncate(0)
    file.append(data)
    file.close()
