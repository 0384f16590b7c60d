"""Which of Kafka's broker keys kbroker acts on.

All others are accepted too, with one line of log that says so, but for the few
that would promise protection.
"""

SUPPORTED = frozenset(
    (
        # who this node is, where it listens and keeps its data
        "node.id",
        "broker.id",
        "broker.rack",
        "process.roles",
        "listeners",
        "advertised.listeners",
        "listener.security.protocol.map",
        "inter.broker.listener.name",
        "controller.listener.names",
        "controller.quorum.voters",
        "controller.quorum.bootstrap.servers",
        "log.dirs",
        "log.dir",
        "metadata.log.dir",
        # connections and requests
        "connections.max.idle.ms",
        "max.connections",
        "max.connections.per.ip",
        "max.connections.per.ip.overrides",
        "max.request.partition.size.limit",
        "queued.max.request.bytes",
        "socket.listen.backlog.size",
        "socket.receive.buffer.bytes",
        "socket.request.max.bytes",
        "socket.send.buffer.bytes",
        # topics
        "auto.create.topics.enable",
        "default.replication.factor",
        "delete.topic.enable",
        "min.insync.replicas",
        "num.partitions",
        "unclean.leader.election.enable",
        # produce and fetch
        "fetch.max.bytes",
        "max.incremental.fetch.session.cache.slots",
        "message.max.bytes",
        "compression.type",
        "compression.gzip.level",
        "compression.lz4.level",
        "compression.zstd.level",
        # the log
        "log.cleanup.policy",
        "log.cleaner.max.compaction.lag.ms",
        "log.flush.interval.messages",
        "log.flush.interval.ms",
        "log.flush.offset.checkpoint.interval.ms",
        "log.flush.scheduler.interval.ms",
        "log.flush.start.offset.checkpoint.interval.ms",
        "log.index.interval.bytes",
        "log.index.size.max.bytes",
        "log.message.timestamp.after.max.ms",
        "log.message.timestamp.before.max.ms",
        "log.message.timestamp.type",
        "log.retention.bytes",
        "log.retention.check.interval.ms",
        "log.retention.hours",
        "log.retention.minutes",
        "log.retention.ms",
        "log.roll.hours",
        "log.roll.jitter.hours",
        "log.roll.jitter.ms",
        "log.roll.ms",
        "log.segment.bytes",
        "log.segment.delete.delay.ms",
        "replica.high.watermark.checkpoint.interval.ms",
        # cluster metadata
        "broker.session.timeout.ms",
        "metadata.log.segment.bytes",
        "metadata.log.segment.ms",
        "metadata.max.retention.bytes",
        "metadata.max.retention.ms",
        "metadata.log.max.record.bytes.between.snapshots",
        "metadata.log.max.snapshot.interval.ms",
        # groups and their offsets
        "group.initial.rebalance.delay.ms",
        "group.max.session.timeout.ms",
        "group.max.size",
        "group.min.session.timeout.ms",
        "offset.metadata.max.bytes",
        "offsets.commit.timeout.ms",
        "offsets.retention.check.interval.ms",
        "offsets.retention.minutes",
        "offsets.topic.compression.codec",
        "offsets.topic.num.partitions",
        "offsets.topic.replication.factor",
        "offsets.topic.segment.bytes",
        # internal topics of what comes later, created as configured
        "share.coordinator.state.topic.min.isr",
        "share.coordinator.state.topic.num.partitions",
        "share.coordinator.state.topic.replication.factor",
        "share.coordinator.state.topic.segment.bytes",
        "transaction.state.log.min.isr",
        "transaction.state.log.num.partitions",
        "transaction.state.log.replication.factor",
        "transaction.state.log.segment.bytes",
    )
)

# kbroker has no such threads, pools, purgatories or JVM classes to tune.
MEANINGLESS = frozenset(
    (
        "background.threads",
        "controller.performance.always.log.threshold.ms",
        "controller.performance.sample.period.ms",
        "delete.records.purgatory.purge.interval.requests",
        "fetch.purgatory.purge.interval.requests",
        "group.coordinator.background.threads",
        "group.coordinator.threads",
        "kafka.metrics.polling.interval.secs",
        "kafka.metrics.reporters",
        "log.cleaner.threads",
        "metric.reporters",
        "metrics.num.samples",
        "metrics.recording.level",
        "metrics.sample.window.ms",
        "num.io.threads",
        "num.network.threads",
        "num.recovery.threads.per.data.dir",
        "producer.purgatory.purge.interval.requests",
        "security.providers",
        "share.coordinator.threads",
        "share.fetch.purgatory.purge.interval.requests",
    )
)

# Asking for one of these and not getting it would leave a broker open that was meant to be closed.
REFUSED = frozenset(("authorizer.class.name",))

# Keys of Apache Kafka 1 to 3 that 4.x no longer knows; tutorials still carry them.
REMOVED = frozenset(
    (
        "advertised.host.name",
        "advertised.port",
        "broker.id.generation.enable",
        "control.plane.listener.name",
        "host.name",
        "inter.broker.protocol.version",
        "log.message.downconversion.enable",
        "log.message.format.version",
        "log.message.timestamp.difference.max.ms",
        "password.encoder.secret",
        "port",
        "quota.consumer.default",
        "quota.producer.default",
        "replica.lag.max.messages",
        "reserved.broker.max.id",
        "zookeeper.clientCnxnSocket",
        "zookeeper.connect",
        "zookeeper.connection.timeout.ms",
        "zookeeper.max.in.flight.requests",
        "zookeeper.metadata.migration.enable",
        "zookeeper.session.timeout.ms",
        "zookeeper.set.acl",
    )
)

# Keys that belong to plug-ins or to other distributions of Kafka.
FOREIGN_KEYS = frozenset(("allow.everyone.if.no.acl.found", "super.users"))
FOREIGN_PREFIXES = ("confluent.", "rlmm.config.", "rsm.config.", "config.providers.", "zookeeper.ssl.")
