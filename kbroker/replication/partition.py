"""One partition's replicas: who leads, who is in sync, what is committed.

Pure: no clock, files or tasks; the log underneath does its own input and
output. Kafka: `Partition`.

    states     Leader ⇄ Follower, by the metadata log only;
               either → Unavailable (storage failed, or deleted), for good

    invariant  log_start_offset ≤ high_watermark ≤ log_end_offset
    invariant  the high watermark of a leader never falls
    invariant  nothing is committed that `flush.messages` still wants on disk
               (`PartitionLog.high_watermark_limit`)

Why an append does not flush by itself, as in Kafka: that would stop all other
clients. Appends wait for the flush they made due and share it (group commit).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kbroker.log.config import NO_LIMIT
from kbroker.protocol import errors
from kbroker.protocol.errors import KafkaError

if TYPE_CHECKING:
    from kbroker.log.partition_log import AppendInfo, AppendOrigin, PartitionLog
    from kbroker.metadata.image import PartitionImage
    from kbroker.protocol.primitives import Part

NO_LEADER = -1
NO_EPOCH = -1
ACKS_ALL = -1
# A follower that has not fetched since this node leads.
_UNKNOWN_OFFSET = -1


class Partition:
    """The replica of one partition on this node."""

    __slots__ = (
        "_alone",
        "_follower_end_offsets",
        "epoch_start_offset",
        "index",
        "is_leader",
        "isr",
        "key",
        "leader",
        "leader_epoch",
        "log",
        "min_insync_replicas",
        "node_id",
        "partition_epoch",
        "replicas",
        "topic",
        "topic_id",
        "unavailable",
    )

    def __init__(self, node_id: int, topic_id: bytes, log: PartitionLog) -> None:
        self.node_id = node_id
        self.topic = log.topic
        self.index = log.partition
        self.key = (log.topic, log.partition)
        self.topic_id = topic_id
        self.log = log
        self.replicas: tuple[int, ...] = ()
        self.isr: tuple[int, ...] = ()
        self.leader = NO_LEADER
        self.leader_epoch = NO_EPOCH
        self.partition_epoch = -1
        self.is_leader = False
        # Where the log ended when this node began to lead in the current epoch.
        self.epoch_start_offset: int | None = None
        # The error every request gets once this replica is out of service.
        self.unavailable = errors.NONE
        # As configured for the topic.
        self.min_insync_replicas = 1
        # No other replica has a say in the high watermark.
        self._alone = False
        self._follower_end_offsets: dict[int, int] = {}

    # --- leadership -----------------------------------------------------------------------------

    def update(self, image: PartitionImage) -> None:
        """Take over what the metadata log says. Whoever waits must look again."""
        if image.partition_epoch < self.partition_epoch or self.unavailable:
            return
        self.partition_epoch = image.partition_epoch
        self.replicas = tuple(image.replicas)
        self.isr = tuple(image.isr)
        self.leader = image.leader
        if image.leader == self.node_id:
            self._lead(image.leader_epoch)
        else:
            self._follow(image.leader_epoch)

    def _lead(self, leader_epoch: int) -> None:
        if leader_epoch > self.leader_epoch or not self.is_leader:
            # Recorded before the first append of the epoch: a follower with records of an epoch that
            # never got one here must still find out where to truncate.
            self.epoch_start_offset = self.log.log_end_offset
            self.log.assign_epoch(leader_epoch)
            self._follower_end_offsets = dict.fromkeys(self._others(), _UNKNOWN_OFFSET)
        else:
            known = self._follower_end_offsets
            self._follower_end_offsets = {id_: known.get(id_, _UNKNOWN_OFFSET) for id_ in self._others()}
        self.leader_epoch = leader_epoch
        self.is_leader = True
        self._alone = self.replicas == (self.node_id,)
        self.advance_high_watermark()

    def _follow(self, leader_epoch: int) -> None:
        self.leader_epoch = leader_epoch
        self.is_leader = False
        self.epoch_start_offset = None
        self._alone = False
        self._follower_end_offsets = {}

    def _others(self) -> list[int]:
        return [id_ for id_ in self.replicas if id_ != self.node_id]

    def take_out_of_service(self, error_code: int) -> None:
        """Storage failed or the partition was deleted: answer `error_code` from now on."""
        self.unavailable = error_code
        self.is_leader = False

    def check_leader_epoch(self, current_leader_epoch: int) -> None:
        """Fence a client that knows another leader epoch; -1 means it doesn't say."""
        if self.unavailable:
            raise KafkaError(self.unavailable)
        if current_leader_epoch not in (NO_EPOCH, self.leader_epoch):
            raise KafkaError(
                errors.FENCED_LEADER_EPOCH
                if current_leader_epoch < self.leader_epoch
                else errors.UNKNOWN_LEADER_EPOCH
            )

    def local_log(self, current_leader_epoch: int = NO_EPOCH, *, only_leader: bool = True) -> PartitionLog:
        """The log, for a client that is not fenced and, if `only_leader`, has come to the leader."""
        if current_leader_epoch != self.leader_epoch or self.unavailable:
            self.check_leader_epoch(current_leader_epoch)
        if only_leader and not self.is_leader:
            raise KafkaError(errors.NOT_LEADER_OR_FOLLOWER)
        return self.log

    # --- append ---------------------------------------------------------------------------------

    def append(
        self, records: memoryview, acks: int, now_ms: int, origin: AppendOrigin, produce_version: int
    ) -> AppendInfo:
        """Append one batch as the leader."""
        if not self.is_leader:
            raise KafkaError(self.unavailable or errors.NOT_LEADER_OR_FOLLOWER)
        if acks == ACKS_ALL and not self._alone and self.under_min_isr:
            raise KafkaError(
                errors.NOT_ENOUGH_REPLICAS,
                f"{len(self.isr)} in-sync replicas, min.insync.replicas asks for {self.min_isr}",
            )
        return self.log.append_as_leader(records, self.leader_epoch, now_ms, origin, produce_version)

    @property
    def acknowledges_at_once(self) -> bool:
        """Whether what is appended here is committed by that, whatever acks asks for."""
        return self._alone and self.log.config.flush_messages == NO_LIMIT

    def outcome(self, last_offset: int, acks: int) -> int | None:
        """The error code to acknowledge an append up to `last_offset` with; None: not decided yet."""
        if not self.is_leader:
            return self.unavailable or errors.NOT_LEADER_OR_FOLLOWER
        if acks != ACKS_ALL:
            return errors.NONE if last_offset < self.log.high_watermark_limit else None
        if self.log.high_watermark <= last_offset:
            return None
        # The in-sync replicas may have become fewer after the append.
        if not self._alone and self.under_min_isr:
            return errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND
        return errors.NONE

    # --- read -----------------------------------------------------------------------------------

    def read(self, offset: int, upper_offset: int, max_bytes: int, at_least_one: bool) -> Part:
        """Whole batches from the one that holds `offset` up to `upper_offset`, exclusive."""
        log = self.log
        if log.log_start_offset <= offset < upper_offset:
            return log.read(offset, max_bytes, upper_offset, at_least_one=at_least_one) or b""
        if not log.log_start_offset <= offset <= log.log_end_offset:
            raise KafkaError(errors.OFFSET_OUT_OF_RANGE)
        return b""

    def diverging_epoch(self, last_fetched_epoch: int, fetch_offset: int) -> tuple[int, int] | None:
        """(epoch, end offset) to truncate to, for a client whose history is not this log's (KIP-595)."""
        epoch, end_offset = self.log.end_offset_for_epoch(last_fetched_epoch)
        if epoch < 0 or end_offset < 0 or fetch_offset < self.log.log_start_offset:
            raise KafkaError(errors.OFFSET_OUT_OF_RANGE)
        if epoch < last_fetched_epoch or end_offset < fetch_offset:
            return epoch, end_offset
        return None

    # --- what is committed ----------------------------------------------------------------------

    @property
    def min_isr(self) -> int:
        """`min.insync.replicas`, but never more than there are replicas."""
        return min(self.min_insync_replicas, len(self.replicas))

    @property
    def under_min_isr(self) -> bool:
        return len(self.isr) < self.min_isr

    def advance_high_watermark(self) -> bool:
        """Commit what all in-sync replicas have; True when the high watermark moved."""
        log = self.log
        committed = log.high_watermark_limit
        if not self._alone:
            # With fewer replicas than the operator asked for, nothing more is promised to anybody
            # (KIP-966), not even to consumers of acks=1 records.
            if not self.is_leader or self.under_min_isr:
                return False
            # The slowest in-sync replica decides. A follower outside the ISR has no say, else one
            # dead broker would hold up every acks=all producer.
            for replica_id, end_offset in self._follower_end_offsets.items():
                if end_offset < committed and replica_id in self.isr:
                    committed = end_offset
        if committed <= log.high_watermark:
            return False
        log.commit(committed)
        return True

    def on_follower_fetch(self, replica_id: int, fetch_offset: int) -> bool:
        """Follower `replica_id` asks from `fetch_offset` on, so it has all before; True: HW moved."""
        if self._follower_end_offsets.get(replica_id, fetch_offset) >= fetch_offset:
            return False
        self._follower_end_offsets[replica_id] = fetch_offset
        return self.advance_high_watermark()

    @property
    def is_under_replicated(self) -> bool:
        return self.is_leader and len(self.isr) < len(self.replicas)
