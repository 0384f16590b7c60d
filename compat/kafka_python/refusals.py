"""What is there is answered, and what is not there yet is refused: at once, and never waited for."""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaAdminClient, OffsetAndMetadata, OffsetSpec, TopicPartition, TopicPartitionReplica
from kafka.admin import (
    ACL,
    AbortTransactionSpec,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ConfigResource,
    ConfigResourceType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
)
from kafka.errors import IncompatibleBrokerVersion, TransactionalIdAuthorizationFailedError

from compat.harness import Context, Scenario, check, equal
from compat.kafka_python.kit import admin_client, create_topic, fails_with

AT_ONCE_S = 5.0
# They ask nobody.
LOCAL = {"close", "config", "DEFAULT_CONFIG"}

Calls = Mapping[str, Callable[[], Any]]


def every_admin_call(context: Context) -> None:
    client = admin_client(context)
    topic = create_topic(context, context.topic())
    kept = create_topic(context, context.topic("kept"))
    answered, refused = _answered(client, topic, context.group()), _refused(client, kept)
    public = {name for name in dir(KafkaAdminClient) if not name.startswith("_")}
    equal({*answered, *refused}, public - LOCAL, "calls of the admin client")
    for name, call in answered.items():
        _at_once(name, call)
    for name, call in refused.items():
        # Who asks for the coordinator of a transaction first is refused there.
        coordinated = name == "describe_transactions"
        error = TransactionalIdAuthorizationFailedError if coordinated else IncompatibleBrokerVersion
        _at_once(name, functools.partial(fails_with, error, call, name))


def _at_once(name: str, call: Callable[[], Any]) -> None:
    started_at_s = time.monotonic()
    call()
    check(time.monotonic() - started_at_s < AT_ONCE_S, f"{name} took more than {AT_ONCE_S:.0f} s")


def _answered(client: Any, topic: str, group: str) -> Calls:
    """In this order: what is made is used, and then taken away."""
    where = TopicPartition(topic, 0)
    other = f"{topic}-other"
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "-1"})
    return {
        "api_versions": client.api_versions,
        "get_broker_version_data": lambda: client.get_broker_version_data(1),
        "describe_cluster": client.describe_cluster,
        "describe_features": client.describe_features,
        "describe_log_dirs": client.describe_log_dirs,
        "describe_metadata_quorum": client.describe_metadata_quorum,
        "create_topics": lambda: client.create_topics([other]),
        "wait_for_topics": lambda: client.wait_for_topics([other]),
        "list_topics": client.list_topics,
        "describe_topics": lambda: client.describe_topics([topic]),
        "describe_topic_partitions": lambda: client.describe_topic_partitions([topic]),
        "create_partitions": lambda: client.create_partitions({topic: 2}),
        "list_config_resources": client.list_config_resources,
        "describe_configs": lambda: client.describe_configs([resource]),
        "alter_configs": lambda: client.alter_configs([resource]),
        "reset_configs": lambda: client.reset_configs([resource]),
        "delete_records": lambda: client.delete_records({where: 0}),
        "list_partition_offsets": lambda: client.list_partition_offsets({where: OffsetSpec.LATEST}),
        "describe_producers": lambda: client.describe_producers([where]),
        "alter_group_offsets": lambda: client.alter_group_offsets(group, {where: OffsetAndMetadata(0)}),
        "reset_group_offsets": lambda: client.reset_group_offsets(group, {where: OffsetSpec.LATEST}),
        "list_group_offsets": lambda: client.list_group_offsets(group),
        "delete_group_offsets": lambda: client.delete_group_offsets(group, [where]),
        "list_groups": client.list_groups,
        "describe_groups": lambda: client.describe_groups([group]),
        "remove_group_members": lambda: client.remove_group_members(group, []),
        "delete_groups": lambda: client.delete_groups([group]),
        "delete_topics": lambda: client.delete_topics([topic, other]),
    }


def _refused(client: Any, topic: str) -> Calls:
    where = TopicPartition(topic, 0)
    allowed = (ACLOperation.READ, ACLPermissionType.ALLOW, ResourcePattern(ResourceType.TOPIC, topic))
    filtered = ACLFilter("User:any", "*", *allowed)
    forgotten = UserScramCredentialDeletion("any", ScramMechanism.SCRAM_SHA_256)
    return {
        "create_acls": lambda: client.create_acls([ACL("User:any", "*", *allowed)]),
        "describe_acls": lambda: client.describe_acls(filtered),
        "delete_acls": lambda: client.delete_acls([filtered]),
        "alter_user_scram_credentials": lambda: client.alter_user_scram_credentials([forgotten]),
        "describe_user_scram_credentials": client.describe_user_scram_credentials,
        "elect_leaders": lambda: client.elect_leaders(0, {topic: [0]}),
        "alter_partition_reassignments": lambda: client.alter_partition_reassignments({where: [1]}),
        "list_partition_reassignments": client.list_partition_reassignments,
        "alter_replica_log_dirs": lambda: client.alter_replica_log_dirs(
            {TopicPartitionReplica(topic, 0, 1): "/elsewhere"}
        ),
        "update_features": lambda: client.update_features({"group.version": 1}),
        "list_transactions": client.list_transactions,
        "describe_transactions": lambda: client.describe_transactions(["any"]),
        "abort_transaction": lambda: client.abort_transaction(AbortTransactionSpec(where, 1, 1)),
        "find_hanging_transactions": client.find_hanging_transactions,
    }


SCENARIOS: dict[str, Scenario] = {"every_admin_call": every_admin_call}
