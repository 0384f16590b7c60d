"""Kafka's error codes, and the exception that carries one.

The constants are the protocol's numbers under Kafka's names. A message of
`KafkaError` is for people: clients decide by the code. Kafka: `Errors`.
"""

UNKNOWN_SERVER_ERROR = -1
NONE = 0
OFFSET_OUT_OF_RANGE = 1
CORRUPT_MESSAGE = 2
UNKNOWN_TOPIC_OR_PARTITION = 3
INVALID_FETCH_SIZE = 4
LEADER_NOT_AVAILABLE = 5
NOT_LEADER_OR_FOLLOWER = 6
REQUEST_TIMED_OUT = 7
BROKER_NOT_AVAILABLE = 8
REPLICA_NOT_AVAILABLE = 9
MESSAGE_TOO_LARGE = 10
STALE_CONTROLLER_EPOCH = 11
OFFSET_METADATA_TOO_LARGE = 12
NETWORK_EXCEPTION = 13
COORDINATOR_LOAD_IN_PROGRESS = 14
COORDINATOR_NOT_AVAILABLE = 15
NOT_COORDINATOR = 16
INVALID_TOPIC_EXCEPTION = 17
RECORD_LIST_TOO_LARGE = 18
NOT_ENOUGH_REPLICAS = 19
NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20
INVALID_REQUIRED_ACKS = 21
ILLEGAL_GENERATION = 22
INCONSISTENT_GROUP_PROTOCOL = 23
INVALID_GROUP_ID = 24
UNKNOWN_MEMBER_ID = 25
INVALID_SESSION_TIMEOUT = 26
REBALANCE_IN_PROGRESS = 27
INVALID_COMMIT_OFFSET_SIZE = 28
TOPIC_AUTHORIZATION_FAILED = 29
GROUP_AUTHORIZATION_FAILED = 30
CLUSTER_AUTHORIZATION_FAILED = 31
INVALID_TIMESTAMP = 32
UNSUPPORTED_SASL_MECHANISM = 33
ILLEGAL_SASL_STATE = 34
UNSUPPORTED_VERSION = 35
TOPIC_ALREADY_EXISTS = 36
INVALID_PARTITIONS = 37
INVALID_REPLICATION_FACTOR = 38
INVALID_REPLICA_ASSIGNMENT = 39
INVALID_CONFIG = 40
NOT_CONTROLLER = 41
INVALID_REQUEST = 42
UNSUPPORTED_FOR_MESSAGE_FORMAT = 43
POLICY_VIOLATION = 44
OUT_OF_ORDER_SEQUENCE_NUMBER = 45
DUPLICATE_SEQUENCE_NUMBER = 46
INVALID_PRODUCER_EPOCH = 47
INVALID_TXN_STATE = 48
INVALID_PRODUCER_ID_MAPPING = 49
INVALID_TRANSACTION_TIMEOUT = 50
CONCURRENT_TRANSACTIONS = 51
TRANSACTION_COORDINATOR_FENCED = 52
TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53
SECURITY_DISABLED = 54
OPERATION_NOT_ATTEMPTED = 55
KAFKA_STORAGE_ERROR = 56
LOG_DIR_NOT_FOUND = 57
SASL_AUTHENTICATION_FAILED = 58
UNKNOWN_PRODUCER_ID = 59
REASSIGNMENT_IN_PROGRESS = 60
DELEGATION_TOKEN_AUTH_DISABLED = 61
DELEGATION_TOKEN_NOT_FOUND = 62
DELEGATION_TOKEN_OWNER_MISMATCH = 63
DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64
DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65
DELEGATION_TOKEN_EXPIRED = 66
INVALID_PRINCIPAL_TYPE = 67
NON_EMPTY_GROUP = 68
GROUP_ID_NOT_FOUND = 69
FETCH_SESSION_ID_NOT_FOUND = 70
INVALID_FETCH_SESSION_EPOCH = 71
LISTENER_NOT_FOUND = 72
TOPIC_DELETION_DISABLED = 73
FENCED_LEADER_EPOCH = 74
UNKNOWN_LEADER_EPOCH = 75
UNSUPPORTED_COMPRESSION_TYPE = 76
STALE_BROKER_EPOCH = 77
OFFSET_NOT_AVAILABLE = 78
MEMBER_ID_REQUIRED = 79
PREFERRED_LEADER_NOT_AVAILABLE = 80
GROUP_MAX_SIZE_REACHED = 81
FENCED_INSTANCE_ID = 82
ELIGIBLE_LEADERS_NOT_AVAILABLE = 83
ELECTION_NOT_NEEDED = 84
NO_REASSIGNMENT_IN_PROGRESS = 85
GROUP_SUBSCRIBED_TO_TOPIC = 86
INVALID_RECORD = 87
UNSTABLE_OFFSET_COMMIT = 88
THROTTLING_QUOTA_EXCEEDED = 89
PRODUCER_FENCED = 90
RESOURCE_NOT_FOUND = 91
DUPLICATE_RESOURCE = 92
UNACCEPTABLE_CREDENTIAL = 93
INCONSISTENT_VOTER_SET = 94
INVALID_UPDATE_VERSION = 95
FEATURE_UPDATE_FAILED = 96
PRINCIPAL_DESERIALIZATION_FAILURE = 97
SNAPSHOT_NOT_FOUND = 98
POSITION_OUT_OF_RANGE = 99
UNKNOWN_TOPIC_ID = 100
DUPLICATE_BROKER_REGISTRATION = 101
BROKER_ID_NOT_REGISTERED = 102
INCONSISTENT_TOPIC_ID = 103
INCONSISTENT_CLUSTER_ID = 104
TRANSACTIONAL_ID_NOT_FOUND = 105
FETCH_SESSION_TOPIC_ID_ERROR = 106
INELIGIBLE_REPLICA = 107
NEW_LEADER_ELECTED = 108
OFFSET_MOVED_TO_TIERED_STORAGE = 109
FENCED_MEMBER_EPOCH = 110
UNRELEASED_INSTANCE_ID = 111
UNSUPPORTED_ASSIGNOR = 112
STALE_MEMBER_EPOCH = 113
MISMATCHED_ENDPOINT_TYPE = 114
UNSUPPORTED_ENDPOINT_TYPE = 115
UNKNOWN_CONTROLLER_ID = 116
UNKNOWN_SUBSCRIPTION_ID = 117
TELEMETRY_TOO_LARGE = 118
INVALID_REGISTRATION = 119
TRANSACTION_ABORTABLE = 120
INVALID_RECORD_STATE = 121
SHARE_SESSION_NOT_FOUND = 122
INVALID_SHARE_SESSION_EPOCH = 123
FENCED_STATE_EPOCH = 124
INVALID_VOTER_KEY = 125
DUPLICATE_VOTER = 126
VOTER_NOT_FOUND = 127
INVALID_REGULAR_EXPRESSION = 128
REBOOTSTRAP_REQUIRED = 129
STREAMS_INVALID_TOPOLOGY = 130
STREAMS_INVALID_TOPOLOGY_EPOCH = 131
STREAMS_TOPOLOGY_FENCED = 132
SHARE_SESSION_LIMIT_REACHED = 133

_NAMES: dict[int, str] = {
    code: name for name, code in list(globals().items()) if name.isupper() and name[0] != "_"
}

# In our own words, where the name alone says too little.
_MESSAGES = {
    UNKNOWN_SERVER_ERROR: "The broker met an error it did not expect.",
    CORRUPT_MESSAGE: "The message is corrupt, or larger than allowed, or lacks a key its topic needs.",
    UNKNOWN_TOPIC_OR_PARTITION: "This broker does not have this topic or partition.",
    LEADER_NOT_AVAILABLE: "The partition has no leader at the moment.",
    NOT_LEADER_OR_FOLLOWER: "This broker is not the leader of the partition, or no replica of it.",
    MESSAGE_TOO_LARGE: "The message is larger than the broker takes.",
    COORDINATOR_LOAD_IN_PROGRESS: "The coordinator is loading its state.",
    NOT_COORDINATOR: "This broker is not the coordinator.",
    INVALID_TOPIC_EXCEPTION: "The topic name is not valid.",
    RECORD_LIST_TOO_LARGE: "The batch is larger than a log segment.",
    NOT_ENOUGH_REPLICAS: "There are fewer in-sync replicas than min.insync.replicas.",
    NOT_ENOUGH_REPLICAS_AFTER_APPEND: "The records were appended, but too few replicas are in sync.",
    INVALID_REQUIRED_ACKS: "acks must be 0, 1 or -1.",
    ILLEGAL_GENERATION: "The generation of the group has passed.",
    INCONSISTENT_GROUP_PROTOCOL: "The member has no protocol in common with its group.",
    INVALID_SESSION_TIMEOUT: "The session timeout is outside the allowed range.",
    REBALANCE_IN_PROGRESS: "The group is rebalancing: join again.",
    UNSUPPORTED_VERSION: "This version of the API is not supported.",
    TOPIC_ALREADY_EXISTS: "A topic of this name exists already.",
    INVALID_PARTITIONS: "The number of partitions is not valid.",
    INVALID_REPLICATION_FACTOR: "The replication factor is below 1 or above the number of brokers.",
    INVALID_REPLICA_ASSIGNMENT: "The replica assignment is not valid.",
    INVALID_CONFIG: "The configuration is not valid.",
    NOT_CONTROLLER: "This is not the active controller.",
    INVALID_REQUEST: "The request is malformed or contradicts itself.",
    OUT_OF_ORDER_SEQUENCE_NUMBER: "The sequence number is out of order.",
    INVALID_PRODUCER_EPOCH: "The producer has an old epoch.",
    INVALID_TXN_STATE: "The transaction is in a state that does not allow this.",
    INVALID_TRANSACTION_TIMEOUT: "The transaction timeout is above the broker's maximum.",
    OPERATION_NOT_ATTEMPTED: "The operation was not attempted.",
    KAFKA_STORAGE_ERROR: "The broker could not use its disk.",
    UNKNOWN_PRODUCER_ID: "The broker knows nothing of this producer id.",
    NON_EMPTY_GROUP: "The group has members.",
    GROUP_ID_NOT_FOUND: "There is no such group.",
    MEMBER_ID_REQUIRED: "The member must join again with the member id it was given.",
    FENCED_INSTANCE_ID: "Another member with this group.instance.id has joined since.",
    GROUP_SUBSCRIBED_TO_TOPIC: "A member of the group subscribes to the topic.",
    INVALID_RECORD: "The record failed validation.",
    PRODUCER_FENCED: "A newer producer with the same transactional id took over.",
    UNKNOWN_TOPIC_ID: "This broker knows no topic of this id.",
}


class KafkaError(Exception):
    """What the protocol can say: answered with its code, not logged as a fault."""

    def __init__(self, code: int, message: str | None = None) -> None:
        self.code = code
        self.message = message_of(code) if message is None else message
        super().__init__(self.message)

    def __repr__(self) -> str:
        return f"KafkaError({name_of(self.code)}, {self.message!r})"


def name_of(code: int) -> str:
    """Kafka's name of a code; the number itself if it has none."""
    return _NAMES.get(code, str(code))


def message_of(code: int) -> str:
    """A sentence for a code."""
    message = _MESSAGES.get(code)
    return name_of(code).replace("_", " ").capitalize() + "." if message is None else message
