"""What every setting means, in a sentence or two.

Apart from the keys themselves so that a start does not read it: only
DescribeConfigs and the README's tables ask.
"""

from kbroker.config.broker_keys import BROKER_KEYS
from kbroker.config.group_keys import GROUP_SYNONYM
from kbroker.config.topic_keys import SERVER_SYNONYM


def documentation(name: str) -> str | None:
    """The meaning of a key of any resource; None if nobody knows it."""
    text = _TEXTS.get(name)
    if text is None and name in _TOPIC_KEY_OF:
        text = f"For topics without a value of their own. {_TEXTS[_TOPIC_KEY_OF[name]]}"
    if text is None and name in _GROUP_KEY_OF:
        text = f"For groups without a value of their own. {_TEXTS[_GROUP_KEY_OF[name]]}"
    return text or _bound(name)


def _bound(name: str) -> str | None:
    """`group.<kind>.min.<rest>` and `.max.` limit what `<kind>.<rest>` may be."""
    for part, words in ((".min.", "smallest"), (".max.", "largest")):
        head, found, rest = name.partition(part)
        key = f"{head.removeprefix('group.')}.{rest}"
        if found and name in BROKER_KEYS and key in GROUP_SYNONYM:
            return f"The {words} value that {key} may have in a group."
    return None


_TOPIC_KEY_OF = {broker: topic for topic, broker in SERVER_SYNONYM.items() if topic != broker}
_GROUP_KEY_OF = {broker: group for group, broker in GROUP_SYNONYM.items()}

_TEXTS: dict[str, str] = {
    # topics
    "cleanup.policy": (
        "What happens to old records: delete drops segments by age and size, compact keeps the last "
        "record of each key; both may be named, or neither."
    ),
    "compression.gzip.level": "Level of gzip when compression.type is gzip.",
    "compression.lz4.level": "Level of lz4 when compression.type is lz4.",
    "compression.type": "The codec records are stored in; producer keeps what the producer chose.",
    "compression.zstd.level": "Level of zstd when compression.type is zstd.",
    "delete.retention.ms": "How long compaction keeps tombstones and transaction markers.",
    "file.delete.delay.ms": "How long a removed segment stays on disk under another name.",
    "flush.messages": "After this many records a partition is forced to disk before it answers.",
    "flush.ms": "After this time unflushed records of a partition are forced to disk.",
    "follower.replication.throttled.replicas": (
        "Replicas whose fetching is throttled, as partition:broker pairs or *."
    ),
    "index.interval.bytes": "How many bytes of records lie between two entries of the offset index.",
    "internal.segment.bytes": "Like segment.bytes without its lower limit; for tests.",
    "leader.replication.throttled.replicas": (
        "Replicas whose serving of followers is throttled, as partition:broker pairs or *."
    ),
    "local.retention.bytes": (
        "With tiered storage, how many bytes of a partition stay local; -2 as retention.bytes."
    ),
    "local.retention.ms": "With tiered storage, how long records stay local; -2 as retention.ms.",
    "max.compaction.lag.ms": "The longest a record may wait for compaction.",
    "max.message.bytes": "The largest record batch accepted, with its header, as compressed.",
    "message.timestamp.after.max.ms": "How far a record's timestamp may lie in the future.",
    "message.timestamp.before.max.ms": "How far a record's timestamp may lie in the past.",
    "message.timestamp.type": "Whether records keep the producer's time or get that of the append.",
    "min.cleanable.dirty.ratio": "A log is compacted when at least this part of it has not been yet.",
    "min.compaction.lag.ms": "The shortest time a record stays untouched by compaction.",
    "min.insync.replicas": "How many replicas must be in sync for a write with acks=all to be taken.",
    "preallocate": "Whether a new segment's file gets its full size at once.",
    "remote.log.copy.disable": "Whether tiered data become read-only.",
    "remote.log.delete.on.disable": "Whether tiered data are deleted when tiering is switched off.",
    "remote.storage.enable": "Whether old segments move to tiered storage.",
    "retention.bytes": "How many bytes a partition keeps before its oldest segments go; -1 for no limit.",
    "retention.ms": "How long records are kept at least; -1 for ever.",
    "segment.bytes": "The size at which a partition begins a new segment.",
    "segment.index.bytes": "The largest size of a segment's offset index.",
    "segment.jitter.ms": "Random time taken off segment.ms, so that partitions do not roll all at once.",
    "segment.ms": "The age at which a partition begins a new segment even if it is small.",
    "unclean.leader.election.enable": (
        "Whether a replica that is not in sync may lead when no other can, losing data."
    ),
    # groups
    "consumer.assignment.interval.ms": "The shortest time between two assignments of a consumer group.",
    "consumer.heartbeat.interval.ms": "How often members of a consumer group send a heartbeat.",
    "consumer.session.timeout.ms": (
        "After how long without a heartbeat a member of a consumer group is dropped."
    ),
    "share.assignment.interval.ms": "The shortest time between two assignments of a share group.",
    "share.auto.offset.reset": "Where a share group begins: latest, earliest or by_duration: and a duration.",
    "share.delivery.count.limit": "How often a share group delivers a record at most.",
    "share.heartbeat.interval.ms": "How often members of a share group send a heartbeat.",
    "share.isolation.level": "Whether a share group sees records of open and aborted transactions.",
    "share.partition.max.record.locks": (
        "How many records of a partition may be in delivery in a share group."
    ),
    "share.record.lock.duration.ms": "How long a member of a share group has to acknowledge a record.",
    "share.renew.acknowledge.enable": "Whether members of a share group may prolong a record's lock.",
    "share.session.timeout.ms": "After how long without a heartbeat a member of a share group is dropped.",
    "streams.assignment.interval.ms": "The shortest time between two assignments of a streams group.",
    "streams.heartbeat.interval.ms": "How often members of a streams group send a heartbeat.",
    "streams.initial.rebalance.delay.ms": "How long a new streams group waits for more members.",
    "streams.num.standby.replicas": "How many standby copies each task's state has.",
    "streams.session.timeout.ms": (
        "After how long without a heartbeat a member of a streams group is dropped."
    ),
    # client metrics
    "interval.ms": "How often clients push their metrics.",
    "match": "Which clients a subscription is for, as parameter=pattern.",
    "metrics": "Prefixes of the metrics a subscription asks for; * for all.",
    # kbroker's own
    "kbroker.admin.listener": "Address of /health, /v1/status/ready and /metrics; empty switches it off.",
    "kbroker.cluster.id": (
        "The cluster id written at the first start; empty for a random one. The variable CLUSTER_ID sets "
        "it too."
    ),
    "kbroker.connection.queue.max": (
        "How many answers one connection may be owed before it is read no further."
    ),
    "kbroker.driver": (
        "What moves the clients' bytes: epoll, one task for all connections; tasks, one for each; auto takes "
        "epoll where the system has it."
    ),
    "kbroker.frame.timeout.ms": "How long a client may take to finish sending one request.",
    "kbroker.log.format": "Log lines as text for people or json for machines.",
    "kbroker.log.level": "Which log lines are written: DEBUG, INFO, WARNING or ERROR and above.",
    "kbroker.mode": "Which defaults hold: dev for a laptop or a test, kafka for those of Apache Kafka.",
    "kbroker.queued.bytes.max": (
        "Bytes of requests held in memory by all connections together; by default "
        "queued.max.request.bytes where that is set."
    ),
    "kbroker.topics": (
        "Topics created at start: name:partitions:replication factor[:cleanup.policy], separated by "
        "commas. The variable KAFKA_CREATE_TOPICS sets it too."
    ),
    "kbroker.unauthenticated.request.max.bytes": (
        "The largest request taken from a connection before its first valid one."
    ),
    # brokers
    "add.partitions.to.txn.retry.backoff.max.ms": (
        "The longest time between two tries to add partitions to a transaction."
    ),
    "add.partitions.to.txn.retry.backoff.ms": (
        "The time between two tries to add partitions to a transaction."
    ),
    "advertised.listeners": (
        "Addresses clients are told to connect to. A listener left out is auto: each client is told the "
        "address and port it used."
    ),
    "alter.config.policy.class.name": "A Java class that may refuse changes of settings.",
    "alter.log.dirs.replication.quota.window.num": "Samples kept for the quota of moves between directories.",
    "alter.log.dirs.replication.quota.window.size.seconds": (
        "Length of a sample for the quota of moves between directories."
    ),
    "authorizer.class.name": "The Java class that decides who may do what.",
    "auto.create.topics.enable": "Whether a topic comes into being when a client asks for it.",
    "auto.leader.rebalance.enable": "Whether leadership moves back to preferred replicas by itself.",
    "background.threads": "Threads for background work in Apache Kafka.",
    "broker.heartbeat.interval.ms": "How often a broker sends a heartbeat to the controller.",
    "broker.id": "The older name of node.id.",
    "broker.rack": "The rack or zone this broker is in.",
    "broker.session.timeout.ms": "After how long without a heartbeat the controller fences a broker.",
    "client.quota.callback.class": "A Java class that computes quotas.",
    "config.providers": "Java classes that fetch values of settings from elsewhere.",
    "connection.failed.authentication.delay.ms": (
        "How long a connection stays open after failed authentication."
    ),
    "connections.max.idle.ms": "After how long without a request a connection is closed.",
    "connections.max.reauth.ms": (
        "How long a SASL session lasts before it must authenticate again; 0 for no limit."
    ),
    "controlled.shutdown.enable": "Whether a stopping broker first hands over what it leads.",
    "controller.listener.names": "Which of listeners belong to the controller.",
    "controller.performance.always.log.threshold.ms": "Controller events slower than this are logged.",
    "controller.performance.sample.period.ms": "How often the controller logs its slowest event.",
    "controller.quorum.append.linger.ms": (
        "How long the controller's leader gathers records before it writes them."
    ),
    "controller.quorum.auto.join.enable": "Whether a new controller becomes a voter by itself.",
    "controller.quorum.bootstrap.servers": "Addresses by which to find the controllers.",
    "controller.quorum.election.backoff.max.ms": "The longest wait between two elections of a controller.",
    "controller.quorum.election.timeout.ms": "How long a candidate waits for votes.",
    "controller.quorum.fetch.max.bytes": "How many bytes of metadata one fetch between controllers returns.",
    "controller.quorum.fetch.snapshot.max.bytes": (
        "How many bytes of a snapshot one fetch between controllers returns."
    ),
    "controller.quorum.fetch.timeout.ms": "After how long without a fetch a controller asks for an election.",
    "controller.quorum.request.timeout.ms": "How long a controller waits for another's answer.",
    "controller.quorum.retry.backoff.ms": "The time between two tries of a request to a controller.",
    "controller.quorum.voters": "The voting controllers, as id@host:port.",
    "controller.quota.window.num": "Samples kept for the quota of changes to topics.",
    "controller.quota.window.size.seconds": "Length of a sample for the quota of changes to topics.",
    "controller.socket.timeout.ms": "How long a broker waits for the controller's answer.",
    "cordoned.log.dirs": "Directories that get no new partitions.",
    "create.topic.policy.class.name": "A Java class that may refuse new topics.",
    "default.replication.factor": "Replicas of topics created without a number.",
    "delegation.token.expiry.check.interval.ms": "How often expired delegation tokens are removed.",
    "delegation.token.expiry.time.ms": "How long a delegation token lives unless it is renewed.",
    "delegation.token.max.lifetime.ms": "How long a delegation token can live at most.",
    "delegation.token.secret.key": "The secret delegation tokens are made with; the same on every broker.",
    "delete.records.purgatory.purge.interval.requests": (
        "How often Apache Kafka cleans its list of waiting DeleteRecords."
    ),
    "delete.topic.enable": "Whether topics can be deleted.",
    "early.start.listeners": "Listeners that open before access rules are loaded.",
    "fetch.max.bytes": "The most bytes one fetch returns, whatever the client asks for.",
    "fetch.purgatory.purge.interval.requests": "How often Apache Kafka cleans its list of waiting fetches.",
    "follower.fetch.last.tiered.offset.enable": (
        "Whether a new replica begins at the last offset in tiered storage."
    ),
    "follower.replication.throttled.rate": "Bytes per second a broker's throttled replicas fetch.",
    "group.consumer.assignors": "Server-side assignors of consumer groups, the first being the default.",
    "group.consumer.max.size": "The most members of a consumer group.",
    "group.consumer.migration.policy": (
        "Which conversions between classic and consumer groups happen by themselves."
    ),
    "group.consumer.regex.refresh.interval.ms": (
        "How often regular expressions of subscriptions are resolved again."
    ),
    "group.coordinator.append.linger.ms": (
        "How long group changes are gathered before they are written; -1 adapts."
    ),
    "group.coordinator.background.threads": (
        "Threads for the background work of Apache Kafka's group coordinator."
    ),
    "group.coordinator.cached.buffer.max.bytes": "The largest write buffer the group coordinator keeps.",
    "group.coordinator.rebalance.protocols": "Which kinds of groups there may be.",
    "group.coordinator.threads": "Threads of Apache Kafka's group coordinator.",
    "group.initial.rebalance.delay.ms": (
        "How long a new classic group waits for more members before its first rebalance."
    ),
    "group.max.session.timeout.ms": "The largest session timeout a member of a classic group may ask for.",
    "group.max.size": "The most members of a classic group.",
    "group.min.session.timeout.ms": "The smallest session timeout a member of a classic group may ask for.",
    "group.share.assignors": "Server-side assignors of share groups.",
    "group.share.initialize.retry.interval.ms": (
        "The time between two tries to set up a share group's partition."
    ),
    "group.share.max.share.sessions": "The most share sessions on a broker.",
    "group.share.max.size": "The most members of a share group.",
    "group.share.persister.class.name": "The Java class that keeps the state of share groups.",
    "group.streams.max.size": "The most members of a streams group.",
    "group.streams.max.standby.replicas": (
        "The largest value that streams.num.standby.replicas may have in a group."
    ),
    "initial.broker.registration.timeout.ms": (
        "How long a starting broker tries to register before it gives up."
    ),
    "inter.broker.listener.name": "The listener brokers use among themselves.",
    "internal.metadata.delete.delay.millis": "How long removed segments of the metadata log stay on disk.",
    "internal.metadata.log.segment.bytes": (
        "Like metadata.log.segment.bytes without its lower limit; for tests."
    ),
    "internal.metadata.max.batch.size.in.bytes": "The largest batch of the metadata log.",
    "kafka.metrics.polling.interval.secs": "How often Apache Kafka's metrics reporters are asked.",
    "kafka.metrics.reporters": "Java classes that report Apache Kafka's metrics.",
    "leader.imbalance.check.interval.seconds": "How often the controller looks for leaders to move back.",
    "leader.replication.throttled.rate": "Bytes per second a broker serves to throttled followers.",
    "listener.security.protocol.map": "The security protocol of each listener's name.",
    "listeners": (
        "Addresses to listen on, as NAME://host:port; an empty host means every interface, port 0 a free one."
    ),
    "log.cleaner.backoff.ms": "How long the cleaner rests when nothing is to be compacted.",
    "log.cleaner.dedupe.buffer.size": "Memory for the keys of a compaction.",
    "log.cleaner.enable": "Whether logs are compacted at all.",
    "log.cleaner.io.buffer.load.factor": "How full the cleaner's key buffer may get.",
    "log.cleaner.io.buffer.size": "Memory of the cleaner for reading and writing.",
    "log.cleaner.io.max.bytes.per.second": "How fast the cleaner reads and writes at most.",
    "log.cleaner.threads": "Threads that compact logs.",
    "log.dir": "The data directory if log.dirs is not set.",
    "log.dir.failure.timeout.ms": "How long a broker with a failed directory tries to tell the controller.",
    "log.dirs": "The data directory, in Apache Kafka's own layout.",
    "log.flush.interval.ms": (
        "After this time unflushed records of a partition are forced to disk; default of flush.ms."
    ),
    "log.flush.offset.checkpoint.interval.ms": (
        "How often the offsets up to which logs are on disk are written down."
    ),
    "log.flush.scheduler.interval.ms": "How often logs are looked at for a flush.",
    "log.flush.start.offset.checkpoint.interval.ms": "How often the first offsets of logs are written down.",
    "log.initial.task.delay.ms": "How long after the start the first look at retention comes.",
    "log.retention.check.interval.ms": "How often logs are looked at for old segments.",
    "log.retention.hours": (
        "How long records are kept, unless log.retention.minutes or log.retention.ms is set."
    ),
    "log.retention.minutes": "How long records are kept, unless log.retention.ms is set.",
    "log.roll.hours": "The age at which a partition begins a new segment, unless log.roll.ms is set.",
    "log.roll.jitter.hours": "Random time taken off log.roll.hours, unless log.roll.jitter.ms is set.",
    "max.connection.creation.rate": "New connections per second on a broker at most.",
    "max.connections": "Connections at most, on all listeners together.",
    "max.connections.per.ip": "Connections from one address at most.",
    "max.connections.per.ip.overrides": "Other limits of connections for some addresses, as address:count.",
    "max.incremental.fetch.session.cache.slots": "How many incremental fetch sessions are kept.",
    "max.request.partition.size.limit": "The most partitions one DescribeTopicPartitions describes.",
    "metadata.log.dir": "The directory of the metadata log, if it is not the first of log.dirs.",
    "metadata.log.max.record.bytes.between.snapshots": (
        "How many bytes of metadata records lead to a snapshot."
    ),
    "metadata.log.max.snapshot.interval.ms": "How old the newest metadata snapshot gets at most.",
    "metadata.log.segment.bytes": "The size at which the metadata log begins a new segment.",
    "metadata.log.segment.ms": "The age at which the metadata log begins a new segment.",
    "metadata.max.idle.interval.ms": (
        "How often an idle controller writes a record to show it lives; 0 for never."
    ),
    "metadata.max.retention.bytes": "How many bytes of old metadata log and snapshots are kept.",
    "metadata.max.retention.ms": "How long old metadata log and snapshots are kept.",
    "metric.reporters": "Java classes that report metrics.",
    "metrics.num.samples": "Samples kept for each of Apache Kafka's metrics.",
    "metrics.recording.level": "How much detail Apache Kafka's metrics have.",
    "metrics.sample.window.ms": "Length of a sample of Apache Kafka's metrics.",
    "node.id": "The number of this node.",
    "num.io.threads": "Threads that handle requests in Apache Kafka.",
    "num.network.threads": "Threads that serve the network in Apache Kafka.",
    "num.partitions": "Partitions of topics created without a number.",
    "num.recovery.threads.per.data.dir": "Threads per directory that load logs in Apache Kafka.",
    "num.replica.alter.log.dirs.threads": "Threads that move replicas between directories.",
    "num.replica.fetchers": "Fetchers per other broker that copy its records.",
    "offset.metadata.max.bytes": "The largest metadata string of a committed offset.",
    "offsets.commit.timeout.ms": "How long a commit of offsets waits for its replicas.",
    "offsets.load.buffer.size": "How many bytes are read at once when offsets are loaded.",
    "offsets.retention.check.interval.ms": "How often old committed offsets are looked for.",
    "offsets.retention.minutes": "How long offsets of an empty group are kept.",
    "offsets.topic.compression.codec": "The codec of the offsets topic, as a number.",
    "offsets.topic.num.partitions": "Partitions of the offsets topic; not to be changed once it exists.",
    "offsets.topic.replication.factor": (
        "Replicas of the offsets topic; in dev mode, unless set, no more than there are brokers."
    ),
    "offsets.topic.segment.bytes": "Segment size of the offsets topic.",
    "principal.builder.class": "The Java class that says who a connection is.",
    "process.roles": "What this process is: a single node is broker,controller.",
    "producer.id.expiration.check.interval.ms": "How often forgotten producer ids are looked for.",
    "producer.id.expiration.ms": "How long an idle idempotent producer is remembered.",
    "producer.purgatory.purge.interval.requests": (
        "How often Apache Kafka cleans its list of waiting produces."
    ),
    "queued.max.request.bytes": "Bytes of requests that wait at most; -1 for no limit.",
    "queued.max.requests": "Requests that wait at most before connections are read no further.",
    "quota.window.num": "Samples kept for client quotas.",
    "quota.window.size.seconds": "Length of a sample for client quotas.",
    "remote.fetch.max.wait.ms": "How long a fetch waits for tiered storage.",
    "remote.list.offsets.request.timeout.ms": "How long a search for an offset in tiered storage may take.",
    "remote.log.index.file.cache.total.size.bytes": "Disk space for cached indexes of tiered segments.",
    "remote.log.index.file.cache.ttl.ms": "How long cached indexes of tiered segments are kept.",
    "remote.log.manager.copier.thread.pool.size": "Threads that copy segments to tiered storage.",
    "remote.log.manager.copy.max.bytes.per.second": "How fast segments are copied to tiered storage.",
    "remote.log.manager.copy.quota.window.num": "Samples kept for the quota of copies to tiered storage.",
    "remote.log.manager.copy.quota.window.size.seconds": (
        "Length of a sample for the quota of copies to tiered storage."
    ),
    "remote.log.manager.expiration.thread.pool.size": "Threads that remove expired tiered segments.",
    "remote.log.manager.fetch.max.bytes.per.second": "How fast tiered segments are read.",
    "remote.log.manager.fetch.quota.window.num": "Samples kept for the quota of reads from tiered storage.",
    "remote.log.manager.fetch.quota.window.size.seconds": (
        "Length of a sample for the quota of reads from tiered storage."
    ),
    "remote.log.manager.follower.thread.pool.size": "Threads of followers for tiered storage.",
    "remote.log.manager.task.interval.ms": "How often tiered storage is tended.",
    "remote.log.manager.task.retry.backoff.max.ms": "The longest time between two tries with tiered storage.",
    "remote.log.manager.task.retry.backoff.ms": "The time between two tries with tiered storage.",
    "remote.log.manager.task.retry.jitter": "Random part of the time between two tries with tiered storage.",
    "remote.log.manager.thread.pool.size": "Threads that tend tiered storage.",
    "remote.log.metadata.custom.metadata.max.bytes": "The largest metadata a tiered storage plug-in may add.",
    "remote.log.metadata.manager.class.name": "The Java class that keeps the metadata of tiered storage.",
    "remote.log.metadata.manager.class.path": "Where the Java class for tiered metadata is found.",
    "remote.log.metadata.manager.impl.prefix": "Prefix of the settings of the tiered metadata class.",
    "remote.log.metadata.manager.listener.name": "The listener the tiered metadata class uses.",
    "remote.log.reader.max.pending.tasks": "Reads from tiered storage that wait at most.",
    "remote.log.reader.threads": "Threads that read from tiered storage.",
    "remote.log.storage.manager.class.name": "The Java class that is the tiered storage.",
    "remote.log.storage.manager.class.path": "Where the Java class for tiered storage is found.",
    "remote.log.storage.manager.impl.prefix": "Prefix of the settings of the tiered storage class.",
    "remote.log.storage.system.enable": "Whether there is tiered storage.",
    "replica.alter.log.dirs.io.max.bytes.per.second": "How fast replicas move between directories.",
    "replica.fetch.backoff.ms": "How long a follower waits after a failed fetch.",
    "replica.fetch.max.bytes": "How many bytes of a partition a follower fetches at once.",
    "replica.fetch.min.bytes": "How many bytes a follower waits for.",
    "replica.fetch.response.max.bytes": "How many bytes a follower fetches at once from all partitions.",
    "replica.fetch.wait.max.ms": "How long a follower's fetch waits for data.",
    "replica.high.watermark.checkpoint.interval.ms": "How often high watermarks are written down.",
    "replica.lag.time.max.ms": "After how long behind the leader a follower is out of sync.",
    "replica.selector.class": "A Java class that chooses which replica a consumer reads from.",
    "replica.socket.receive.buffer.bytes": "Receive buffer of a follower's connection.",
    "replica.socket.timeout.ms": "How long a follower waits for the leader's answer.",
    "replication.quota.window.num": "Samples kept for replication quotas.",
    "replication.quota.window.size.seconds": "Length of a sample for replication quotas.",
    "request.timeout.ms": "How long a broker waits for the answer to a request of its own.",
    "sasl.client.callback.handler.class": "A Java class for SASL on connections the broker opens.",
    "sasl.enabled.mechanisms": "The SASL mechanisms clients may use.",
    "sasl.jaas.config": "Users and passwords of SASL in JAAS form.",
    "sasl.kerberos.kinit.cmd": "Path of Kerberos' kinit.",
    "sasl.kerberos.min.time.before.relogin": "The shortest time between two Kerberos logins.",
    "sasl.kerberos.principal.to.local.rules": "How Kerberos principals become user names.",
    "sasl.kerberos.service.name": "The Kerberos service the brokers run as.",
    "sasl.kerberos.ticket.renew.jitter": "Random part of the time to a Kerberos renewal.",
    "sasl.kerberos.ticket.renew.window.factor": "After which part of its life a Kerberos ticket is renewed.",
    "sasl.login.callback.handler.class": "A Java class for SASL logins.",
    "sasl.login.class": "The Java class of SASL logins.",
    "sasl.login.connect.timeout.ms": "How long connecting to an OAuth provider may take.",
    "sasl.login.read.timeout.ms": "How long reading from an OAuth provider may take.",
    "sasl.login.refresh.buffer.seconds": "How long before it expires a login is refreshed at the latest.",
    "sasl.login.refresh.min.period.seconds": "The shortest time between two refreshes of a login.",
    "sasl.login.refresh.window.factor": "After which part of its life a login is refreshed.",
    "sasl.login.refresh.window.jitter": "Random part of the time to a refresh of a login.",
    "sasl.login.retry.backoff.max.ms": "The longest time between two tries of an OAuth login.",
    "sasl.login.retry.backoff.ms": "The time between two tries of an OAuth login.",
    "sasl.mechanism.controller.protocol": "The SASL mechanism towards controllers.",
    "sasl.mechanism.inter.broker.protocol": "The SASL mechanism among brokers.",
    "sasl.oauthbearer.assertion.algorithm": "How a client assertion is signed.",
    "sasl.oauthbearer.assertion.claim.aud": "The audience in a client assertion.",
    "sasl.oauthbearer.assertion.claim.exp.seconds": "How long a client assertion is valid.",
    "sasl.oauthbearer.assertion.claim.iss": "The issuer in a client assertion.",
    "sasl.oauthbearer.assertion.claim.jti.include": "Whether a client assertion has an id of its own.",
    "sasl.oauthbearer.assertion.claim.nbf.seconds": "How far back a client assertion begins to be valid.",
    "sasl.oauthbearer.assertion.claim.sub": "The subject in a client assertion.",
    "sasl.oauthbearer.assertion.file": "A file that holds a finished client assertion.",
    "sasl.oauthbearer.assertion.private.key.file": "The key a client assertion is signed with.",
    "sasl.oauthbearer.assertion.private.key.passphrase": "The passphrase of that key.",
    "sasl.oauthbearer.assertion.template.file": "A file with fixed parts of a client assertion.",
    "sasl.oauthbearer.client.credentials.client.id": "The client id towards an OAuth provider.",
    "sasl.oauthbearer.client.credentials.client.secret": "The client secret towards an OAuth provider.",
    "sasl.oauthbearer.clock.skew.seconds": "How far the clocks of broker and OAuth provider may differ.",
    "sasl.oauthbearer.expected.audience": "The audiences a token may be for.",
    "sasl.oauthbearer.expected.issuer": "Who must have issued a token.",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": "How often the OAuth provider's keys are fetched.",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": (
        "The longest time between two tries to fetch those keys."
    ),
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": "The time between two tries to fetch those keys.",
    "sasl.oauthbearer.jwks.endpoint.url": "Where the OAuth provider's keys are.",
    "sasl.oauthbearer.jwt.retriever.class": "The Java class that fetches tokens.",
    "sasl.oauthbearer.jwt.validator.class": "The Java class that checks tokens.",
    "sasl.oauthbearer.scope": "The scope asked for in a token.",
    "sasl.oauthbearer.scope.claim.name": "What a token calls its scope.",
    "sasl.oauthbearer.sub.claim.name": "What a token calls its subject.",
    "sasl.oauthbearer.token.endpoint.url": "Where the OAuth provider issues tokens.",
    "sasl.server.callback.handler.class": "A Java class that checks SASL credentials.",
    "sasl.server.max.receive.size": "The largest SASL message.",
    "security.inter.broker.protocol": "The security protocol among brokers, if no listener is named for it.",
    "security.providers": "Java classes that provide algorithms.",
    "server.max.startup.time.ms": "How long a start may take.",
    "share.coordinator.append.linger.ms": "How long share state is gathered before it is written; -1 adapts.",
    "share.coordinator.cached.buffer.max.bytes": "The largest write buffer the share coordinator keeps.",
    "share.coordinator.cold.partition.snapshot.interval.ms": (
        "How often the state of idle share partitions is written."
    ),
    "share.coordinator.load.buffer.size": "How many bytes are read at once when share state is loaded.",
    "share.coordinator.snapshot.update.records.per.snapshot": "Updates of share state between two snapshots.",
    "share.coordinator.state.topic.compression.codec": "The codec of the share state topic, as a number.",
    "share.coordinator.state.topic.min.isr": "The min.insync.replicas of the share state topic.",
    "share.coordinator.state.topic.num.partitions": "Partitions of the share state topic.",
    "share.coordinator.state.topic.prune.interval.ms": "How often old share state is removed.",
    "share.coordinator.state.topic.replication.factor": "Replicas of the share state topic.",
    "share.coordinator.state.topic.segment.bytes": "Segment size of the share state topic.",
    "share.coordinator.threads": "Threads of Apache Kafka's share coordinator.",
    "share.coordinator.write.timeout.ms": "How long a write of share state waits for its replicas.",
    "share.fetch.purgatory.purge.interval.requests": (
        "How often Apache Kafka cleans its list of waiting share fetches."
    ),
    "socket.connection.setup.timeout.max.ms": "The longest wait for a connection the broker opens.",
    "socket.connection.setup.timeout.ms": "How long the broker waits for a connection it opens.",
    "socket.listen.backlog.size": "Connections the system holds until they are accepted.",
    "socket.receive.buffer.bytes": "The system's receive buffer of a connection; -1 leaves it to the system.",
    "socket.request.max.bytes": "The largest request.",
    "socket.send.buffer.bytes": "The system's send buffer of a connection; -1 leaves it to the system.",
    "ssl.allow.dn.changes": "Whether a new certificate may have another distinguished name.",
    "ssl.allow.san.changes": "Whether a new certificate may have other alternative names.",
    "ssl.cipher.suites": "The TLS cipher suites allowed.",
    "ssl.client.auth": "Whether clients must show a certificate.",
    "ssl.enabled.protocols": "The TLS versions allowed.",
    "ssl.endpoint.identification.algorithm": "How the name in a certificate is checked.",
    "ssl.engine.factory.class": "The Java class that makes TLS engines.",
    "ssl.key.password": "The password of the private key.",
    "ssl.keymanager.algorithm": "The algorithm of the Java key manager.",
    "ssl.keystore.certificate.chain": "The broker's certificate chain in PEM.",
    "ssl.keystore.key": "The broker's private key in PEM.",
    "ssl.keystore.location": "The file of the broker's key and certificate.",
    "ssl.keystore.password": "The password of the key store.",
    "ssl.keystore.type": "The format of the key store.",
    "ssl.principal.mapping.rules": "How names in certificates become user names.",
    "ssl.protocol": "The TLS version preferred.",
    "ssl.provider": "The Java provider of TLS.",
    "ssl.secure.random.implementation": "The Java source of random numbers for TLS.",
    "ssl.trustmanager.algorithm": "The algorithm of the Java trust manager.",
    "ssl.truststore.certificates": "Trusted certificates in PEM.",
    "ssl.truststore.location": "The file of trusted certificates.",
    "ssl.truststore.password": "The password of the trust store.",
    "ssl.truststore.type": "The format of the trust store.",
    "telemetry.max.bytes": "The largest push of client metrics.",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": (
        "How often transactions that timed out are looked for."
    ),
    "transaction.max.timeout.ms": "The largest transaction timeout a producer may ask for.",
    "transaction.partition.verification.enable": (
        "Whether a partition is checked to be part of the transaction."
    ),
    "transaction.remove.expired.transaction.cleanup.interval.ms": (
        "How often forgotten transactional ids are looked for."
    ),
    "transaction.state.log.load.buffer.size": "How many bytes are read at once when transactions are loaded.",
    "transaction.state.log.min.isr": "The min.insync.replicas of the transaction topic.",
    "transaction.state.log.num.partitions": "Partitions of the transaction topic.",
    "transaction.state.log.replication.factor": "Replicas of the transaction topic.",
    "transaction.state.log.segment.bytes": "Segment size of the transaction topic.",
    "transaction.two.phase.commit.enable": (
        "Whether transactions may be left prepared for another system to decide."
    ),
    "transactional.id.expiration.ms": "How long an idle transactional id is remembered.",
    "unclean.leader.election.interval.ms": (
        "How often the controller looks for partitions that need an unclean leader."
    ),
    "unstable.api.versions.enable": "Whether API versions still in development are offered.",
    "unstable.feature.versions.enable": "Whether feature levels still in development are offered.",
}
