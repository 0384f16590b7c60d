"""Partition logs in Kafka's own files, byte for byte.

    LogDirectory ─ one log directory: lock, identity, checkpoints, all its logs
      └ PartitionLog ─ append, read, truncate, delete; one per topic partition
          ├ Segment ─ .log with its .index, .timeindex, .txnindex
          ├ ProducerStates ─ idempotence and open transactions, .snapshot
          └ LeaderEpochs ─ leader-epoch-checkpoint

Synchronous: files only through `environment.Disk`, time only as an argument.
fsync, unlinking and writeback are handed out as work for the edge to run off
the loop. This room must never know who leads, who is in sync, or who asks.

Why indexes are written only on roll and close: they can be rebuilt, an
unclean stop rebuilds them in any case, and so an idle partition needs no
open file and an append needs one write. Kafka reads such directories as its
own, after a clean stop and after a kill.

Why reads verify: bytes that this process neither wrote nor scanned since it
started are checked against their CRC once, before they are first handed out,
a bounded piece per read. Everything later goes out by sendfile unread. A
damaged batch answers CORRUPT_MESSAGE, its neighbours are served.

Differences to Kafka: a checkpoint that can't be read is rebuilt, not fatal;
after an unclean stop a log that is not compacted ends at the first gap
between segments; segments of message formats 0 and 1 are refused, not read.
"""
