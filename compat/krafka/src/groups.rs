//! Groups: members that come, go and die; commits and what they are for.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use compat::{Context, Fallible, Member, Record, Scenario, check, equal, settled};
use krafka::admin::{AdminClient, DescribeConsumerGroupsOptions, ListConsumerGroupOffsetsOptions};
use krafka::consumer::{Consumer, ConsumerBuilder, OffsetAndMetadata, TopicPartition};

use crate::kit::{
    admin, create_topic, eventually, filled, member, member_with, offsets, one, plain, poll, range,
    send,
};
use crate::named;

const PARTITIONS: i32 = 6;

pub fn scenarios() -> Vec<(&'static str, Scenario)> {
    vec![
        named("group_of_three", group_of_three),
        named("static_member", static_member),
        named("cooperative", cooperative),
        named("commit_sync", commit_sync),
        named("commit_async", commit_async),
        named("commit_auto", commit_auto),
    ]
}

async fn group_of_three(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", PARTITIONS, &[]).await?;
    let start = || Member::start(context, &context.name(""), &topic, &[]);
    let (mut first, mut second, mut third) = (start()?, start()?, start()?);
    settled(&[&first, &second, &third], PARTITIONS)?;
    spread(context, &topic, 0..300).await?;
    all_read_once(&[&first, &second, &third], 300)?;
    let admin = admin(context).await?;
    let all = (0..PARTITIONS).collect();
    equal(
        described(&admin, context).await?,
        ("Stable".to_string(), 3, all),
        "the group",
    )?;
    first.leave()?;
    settled(&[&second, &third], PARTITIONS)?;
    // Its session has to end first.
    second.kill();
    settled(&[&third], PARTITIONS)?;
    let before = third.values().len();
    spread(context, &topic, 300..360).await?;
    compat::eventually(
        || third.values().len() >= before + 60,
        "the last member reads all",
        20,
    )?;
    third.leave()?;
    let empty = ("Empty".to_string(), 0, vec![]);
    let is_empty = async || {
        described(&admin, context)
            .await
            .is_ok_and(|found| found == empty)
    };
    eventually(is_empty, "the group is empty", 20).await
}

/// State, number of members, partitions they own.
async fn described(admin: &AdminClient, context: &Context) -> Fallible<(String, usize, Vec<i32>)> {
    let options = DescribeConsumerGroupsOptions::default();
    let group = one(admin
        .describe_consumer_groups([context.name("")], options)
        .await)?;
    let assignments = group
        .members
        .iter()
        .flat_map(|member| member.assignment.iter().flatten());
    let mut owned: Vec<_> = assignments
        .flat_map(|topic| topic.partitions.clone())
        .collect();
    owned.sort_unstable();
    Ok((group.state, group.members.len(), owned))
}

async fn static_member(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 4, &[]).await?;
    // Long enough that the session does not end while the member is away.
    let start = |name: &str| {
        let settings = [("instance", name), ("session", "20")];
        Member::start(context, &context.name(""), &topic, &settings)
    };
    let (mut first, second) = (start("first")?, start("second")?);
    settled(&[&first, &second], 4)?;
    let (share, rebalances) = (first.assigned(), second.rebalances());
    first.leave()?; // A static member does not say that it leaves.
    let returned = start("first")?;
    compat::eventually(
        || returned.assigned() == share,
        "the member has its partitions back",
        15,
    )?;
    equal(
        second.rebalances(),
        rebalances,
        "rebalances seen by the other member",
    )?;
    let double = start("first")?;
    compat::eventually(
        || returned.error() == "fenced",
        "the older of two doubles is fenced",
        20,
    )?;
    compat::eventually(
        || double.assigned() == share,
        "the younger one has the partitions",
        20,
    )
}

async fn cooperative(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", PARTITIONS, &[]).await?;
    let start = || {
        Member::start(
            context,
            &context.name(""),
            &topic,
            &[("strategy", "cooperative")],
        )
    };
    let first = start()?;
    settled(&[&first], PARTITIONS)?;
    let mut second = start()?;
    settled(&[&first, &second], PARTITIONS)?;
    check(!first.was_bare(), "the first member gave everything away")?;
    spread(context, &topic, 0..120).await?;
    all_read_once(&[&first, &second], 120)?;
    second.leave()?;
    settled(&[&first], PARTITIONS)
}

async fn commit_sync(context: &Context) -> Fallible<()> {
    let topic = resumed(context, plain, async |consumer| {
        Ok(consumer.commit().await?)
    })
    .await?;
    let consumer = member(context, &context.name(""), &topic).await?;
    consumer.poll(Duration::from_secs(5)).await?;
    let by_hand = (
        TopicPartition::new(&topic, 0),
        OffsetAndMetadata::with_metadata(7, "a note"),
    );
    consumer.commit_offsets([by_hand]).await?;
    let asked = [(topic.as_str(), 0)];
    let found = consumer
        .committed(&asked)
        .await?
        .into_values()
        .next()
        .ok_or("no answer")?;
    equal(found.offset, 7, "a commit by hand")?;
    // The consumer itself does not give metadata back.
    let options = ListConsumerGroupOffsetsOptions::default();
    let admin = admin(context).await?;
    let found = one(admin
        .list_consumer_group_offsets(context.name(""), options)
        .await)?;
    equal(found.metadata.as_deref(), Some("a note"), "its metadata")?;
    consumer.close().await?;
    let fresh = member(context, &context.name("-fresh"), &topic).await?;
    equal(
        fresh.committed(&asked).await?.len(),
        0,
        "commits of a fresh group",
    )?;
    Ok(fresh.close().await?)
}

async fn commit_async(context: &Context) -> Fallible<()> {
    resumed(context, plain, async |consumer| {
        let consumer = Arc::clone(consumer);
        let commit = tokio::spawn(async move { consumer.commit().await });
        Ok(commit.await??)
    })
    .await?;
    Ok(())
}

async fn commit_auto(context: &Context) -> Fallible<()> {
    // Closing commits what was consumed.
    let auto = |builder: ConsumerBuilder| {
        builder
            .enable_auto_commit(true)
            .auto_commit_interval(Duration::from_millis(200))
    };
    resumed(context, auto, async |_| Ok(())).await?;
    Ok(())
}

/// Read 40 of 100, commit, come back, and go on at 40.
async fn resumed(
    context: &Context,
    settings: impl Fn(ConsumerBuilder) -> ConsumerBuilder,
    commit: impl AsyncFn(&Arc<Consumer>) -> Fallible<()>,
) -> Fallible<String> {
    let topic = filled(context, 100).await?;
    let group = context.name("");
    let first = Arc::new(member_with(context, &group, &topic, &settings).await?);
    equal(
        offsets(&poll(&first, 40).await?),
        range(0, 40),
        "first reading",
    )?;
    first.pause(&topic, &[0]).await;
    commit(&first).await?;
    first.close().await?;
    let second = member_with(context, &group, &topic, &settings).await?;
    equal(
        offsets(&poll(&second, 60).await?),
        range(40, 100),
        "second reading",
    )?;
    second.close().await?;
    Ok(topic)
}

async fn spread(context: &Context, topic: &str, numbers: Range<i32>) -> Fallible<()> {
    let sent: Vec<_> = numbers
        .map(|number| Record::at(number % PARTITIONS, number.to_string()))
        .collect();
    send(context, topic, &sent, plain).await?;
    Ok(())
}

fn all_read_once(members: &[&Member], count: i32) -> Fallible<()> {
    let read = || -> Vec<String> { members.iter().flat_map(|member| member.values()).collect() };
    let what = format!("{count} records are read");
    compat::eventually(|| read().len() >= count as usize, &what, 20)?;
    let mut numbers: Vec<i32> = read()
        .iter()
        .filter_map(|value| value.parse().ok())
        .collect();
    numbers.sort_unstable();
    equal(
        numbers,
        (0..count).collect::<Vec<_>>(),
        "records read by all members together",
    )
}
