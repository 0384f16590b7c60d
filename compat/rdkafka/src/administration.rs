//! Administration: topics, partitions, configs, records, groups, cluster.

use compat::{Context, Fallible, Record, Scenario, check, equal, eventually};
use rdkafka::Offset;
use rdkafka::admin::{
    AdminOptions, AlterConfig, ConfigEntry, ConfigSource, NewPartitions, NewTopic,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::kit::{
    Admin, Settings, TIMEOUT, admin, consumer, create, create_topic, fails, offsets, one,
    partitions, poll, read, send, wait,
};
use crate::named;

pub fn scenarios() -> Vec<(&'static str, Scenario)> {
    vec![
        named("create_topic", create_topic_scenario),
        named("admin", administration),
    ]
}

fn create_topic_scenario(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 3, &[("retention.ms", "3600000")])?;
    let admin = admin(context)?;
    equal(partition_count(&admin, &topic)?, 3, "partitions")?;
    equal(
        entry(&admin, &topic, "retention.ms")?.value.as_deref(),
        Some("3600000"),
        "the config",
    )?;
    send(
        context,
        &topic,
        &[0, 1, 2].map(|partition| Record::at(partition, "at once")),
        &[],
    )?;

    let try_it = |name: &str, partitions: i32, factor: i32, settings: Settings| {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(factor));
        topic.config.extend(settings);
        create(&admin, &AdminOptions::new(), topic)
    };
    let other = |suffix: &str| context.name(suffix);
    fails(
        try_it(&topic, 1, 1, &[]),
        Code::TopicAlreadyExists,
        "twice the same name",
    )?;
    fails(
        try_it("not a name", 1, 1, &[]),
        Code::InvalidTopic,
        "a bad name",
    )?;
    fails(
        try_it(&other("-rf"), 1, 5, &[]),
        Code::InvalidReplicationFactor,
        "five replicas",
    )?;
    fails(
        try_it(&other("-p"), 0, 1, &[]),
        Code::InvalidPartitions,
        "no partitions",
    )?;
    let bad = [("retention.ms", "soon")];
    fails(
        try_it(&other("-c"), 1, 1, &bad),
        Code::InvalidConfig,
        "a bad config",
    )?;
    let unknown = [("no.such.config", "1")];
    fails(
        try_it(&other("-u"), 1, 1, &unknown),
        Code::InvalidConfig,
        "an unknown config",
    )?;
    let tried = other("-tried");
    let only_validate = AdminOptions::new().validate_only(true);
    create(
        &admin,
        &only_validate,
        NewTopic::new(&tried, 1, TopicReplication::Fixed(1)),
    )?;
    check(
        !is_listed(&admin, &tried)?,
        "validate_only has created a topic",
    )?;
    try_it(&other("-defaults"), -1, -1, &[])?;
    equal(
        partition_count(&admin, &other("-defaults"))?,
        1,
        "default partitions",
    )
}

fn administration(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 2, &[])?;
    let admin = admin(context)?;
    cluster(&admin)?;
    more_partitions(&admin, &topic)?;
    configs(context, &admin, &topic)?;
    records(context, &admin, &topic)?;
    groups(context, &admin, &topic)?;
    one(wait(admin.delete_topics(&[&topic], &AdminOptions::new())))?;
    eventually(
        || is_listed(&admin, &topic).is_ok_and(|listed| !listed),
        "the topic is gone",
        20,
    )?;
    // The name is free again, and nothing of the old topic shows.
    create_topic(context, "", 1, &[])?;
    send(context, &topic, &[Record::new("new")], &[])?;
    let found = read(context, &topic, 1, &[0], &[])?;
    equal(
        (found[0].offset, found[0].text()),
        (0, "new".to_string()),
        "the topic's second life",
    )
}

fn cluster(admin: &Admin) -> Fallible<()> {
    let id = admin.inner().fetch_cluster_id(TIMEOUT).unwrap_or_default();
    check(!id.is_empty(), "no cluster id")?;
    let metadata = admin.inner().fetch_metadata(None, TIMEOUT)?;
    let nodes: Vec<_> = metadata
        .brokers()
        .iter()
        .map(|broker| broker.id())
        .collect();
    equal(nodes, vec![1], "nodes")
}

fn more_partitions(admin: &Admin, topic: &str) -> Fallible<()> {
    let grow = |count| {
        let wish = NewPartitions::new(topic, count);
        one(wait(admin.create_partitions([&wish], &AdminOptions::new())))
    };
    grow(5)?;
    equal(partition_count(admin, topic)?, 5, "partitions")?;
    fails(grow(3), Code::InvalidPartitions, "fewer partitions")?;
    let metadata = admin.inner().fetch_metadata(Some(topic), TIMEOUT)?;
    for partition in metadata.topics()[0].partitions() {
        equal(
            (partition.leader(), partition.isr()),
            (1, &[1][..]),
            "leader, in-sync replicas",
        )?;
    }
    Ok(())
}

fn configs(context: &Context, admin: &Admin, topic: &str) -> Fallible<()> {
    let name = "max.message.bytes";
    let found = entry(admin, topic, name)?;
    equal(found.value.as_deref(), Some("1048588"), "the default")?;
    equal(found.source, ConfigSource::Default, "source of the default")?;
    // Not incremental: what is not named goes back to its default.
    let alter = |settings: Settings| {
        let mut wish = AlterConfig::new(ResourceSpecifier::Topic(topic));
        wish.entries.extend(settings.iter().copied());
        one(wait(admin.alter_configs([&wish], &AdminOptions::new())))
    };
    // Apache Kafka's broker learns of it a moment after its controller has answered.
    let becomes = |value: &str| {
        let is =
            || entry(admin, topic, name).is_ok_and(|found| found.value.as_deref() == Some(value));
        eventually(is, &format!("{name} becomes {value}"), 10)
    };
    alter(&[(name, "2000"), ("retention.ms", "-1")])?;
    becomes("2000")?;
    equal(
        entry(admin, topic, name)?.source,
        ConfigSource::DynamicTopic,
        "source of the altered value",
    )?;
    let large = [Record::at(1, "x".repeat(3000))];
    fails(
        send(context, topic, &large, &[]),
        Code::MessageSizeTooLarge,
        "the new limit",
    )?;
    alter(&[("retention.ms", "-1")])?;
    becomes("1048588")?;
    equal(
        entry(admin, topic, "retention.ms")?.value.as_deref(),
        Some("-1"),
        "the other config",
    )?;
    send(context, topic, &large, &[])?;
    // The client drops the answer's error: what shows is that nothing has changed.
    alter(&[("retention.ms", "soon")])?;
    let after = entry(admin, topic, "retention.ms")?;
    equal(after.value.as_deref(), Some("-1"), "after a bad value")?;
    let broker = described(admin, ResourceSpecifier::Broker(1), "node.id")?;
    equal(
        (broker.value.as_deref(), broker.is_read_only),
        (Some("1"), true),
        "node.id of the broker",
    )
}

fn records(context: &Context, admin: &Admin, topic: &str) -> Fallible<()> {
    let sent: Vec<_> = (0..50)
        .map(|number| Record::at(0, number.to_string()))
        .collect();
    send(context, topic, &sent, &[])?;
    let delete = |offset| -> Fallible<Offset> {
        let before = partitions(topic, &[0], Offset::Offset(offset))?;
        let deleted = wait(admin.delete_records(&before, &AdminOptions::new()))?;
        let found = &deleted.elements()[0];
        found.error()?;
        Ok(found.offset())
    };
    equal(delete(30)?, Offset::Offset(30), "low watermark")?;
    equal(
        admin.inner().fetch_watermarks(topic, 0, TIMEOUT)?,
        (30, 50),
        "watermarks",
    )?;
    equal(
        offsets(&read(context, topic, 20, &[0], &[])?),
        (30..50).collect::<Vec<i64>>(),
        "what is left",
    )?;
    fails(delete(51), Code::OffsetOutOfRange, "beyond the end")
}

fn groups(context: &Context, admin: &Admin, topic: &str) -> Fallible<()> {
    let group = context.name("");
    let delete = || one(wait(admin.delete_groups(&[&group], &AdminOptions::new())));
    let listed = || -> Fallible<bool> {
        let list = admin.inner().fetch_group_list(None, TIMEOUT)?;
        Ok(list.groups().iter().any(|each| each.name() == group))
    };
    let member = consumer(context, &group, &[])?;
    member.subscribe(&[topic])?;
    poll(&member, 21)?;
    member.commit_consumer_state(CommitMode::Sync)?;
    check(listed()?, "the group is not listed")?;
    fails(delete(), Code::NonEmptyGroup, "a living group")?;
    drop(member);
    let reader = consumer(context, &group, &[])?;
    let both = partitions(topic, &[0, 1], Offset::Invalid)?;
    let found = reader.committed_offsets(both, TIMEOUT)?;
    let found: Vec<_> = found.elements().iter().map(|each| each.offset()).collect();
    equal(
        found,
        vec![Offset::Offset(50), Offset::Offset(1)],
        "committed offsets",
    )?;
    delete()?;
    check(!listed()?, "the group is still there")?;
    fails(delete(), Code::GroupIdNotFound, "no such group")
}

fn entry(admin: &Admin, topic: &str, name: &str) -> Fallible<ConfigEntry> {
    described(admin, ResourceSpecifier::Topic(topic), name)
}

fn described(admin: &Admin, resource: ResourceSpecifier, name: &str) -> Fallible<ConfigEntry> {
    let mut answers = wait(admin.describe_configs([&resource], &AdminOptions::new()))?;
    let found = answers.pop().ok_or("no answer")??.entries;
    found
        .into_iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| format!("no config {name}").into())
}

fn partition_count(admin: &Admin, topic: &str) -> Fallible<usize> {
    let metadata = admin.inner().fetch_metadata(Some(topic), TIMEOUT)?;
    Ok(metadata.topics()[0].partitions().len())
}

fn is_listed(admin: &Admin, topic: &str) -> Fallible<bool> {
    let metadata = admin.inner().fetch_metadata(None, TIMEOUT)?;
    Ok(metadata.topics().iter().any(|each| each.name() == topic))
}
