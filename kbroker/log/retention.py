"""Which of a log's oldest segments may go.

Time, size and log start, each from the oldest on; never at or beyond the high
watermark, never the empty active segment. A log that is only compacted, or
has no policy at all, loses what lies below its log start and nothing else.
"""

from collections.abc import Callable

from kbroker.log.config import LogConfig
from kbroker.log.segment import Segment
from kbroker.log.segments import Segments

Breached = Callable[[Segment, int], bool]


def count_deletable(
    segments: Segments,
    config: LogConfig,
    now_ms: int,
    log_start_offset: int,
    high_watermark: int,
    log_end_offset: int,
) -> int:
    """How many segments, from the first, some rule wants gone."""
    ends = [*[segment.base_offset for segment in segments][1:], log_end_offset]
    candidates = []
    for segment, end in zip(segments, ends, strict=True):
        if end > high_watermark or (segment is segments.active and segment.size == 0):
            break
        candidates.append((segment, end))
    count = 0
    for rule in _rules(segments, config, now_ms, log_start_offset):
        for segment, end in candidates[count:]:
            if not rule(segment, end):
                break
            count += 1
    return count


def _rules(segments: Segments, config: LogConfig, now_ms: int, log_start_offset: int) -> list[Breached]:
    rules: list[Breached] = [lambda segment, end: segment is not segments.active and end <= log_start_offset]
    if config.delete and config.retention_bytes >= 0:
        rules.append(_SizeRule(segments.size_bytes - config.retention_bytes))
    if config.delete and config.retention_ms >= 0:
        rules.append(lambda segment, end: now_ms - segment.largest_timestamp() > config.retention_ms)
    return rules


class _SizeRule:
    """Delete while what is too much is at least a whole segment."""

    def __init__(self, excess_bytes: int) -> None:
        self._excess_bytes = excess_bytes

    def __call__(self, segment: Segment, end: int) -> bool:
        if self._excess_bytes < segment.size:
            return False
        self._excess_bytes -= segment.size
        return True
