"""What is there is answered, and what is not there yet is refused: at once, and never waited for."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    ElectionType,
    KafkaError,
    KafkaException,
    ShareConsumer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from compat.confluent_kafka.kit import admin_client, create_topic, error_of, fails_with
from compat.harness import Context, Failed, Scenario, check, equal

AT_ONCE_S = 5.0
UNSUPPORTED = {KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION}
# They ask nobody.
LOCAL = {"poll", "set_sasl_credentials"}

Calls = Mapping[str, Callable[[], Any]]


def every_admin_call(context: Context) -> None:
    client = admin_client(context)
    topic = create_topic(context, context.topic())
    answered, refused = _answered(client, topic, context.group()), _refused(client, topic)
    public = {name for name in dir(AdminClient) if not name.startswith("_")}
    equal({*answered, *refused}, public - LOCAL, "calls of the admin client")
    for call in answered.values():
        _result(call)
    for name, call in refused.items():
        try:
            _result(call)
        except KafkaException as exception:
            error = error_of(exception)
            check(error.code() in UNSUPPORTED, f"{name}: {error.name()}: {error.str()}")
        else:
            raise Failed(f"{name} worked")


def _result(call: Callable[[], Any]) -> None:
    """Wait for a call, or for all of its futures, but not long."""
    answer = call()
    futures = answer.values() if isinstance(answer, dict) else [answer]
    deadline = time.monotonic() + AT_ONCE_S
    for future in futures:
        if hasattr(future, "result"):
            future.result(max(0.0, deadline - time.monotonic()))


def _answered(client: AdminClient, topic: str, group: str) -> Calls:
    """In this order: what is made is used, and then taken away."""
    where = TopicPartition(topic, 0, 0)
    other = f"{topic}-other"
    resource = ConfigResource(ResourceType.TOPIC, topic)
    set_config = ConfigResource(ResourceType.TOPIC, topic, set_config={"retention.ms": "-1"})
    entry = ConfigEntry("retention.ms", "-1", incremental_operation=AlterConfigOpType.SET)
    incremental = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    offsets = ConsumerGroupTopicPartitions(group, [where])
    asked = ConsumerGroupTopicPartitions(group)
    return {
        "cluster_id": lambda: client.cluster_id(AT_ONCE_S),
        "describe_cluster": client.describe_cluster,
        "create_topics": lambda: client.create_topics([NewTopic(other, 1, 1)]),
        "list_topics": lambda: client.list_topics(timeout=AT_ONCE_S),
        "describe_topics": lambda: client.describe_topics(TopicCollection([topic])),
        "create_partitions": lambda: client.create_partitions([NewPartitions(topic, 2)]),
        "describe_configs": lambda: client.describe_configs([resource]),
        "alter_configs": lambda: client.alter_configs([set_config]),
        "incremental_alter_configs": lambda: client.incremental_alter_configs([incremental]),
        "delete_records": lambda: client.delete_records([where]),
        "list_offsets": lambda: client.list_offsets({where: OffsetSpec.latest()}),
        "alter_consumer_group_offsets": lambda: client.alter_consumer_group_offsets([offsets]),
        "list_consumer_group_offsets": lambda: client.list_consumer_group_offsets([asked]),
        "list_consumer_groups": client.list_consumer_groups,
        "list_groups": lambda: client.list_groups(timeout=AT_ONCE_S),
        "describe_consumer_groups": lambda: client.describe_consumer_groups([group]),
        "delete_consumer_groups": lambda: client.delete_consumer_groups([group]),
        "delete_topics": lambda: client.delete_topics([topic, other]),
    }


def _refused(client: AdminClient, topic: str) -> Calls:
    allowed = (AclOperation.READ, AclPermissionType.ALLOW)
    acl = AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:any", "*", *allowed)
    any_acl = AclBindingFilter(
        ResourceType.ANY,
        None,
        ResourcePatternType.ANY,
        None,
        None,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    secret = UserScramCredentialUpsertion("any", scram, b"secret", b"salt")
    where = TopicPartition(topic, 0)
    return {
        "create_acls": lambda: client.create_acls([acl]),
        "describe_acls": lambda: client.describe_acls(any_acl),
        "delete_acls": lambda: client.delete_acls([any_acl]),
        "alter_user_scram_credentials": lambda: client.alter_user_scram_credentials([secret]),
        "describe_user_scram_credentials": lambda: client.describe_user_scram_credentials(["any"]),
        "elect_leaders": lambda: client.elect_leaders(ElectionType.PREFERRED, [where]),
    }


def new_protocols_refused(context: Context) -> None:
    topic = create_topic(context, context.topic())
    settings = {"bootstrap.servers": context.bootstrap, "log_level": 0}
    consumer = Consumer({**settings, "group.id": context.group("consumer"), "group.protocol": "consumer"})
    consumer.subscribe([topic])
    message = consumer.poll(AT_ONCE_S)
    error = message and message.error()
    if error is None:
        raise Failed(f"a consumer group: no error within {AT_ONCE_S:.0f} s")
    equal(error.code(), KafkaError._FATAL, error.str())
    check("API version not supported" in error.str(), f"a consumer group: {error.str()}")
    consumer.close()

    share = ShareConsumer({**settings, "group.id": context.group("share")})
    share.subscribe([topic])
    fails_with(KafkaError.UNSUPPORTED_VERSION, lambda: share.poll(AT_ONCE_S), "a share group")
    share.close()


SCENARIOS: dict[str, Scenario] = {
    "every_admin_call": every_admin_call,
    "new_protocols_refused": new_protocols_refused,
}
