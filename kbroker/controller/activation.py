"""The first records of a cluster, and of a leader that takes over.

An empty log gets the bootstrap records in one transaction, so that a crash in
between leaves nothing half begun. A transaction that another leader left open
is aborted. Kafka: `ActivationRecordsGenerator`, `BootstrapMetadata`.
"""

from __future__ import annotations

from collections.abc import Sequence

from kbroker.controller.result import ControllerResult
from kbroker.metadata.features import ELIGIBLE_LEADER_REPLICAS, LATEST_METADATA_VERSION, METADATA_VERSION
from kbroker.metadata.image import BROKER, MetadataImage
from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.protocol.generated.abort_transaction_record import AbortTransactionRecord
from kbroker.protocol.generated.begin_transaction_record import BeginTransactionRecord
from kbroker.protocol.generated.config_record import ConfigRecord
from kbroker.protocol.generated.end_transaction_record import EndTransactionRecord
from kbroker.protocol.generated.feature_level_record import FeatureLevelRecord
from kbroker.protocol.primitives import Message


def bootstrap_records() -> list[ApiMessageAndVersion]:
    """What kbroker's own clusters begin with: features whose levels work here; level 0 is not written."""
    return [ApiMessageAndVersion(FeatureLevelRecord(METADATA_VERSION, LATEST_METADATA_VERSION))]


def activate(
    image: MetadataImage,
    open_transaction: int | None,
    bootstrap: Sequence[ApiMessageAndVersion],
    min_insync_replicas: int,
) -> ControllerResult[None]:
    """Records for an empty or half-begun log; none for one that is in order."""
    records: list[ApiMessageAndVersion] = []
    if open_transaction is not None:
        records.append(ApiMessageAndVersion(AbortTransactionRecord("Controller failover")))
    if METADATA_VERSION not in image.features:
        records.append(ApiMessageAndVersion(BeginTransactionRecord("Bootstrap records")))
        records += bootstrap
        if any(_enables_elr(record.message) for record in bootstrap):
            # ELR reasons with one min ISR for the whole cluster, so it must stand in the log.
            config = ConfigRecord(BROKER, "", "min.insync.replicas", str(min_insync_replicas))
            records.append(ApiMessageAndVersion(config))
        records.append(ApiMessageAndVersion(EndTransactionRecord()))
    return ControllerResult(records, None)


def _enables_elr(message: Message) -> bool:
    if not isinstance(message, FeatureLevelRecord):
        return False
    return message.name == ELIGIBLE_LEADER_REPLICAS and message.feature_level > 0
