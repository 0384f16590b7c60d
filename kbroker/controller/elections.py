"""How a partition changes when replicas come and go: ISR, ELR, leader.

    leader    stays if it may; else the first replica of the ISR that may lead;
              else, the ISR being empty, one of the ELR; else the last known
              leader; else, where unclean elections are allowed, any replica;
              else none
    ELR       replicas that left an ISR smaller than min.insync.replicas: they
              have all that was committed (KIP-966)
    unclean   the new leader may lack committed records: ISR := {leader},
              state RECOVERING

The builder changes nothing; it says the difference as a PartitionChangeRecord.
Kafka: `PartitionChangeBuilder`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from kbroker.metadata.delta import NO_LEADER_CHANGE
from kbroker.metadata.features import IBP_3_6_IV0, partition_record_version
from kbroker.metadata.image import NO_LEADER, RECOVERING, PartitionImage
from kbroker.metadata.records import ApiMessageAndVersion
from kbroker.protocol.generated.partition_change_record import PartitionChangeRecord


class ElectionRules(NamedTuple):
    """What holds for all partitions of one topic while one event is handled."""

    # May (broker, directory) lead?
    may_lead: Callable[[int, bytes], bool]
    metadata_version: int
    elr_enabled: bool
    min_isr: int
    unclean_allowed: bool = False


class PartitionChangeBuilder:
    __slots__ = ("_elr", "_isr", "_partition", "_record", "_rules")

    def __init__(self, topic_id: bytes, index: int, partition: PartitionImage, rules: ElectionRules) -> None:
        self._partition = partition
        self._rules = rules
        self._record = PartitionChangeRecord(index, topic_id)
        self._isr = list(partition.isr)
        self._elr = list(partition.elr)

    def remove_from_isr(self, replica: int) -> None:
        self._isr = [member for member in self._isr if member != replica]

    def build(self, unclean_shutdown: Collection[int] = ()) -> ApiMessageAndVersion | None:
        """The change; None if there is none. `unclean_shutdown` names replicas that may have lost records."""
        if self._rules.elr_enabled:
            self._maintain_elr(unclean_shutdown)
        self._elect()
        self._say_elr()
        self._say_isr()
        self._say_last_known_leader()
        record = self._record
        if record == PartitionChangeRecord(record.partition_id, record.topic_id):
            return None
        return ApiMessageAndVersion(record, partition_record_version(self._rules.metadata_version))

    def _maintain_elr(self, unclean_shutdown: Collection[int]) -> None:
        if len(self._isr) >= self._rules.min_isr:
            self._elr = []
            return
        candidates = {*self._elr, *self._partition.isr}
        self._elr = sorted(candidates.difference(self._isr, unclean_shutdown))

    def _elect(self) -> None:
        leader, unclean = self._candidate()
        if leader == self._partition.leader:
            return
        if leader in self._elr:
            self._isr = [leader]
            self._elr = [replica for replica in self._elr if replica != leader]
        self._record.leader = leader
        if unclean:
            self._record.isr = [leader]
            self._elr = []
            if self._partition.leader_recovery_state != RECOVERING:
                self._record.leader_recovery_state = RECOVERING

    def _candidate(self) -> tuple[int, bool]:
        """The best leader there is, and whether electing it is unclean."""
        replicas = self._partition.replicas
        for replica in (self._partition.leader, *replicas):
            if self._is_clean(replica):
                return replica, False
        last_known = self._partition.last_known_elr
        if (
            self._rules.elr_enabled
            and not self._isr
            and not self._elr
            and len(last_known) == 1
            and self._may_lead(last_known[0])
        ):
            return last_known[0], True
        if self._rules.unclean_allowed:
            for replica in replicas:
                if self._may_lead(replica):
                    return replica, True
        return NO_LEADER, False

    def _is_clean(self, replica: int) -> bool:
        eligible = self._isr or self._elr
        return replica in eligible and self._may_lead(replica)

    def _may_lead(self, replica: int) -> bool:
        partition = self._partition
        if replica not in partition.replicas:
            return False
        return self._rules.may_lead(replica, partition.directories[partition.replicas.index(replica)])

    def _say_elr(self) -> None:
        if not self._rules.elr_enabled:
            self._elr = []
        if tuple(self._elr) != self._partition.elr:
            self._record.eligible_leader_replicas = self._elr

    def _say_isr(self) -> None:
        record = self._record
        # Without ELR the last in-sync replica stays in the ISR: it is what may lead again.
        sayable = self._isr or self._rules.elr_enabled
        if record.isr is None and sayable and tuple(self._isr) != self._partition.isr:
            record.isr = self._isr
        shrunk = record.isr is not None and not set(self._partition.isr) <= set(record.isr)
        if shrunk and self._rules.metadata_version < IBP_3_6_IV0 and record.leader == NO_LEADER_CHANGE:
            # Brokers of that age fence followers by leader epoch only (KAFKA-15021).
            record.leader = self._partition.leader

    def _say_last_known_leader(self) -> None:
        if not self._rules.elr_enabled:
            return
        if self._record.leader == NO_LEADER and not self._partition.last_known_elr:
            self._record.last_known_elr = [self._partition.leader]
        elif self._record.leader >= 0 and self._partition.last_known_elr:
            self._record.last_known_elr = []
