"""Features: which levels exist, which work here, what a level brings.

A feature at level 0 is simply not in the image. Levels that Apache Kafka
finalized and that do not work here stay in the log and in every snapshot, but
clients are not told of them: they would use what isn't there.

Kafka: `MetadataVersion`, `Feature`, `QuorumFeatures`.
"""

from __future__ import annotations

from collections.abc import Mapping

from kbroker.metadata.image import MetadataImage

METADATA_VERSION = "metadata.version"
KRAFT_VERSION = "kraft.version"
ELIGIBLE_LEADER_REPLICAS = "eligible.leader.replicas.version"

MINIMUM_METADATA_VERSION = 7
LATEST_METADATA_VERSION = 30

# What this broker can do, as (lowest, highest) level. Registered with every broker
# and shown by ApiVersions.
_SUPPORTED: Mapping[str, tuple[int, int]] = {
    METADATA_VERSION: (MINIMUM_METADATA_VERSION, LATEST_METADATA_VERSION),
    KRAFT_VERSION: (0, 0),
}

# What this controller can replay and keep, whoever finalized it.
_KEPT: Mapping[str, int] = {
    "eligible.leader.replicas.version": 1,
    "group.version": 1,
    "share.version": 1,
    "streams.version": 1,
    "transaction.version": 2,
}

# MetadataVersion's names for the levels at which record formats or rules change.
IBP_3_4_IV0 = 8
IBP_3_6_IV0 = 12
IBP_3_7_IV2 = 17
IBP_4_0_IV1 = 23
IBP_4_3_IV0 = 30


def supported_features() -> Mapping[str, tuple[int, int]]:
    """Feature → (lowest, highest) level that works here."""
    return _SUPPORTED


def registered_features() -> Mapping[str, tuple[int, int]]:
    """What the own registration claims: also the levels it merely keeps.

    A registration must cover every finalized level, else Apache Kafka's
    controller would not let this broker in on a directory it wrote.
    """
    return {**_SUPPORTED, **{name: (0, level) for name, level in _KEPT.items()}}


def finalized_features(image: MetadataImage) -> Mapping[str, int]:
    """Feature → finalized level, of those levels that work here."""
    return {
        name: level
        for name, level in image.features.items()
        if name in _SUPPORTED and _SUPPORTED[name][0] <= level <= _SUPPORTED[name][1]
    }


def unsupported_level(image: MetadataImage) -> str | None:
    """Why this controller can't work on the image; None if it can."""
    for name, level in image.features.items():
        highest = LATEST_METADATA_VERSION if name == METADATA_VERSION else _KEPT.get(name, 0)
        if level > highest:
            return f"{name} is finalized at level {level}, this broker knows levels up to {highest}"
    return None


def metadata_version(image: MetadataImage) -> int:
    """The finalized metadata.version; the lowest there is while none is finalized."""
    return image.features.get(METADATA_VERSION, MINIMUM_METADATA_VERSION)


def elr_enabled(image: MetadataImage) -> bool:
    """Whether replicas that leave the ISR below min.insync.replicas stay eligible (KIP-966)."""
    return image.features.get(ELIGIBLE_LEADER_REPLICAS, 0) >= 1


def partition_record_version(level: int) -> int:
    """Version of PartitionRecord and PartitionChangeRecord: directories, then ELR."""
    if level >= IBP_4_0_IV1:
        return 2
    return 1 if level >= IBP_3_7_IV2 else 0


def register_broker_record_version(level: int) -> int:
    """Migration flag, then log directories, then cordoned directories."""
    if level >= IBP_4_3_IV0:
        return 4
    if level >= IBP_3_7_IV2:
        return 3
    return 2 if level >= IBP_3_4_IV0 else 1
