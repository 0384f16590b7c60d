"""Which partition of `__consumer_offsets` coordinates a group.

Kafka: `GroupCoordinatorService.partitionFor`, `Utils.abs`, `String.hashCode`.
"""


def partition_for(group_id: str, partition_count: int) -> int:
    hash_code = java_hash(group_id)
    # Java has no absolute value of its smallest int; Kafka takes 0 for it.
    return (0 if hash_code == -(2**31) else abs(hash_code)) % partition_count


def java_hash(text: str) -> int:
    """The int32 that Java's `String.hashCode` gives: over UTF-16 units."""
    byte_order_mark_and_units = memoryview(text.encode("utf-16")).cast("H")
    hash_code = 0
    for unit in byte_order_mark_and_units[1:]:
        hash_code = (31 * hash_code + unit) & 0xFFFFFFFF
    return hash_code - (1 << 32) if hash_code >= 1 << 31 else hash_code
