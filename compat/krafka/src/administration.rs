//! Administration: topics, partitions, configs, records, groups, cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use compat::{Context, Fallible, Record, Scenario, check, equal};
use krafka::admin::{
    AdminClient, AlterConsumerGroupOffsetsOptions, ConfigEntry, ConfigOp, ConfigResource,
    CreatePartitionsOptions, CreateTopicsOptions, DeleteConsumerGroupOffsetsOptions,
    DeleteConsumerGroupsOptions, DeleteRecordsOptions, DeleteTopicsOptions, DescribeClusterOptions,
    DescribeConfigsOptions, DescribeFeaturesOptions, DescribeLogDirsOptions,
    DescribeMetadataQuorumOptions, DescribeProducersOptions, DescribeTopicsOptions,
    IncrementalAlterConfigsOptions, ListConsumerGroupOffsetsOptions, ListConsumerGroupsOptions,
    ListOffsetsOptions, ListTopicsOptions, NewTopic, OffsetSpec, TopicDescription,
};
use krafka::consumer::TopicPartition;
use krafka::error::ErrorCode;

use crate::kit::{
    admin, code, create_topic, eventually, fails, member, not_sent, offsets, one, plain, poll,
    range, read, send,
};
use crate::named;

/// Kafka's numbers for where a config's value comes from.
const DYNAMIC_TOPIC: i8 = 1;
const DEFAULT: i8 = 5;

pub fn scenarios() -> Vec<(&'static str, Scenario)> {
    vec![
        named("create_topic", create_topic_scenario),
        named("admin", administration),
    ]
}

async fn create_topic_scenario(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 3, &[("retention.ms", "3600000")]).await?;
    let admin = admin(context).await?;
    let described = described(&admin, &topic).await?;
    equal(described.partitions.len(), 3, "partitions")?;
    check(described.topic_id != [0; 16], "no topic id")?;
    let entry = entry(&admin, ConfigResource::topic(&topic), "retention.ms").await?;
    equal(entry.value.as_deref(), Some("3600000"), "the config")?;
    send(
        context,
        &topic,
        &[0, 1, 2].map(|partition| Record::at(partition, "at once")),
        plain,
    )
    .await?;

    let create = async |topic: NewTopic, options: CreateTopicsOptions| {
        one(admin.create_topics([topic], options).await)
    };
    let try_it = async |topic: NewTopic| create(topic, CreateTopicsOptions::default()).await;
    let other = |suffix: &str, factor: i16| NewTopic::new(context.name(suffix), 1, factor);
    let twice = try_it(NewTopic::new(&topic, 1, 1)?).await;
    fails(
        twice,
        code(ErrorCode::TopicAlreadyExists),
        "twice the same name",
    )?;
    let five = try_it(other("-rf", 5)?).await;
    fails(
        five,
        code(ErrorCode::InvalidReplicationFactor),
        "five replicas",
    )?;
    let bad = try_it(other("-c", 1)?.with_config("retention.ms", "soon")).await;
    fails(bad, code(ErrorCode::InvalidConfig), "a bad config")?;
    let unknown = try_it(other("-u", 1)?.with_config("no.such.config", "1")).await;
    fails(unknown, code(ErrorCode::InvalidConfig), "an unknown config")?;
    // These the client does not even send.
    fails(
        NewTopic::new("not a name", 1, 1).map_err(Into::into),
        not_sent,
        "a bad name",
    )?;
    fails(
        NewTopic::new(context.name("-p"), 0, 1).map_err(Into::into),
        not_sent,
        "no partitions",
    )?;

    create(
        other("-tried", 1)?,
        CreateTopicsOptions::default().validate_only(true),
    )
    .await?;
    check(
        !is_listed(&admin, &context.name("-tried")).await?,
        "validate_only has created a topic",
    )?;
    let defaults = context.name("-defaults");
    try_it(NewTopic::new(&defaults, -1, -1)?).await?;
    equal(
        self::described(&admin, &defaults).await?.partitions.len(),
        1,
        "default partitions",
    )
}

async fn administration(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 2, &[]).await?;
    let admin = admin(context).await?;
    cluster(&admin, &topic).await?;
    more_partitions(&admin, &topic).await?;
    configs(context, &admin, &topic).await?;
    records(context, &admin, &topic).await?;
    groups(context, &admin, &topic).await?;
    one(admin
        .delete_topics([&topic], DeleteTopicsOptions::default())
        .await)?;
    let gone = async || is_listed(&admin, &topic).await.is_ok_and(|listed| !listed);
    eventually(gone, "the topic is gone", 20).await?;
    // The name is free again, and nothing of the old topic shows.
    create_topic(context, "", 1, &[]).await?;
    send(context, &topic, &[Record::new("new")], plain).await?;
    let found = read(context, &topic, 1, &[0]).await?;
    equal(
        (found[0].offset, found[0].text()),
        (0, "new".to_string()),
        "the topic's second life",
    )
}

async fn cluster(admin: &AdminClient, topic: &str) -> Fallible<()> {
    let cluster = admin
        .describe_cluster(DescribeClusterOptions::default())
        .await?;
    check(!cluster.cluster_id.is_empty(), "no cluster id")?;
    let nodes: Vec<_> = cluster.brokers.iter().map(|broker| broker.id).collect();
    equal(
        (nodes, cluster.controller_id),
        (vec![1], 1),
        "nodes and controller",
    )?;
    let quorum = admin
        .describe_metadata_quorum(DescribeMetadataQuorumOptions::default())
        .await?;
    equal(quorum.leader_id, 1, "leader of the quorum")?;
    let features = admin
        .describe_features(DescribeFeaturesOptions::default())
        .await?;
    check(
        format!("{features:?}").contains("metadata.version"),
        "no metadata.version among the features",
    )?;
    let directories = one(admin
        .describe_log_dirs([1], DescribeLogDirsOptions::default())
        .await)?;
    check(
        format!("{directories:?}").contains(topic),
        "the topic is in no log directory",
    )
}

async fn more_partitions(admin: &AdminClient, topic: &str) -> Fallible<()> {
    let grow = async |count| {
        one(admin
            .create_partitions([(topic, count)], CreatePartitionsOptions::default())
            .await)
    };
    grow(5).await?;
    let partitions = described(admin, topic).await?.partitions;
    equal(partitions.len(), 5, "partitions")?;
    for each in partitions {
        equal(
            (each.leader, each.isr),
            (Some(1), vec![1]),
            "leader, in-sync replicas",
        )?;
    }
    fails(
        grow(3).await,
        code(ErrorCode::InvalidPartitions),
        "fewer partitions",
    )
}

async fn configs(context: &Context, admin: &AdminClient, topic: &str) -> Fallible<()> {
    let name = "max.message.bytes";
    let resource = || ConfigResource::topic(topic);
    let found = entry(admin, resource(), name).await?;
    equal(
        (found.value.as_deref(), found.config_source),
        (Some("1048588"), DEFAULT),
        "the default",
    )?;
    let alter = async |change: ConfigOp| {
        let options = IncrementalAlterConfigsOptions::default();
        one(admin
            .incremental_alter_configs([(resource(), vec![change])], options)
            .await)
    };
    // Apache Kafka's broker learns of it a moment after its controller has answered.
    let becomes = async |name: &str, value: &str| {
        let is = async || {
            entry(admin, resource(), name)
                .await
                .is_ok_and(|found| found.value.as_deref() == Some(value))
        };
        eventually(is, &format!("{name} becomes {value}"), 10).await
    };
    alter(ConfigOp::set(name, "2000")).await?;
    becomes(name, "2000").await?;
    let altered = entry(admin, resource(), name).await?;
    equal(
        altered.config_source,
        DYNAMIC_TOPIC,
        "the source of an altered value",
    )?;
    let large = [Record::at(1, "x".repeat(3000))];
    let refused = send(context, topic, &large, plain).await;
    fails(refused, code(ErrorCode::MessageTooLarge), "the new limit")?;
    alter(ConfigOp::delete(name)).await?;
    becomes(name, "1048588").await?;
    send(context, topic, &large, plain).await?;
    let policy = || ("cleanup.policy".to_string(), "compact".to_string());
    let (name, value) = policy();
    alter(ConfigOp::Append { name, value }).await?;
    becomes("cleanup.policy", "delete,compact").await?;
    let (name, value) = policy();
    alter(ConfigOp::Subtract { name, value }).await?;
    becomes("cleanup.policy", "delete").await?;
    let bad = alter(ConfigOp::set("retention.ms", "soon")).await;
    fails(bad, code(ErrorCode::InvalidConfig), "a bad value")?;
    let node = entry(admin, ConfigResource::broker(1), "node.id").await?;
    equal(
        (node.value.as_deref(), node.read_only),
        (Some("1"), true),
        "node.id of the broker",
    )
}

async fn records(context: &Context, admin: &AdminClient, topic: &str) -> Fallible<()> {
    let sent: Vec<_> = (0..50)
        .map(|number| Record {
            timestamp_ms: Some(compat::now_ms() + number),
            ..Record::at(0, number.to_string())
        })
        .collect();
    send(context, topic, &sent, |builder| {
        builder.linger(Duration::ZERO)
    })
    .await?;
    let first = || TopicPartition::new(topic, 0);
    let delete = async |before| {
        one(admin
            .delete_records([(first(), before)], DeleteRecordsOptions::default())
            .await)
    };
    equal(delete(30).await?, 30, "low watermark")?;
    equal(
        offsets(&read(context, topic, 20, &[0]).await?),
        range(30, 50),
        "what is left",
    )?;
    fails(
        delete(51).await,
        code(ErrorCode::OffsetOutOfRange),
        "beyond the end",
    )?;
    for (spec, expected) in [
        (OffsetSpec::Earliest, 30),
        (OffsetSpec::Latest, 50),
        (OffsetSpec::MaxTimestamp, 49),
    ] {
        let found = one(admin
            .list_offsets([(first(), spec)], ListOffsetsOptions::default())
            .await)?;
        equal(found.offset, expected, &format!("{spec:?}"))?;
    }
    let producers = one(admin
        .describe_producers([first()], DescribeProducersOptions::default())
        .await)?;
    check(!producers.is_empty(), "no producer is known")
}

async fn groups(context: &Context, admin: &AdminClient, topic: &str) -> Fallible<()> {
    let group = context.name("");
    let first = || TopicPartition::new(topic, 0);
    let delete = async || {
        one(admin
            .delete_consumer_groups([&group], DeleteConsumerGroupsOptions::default())
            .await)
    };
    let committed = async || -> Fallible<Option<i64>> {
        let options = ListConsumerGroupOffsetsOptions::default().partitions(vec![first()]);
        Ok(one(admin.list_consumer_group_offsets(&group, options).await)?.offset)
    };
    let member = member(context, &group, topic).await?;
    poll(&member, 21).await?;
    member.commit().await?;
    check(
        listed(admin).await?.contains(&group),
        "the group is not listed",
    )?;
    fails(
        delete().await,
        code(ErrorCode::NonEmptyGroup),
        "a living group",
    )?;
    member.close().await?;
    equal(committed().await?, Some(50), "committed offset")?;
    let options = AlterConsumerGroupOffsetsOptions::default();
    one(admin
        .alter_consumer_group_offsets(&group, [(first(), 35)], options)
        .await)?;
    equal(committed().await?, Some(35), "moved offset")?;
    let options = DeleteConsumerGroupOffsetsOptions::default();
    one(admin
        .delete_consumer_group_offsets(&group, [first()], options)
        .await)?;
    equal(committed().await?, None, "deleted offset")?;
    delete().await?;
    check(
        !listed(admin).await?.contains(&group),
        "the group is still there",
    )?;
    fails(
        delete().await,
        code(ErrorCode::GroupIdNotFound),
        "no such group",
    )
}

async fn listed(admin: &AdminClient) -> Fallible<BTreeSet<String>> {
    let groups = one(admin
        .list_consumer_groups(ListConsumerGroupsOptions::default())
        .await)?;
    Ok(groups.into_iter().map(|group| group.group_id).collect())
}

async fn entry(admin: &AdminClient, resource: ConfigResource, name: &str) -> Fallible<ConfigEntry> {
    let entries = one(admin
        .describe_configs([resource], DescribeConfigsOptions::default())
        .await)?;
    entries
        .into_iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| format!("no config {name}").into())
}

async fn described(admin: &AdminClient, topic: &str) -> Fallible<TopicDescription> {
    one(admin
        .describe_topics([topic], DescribeTopicsOptions::default())
        .await)
}

async fn is_listed(admin: &AdminClient, topic: &str) -> Fallible<bool> {
    Ok(admin
        .list_topics(ListTopicsOptions::default())
        .await?
        .contains(&topic.to_string()))
}
