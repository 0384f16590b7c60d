//! Groups: members that come, go and die; commits and what they are for.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use compat::{Context, Fallible, Member, Record, Scenario, check, equal, eventually, settled};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer, ConsumerContext, DefaultConsumerContext,
};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use crate::kit::{
    Admin, Settings, TIMEOUT, admin, consumer, consumer_config, create_topic, offsets, partitions,
    poll, send,
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

fn group_of_three(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", PARTITIONS, &[])?;
    let start = || Member::start(context, &context.name(""), &topic, &[]);
    let (mut first, mut second, mut third) = (start()?, start()?, start()?);
    settled(&[&first, &second, &third], PARTITIONS)?;
    spread(context, &topic, 0..300)?;
    all_read_once(&[&first, &second, &third], 300)?;
    let admin = admin(context)?;
    equal(
        described(&admin, context)?,
        ("Stable".to_string(), 3),
        "state and members",
    )?;
    first.leave()?;
    settled(&[&second, &third], PARTITIONS)?;
    // Its session has to end first.
    second.kill();
    settled(&[&third], PARTITIONS)?;
    let before = third.values().len();
    spread(context, &topic, 300..360)?;
    eventually(
        || third.values().len() >= before + 60,
        "the last member reads all",
        20,
    )?;
    third.leave()?;
    let empty = || described(&admin, context).is_ok_and(|found| found == ("Empty".to_string(), 0));
    eventually(empty, "the group is empty", 20)
}

fn described(admin: &Admin, context: &Context) -> Fallible<(String, usize)> {
    let list = admin
        .inner()
        .fetch_group_list(Some(&context.name("")), TIMEOUT)?;
    let group = list.groups().first().ok_or("the group is not listed")?;
    Ok((group.state().into(), group.members().len()))
}

fn static_member(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 4, &[])?;
    // Long enough that the session does not end while the member is away.
    let start = |name: &str| {
        let settings = [("group.instance.id", name), ("session.timeout.ms", "20000")];
        Member::start(context, &context.name(""), &topic, &settings)
    };
    let (mut first, second) = (start("first")?, start("second")?);
    settled(&[&first, &second], 4)?;
    let (share, rebalances) = (first.assigned(), second.rebalances());
    first.leave()?; // A static member does not say that it leaves.
    let returned = start("first")?;
    eventually(
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
    eventually(
        || returned.error() == "fenced",
        "the older of two doubles is fenced",
        20,
    )?;
    eventually(
        || double.assigned() == share,
        "the younger one has the partitions",
        20,
    )
}

fn cooperative(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", PARTITIONS, &[])?;
    let settings = [("partition.assignment.strategy", "cooperative-sticky")];
    let start = || Member::start(context, &context.name(""), &topic, &settings);
    let first = start()?;
    settled(&[&first], PARTITIONS)?;
    let mut second = start()?;
    settled(&[&first, &second], PARTITIONS)?;
    check(!first.was_bare(), "the first member gave everything away")?;
    spread(context, &topic, 0..120)?;
    all_read_once(&[&first, &second], 120)?;
    second.leave()?;
    settled(&[&first], PARTITIONS)
}

fn commit_sync(context: &Context) -> Fallible<()> {
    let topic = resumed(context, |consumer| {
        Ok(consumer.commit_consumer_state(CommitMode::Sync)?)
    })?;
    let consumer = consumer(context, &context.name(""), &[])?;
    let offset = partitions(&topic, &[0], Offset::Offset(7))?;
    offset.elements()[0].set_metadata("a note");
    consumer.commit(&offset, CommitMode::Sync)?;
    let asked = || partitions(&topic, &[0], Offset::Invalid);
    let found = consumer.committed_offsets(asked()?, TIMEOUT)?;
    let found = &found.elements()[0];
    equal(
        (found.offset(), found.metadata()),
        (Offset::Offset(7), "a note"),
        "a commit by hand",
    )?;
    let fresh = self::consumer(context, &context.name("-fresh"), &[])?;
    let found = fresh.committed_offsets(asked()?, TIMEOUT)?;
    equal(
        found.elements()[0].offset(),
        Offset::Invalid,
        "a group without commits",
    )
}

fn commit_async(context: &Context) -> Fallible<()> {
    let topic = context.name("");
    resumed(context, |consumer| {
        consumer.commit_consumer_state(CommitMode::Async)?;
        // Nobody is told how it ended.
        let asked = || partitions(&topic, &[0], Offset::Invalid);
        let committed = || -> Fallible<Offset> {
            Ok(consumer.committed_offsets(asked()?, TIMEOUT)?.elements()[0].offset())
        };
        let is_committed = || committed().is_ok_and(|offset| offset == Offset::Offset(40));
        eventually(is_committed, "the commit is there", 10)
    })?;
    Ok(())
}

/// Hands on what becomes of commits that nobody asked for.
struct Commits(Sender<KafkaResult<()>>);

impl ClientContext for Commits {}

impl ConsumerContext for Commits {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        // Nobody listens any more when the consumer is closed.
        let _ = self.0.send(result);
    }
}

fn commit_auto(context: &Context) -> Fallible<()> {
    let settings = [
        ("enable.auto.commit", "true"),
        ("auto.commit.interval.ms", "200"),
    ];
    let (sender, answers) = channel();
    resumed_with(context, &settings, Commits(sender), |consumer| {
        let mut answer = None;
        let answered = || {
            consumer.poll(Duration::from_millis(20));
            answer = answer.take().or_else(|| answers.try_recv().ok());
            answer.is_some()
        };
        eventually(answered, "a commit is answered", 10)?;
        equal(answer, Some(Ok(())), "the commit")
    })?;
    Ok(())
}

fn resumed(context: &Context, commit: impl Fn(&BaseConsumer) -> Fallible<()>) -> Fallible<String> {
    resumed_with(context, &[], DefaultConsumerContext, commit)
}

/// Read 40 of 100, commit, come back, and go on at 40.
fn resumed_with<C: ConsumerContext + 'static>(
    context: &Context,
    settings: Settings,
    callbacks: C,
    commit: impl Fn(&BaseConsumer<C>) -> Fallible<()>,
) -> Fallible<String> {
    let topic = create_topic(context, "", 1, &[])?;
    let sent: Vec<_> = (0..100)
        .map(|number| Record::new(number.to_string()))
        .collect();
    send(context, &topic, &sent, &[])?;
    let group = context.name("");
    let first: BaseConsumer<C> =
        consumer_config(context, &group, settings).create_with_context(callbacks)?;
    first.subscribe(&[&topic])?;
    equal(
        offsets(&poll(&first, 40)?),
        (0..40).collect::<Vec<i64>>(),
        "first reading",
    )?;
    first.pause(&first.assignment()?)?;
    commit(&first)?;
    drop(first);
    let second = consumer(context, &group, settings)?;
    second.subscribe(&[&topic])?;
    equal(
        offsets(&poll(&second, 60)?),
        (40..100).collect::<Vec<i64>>(),
        "second reading",
    )?;
    Ok(topic)
}

fn spread(context: &Context, topic: &str, numbers: std::ops::Range<i32>) -> Fallible<()> {
    let sent: Vec<_> = numbers
        .map(|number| Record::at(number % PARTITIONS, number.to_string()))
        .collect();
    send(context, topic, &sent, &[])?;
    Ok(())
}

fn all_read_once(members: &[&Member], count: i32) -> Fallible<()> {
    let read = || -> Vec<String> { members.iter().flat_map(|member| member.values()).collect() };
    let what = format!("{count} records are read");
    eventually(|| read().len() >= count as usize, &what, 20)?;
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
