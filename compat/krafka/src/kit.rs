//! Small words the scenarios are written in: make, send, read, fail.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use compat::{Context, Fallible, Record, check};
use krafka::admin::{AdminClient, CreateTopicsOptions, ListOffsetsOptions, NewTopic, OffsetSpec};
use krafka::consumer::{
    AutoOffsetReset, Consumer, ConsumerBuilder, ConsumerRecord, TopicPartition,
};
use krafka::error::ErrorCode;
use krafka::producer::{ProducerBuilder, RecordMetadata};
use krafka::{Kafka, KrafkaError};
use tokio::runtime::Runtime;
use tokio::time::sleep;

pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

pub async fn connect(context: &Context) -> Fallible<Kafka> {
    Ok(Kafka::builder(&context.bootstrap).connect().await?)
}

pub async fn admin(context: &Context) -> Fallible<AdminClient> {
    Ok(connect(context).await?.admin())
}

/// The answer for the only thing that was asked about.
pub fn one<K: Eq + Hash, T>(answers: krafka::Result<HashMap<K, krafka::Result<T>>>) -> Fallible<T> {
    Ok(answers?.into_values().next().ok_or("no answer")??)
}

/// Create a topic and give its name back.
pub async fn create_topic(
    context: &Context,
    suffix: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Fallible<String> {
    let name = context.name(suffix);
    let admin = admin(context).await?;
    let mut topic = NewTopic::new(&name, partitions, 1)?;
    for (key, value) in configs {
        topic = topic.with_config(*key, *value);
    }
    one(admin
        .create_topics([topic], CreateTopicsOptions::default())
        .await)?;
    if context.kind == "kafka" {
        // Apache Kafka answers before its partitions are served.
        let what = format!("{name} is served");
        eventually(async || served(&admin, &name, partitions).await, &what, 20).await?;
    }
    Ok(name)
}

async fn served(admin: &AdminClient, topic: &str, partitions: i32) -> bool {
    let wanted =
        (0..partitions).map(|number| (TopicPartition::new(topic, number), OffsetSpec::Latest));
    let answers = admin
        .list_offsets(wanted, ListOffsetsOptions::default())
        .await;
    answers.is_ok_and(|offsets| offsets.values().all(Result::is_ok))
}

/// Send all and wait; where each was placed. Fails with the first failed delivery.
pub async fn send(
    context: &Context,
    topic: &str,
    records: &[Record],
    settings: impl FnOnce(ProducerBuilder) -> ProducerBuilder,
) -> Fallible<Vec<RecordMetadata>> {
    let producer = settings(connect(context).await?.producer()).build().await?;
    let mut deliveries = Vec::new();
    for record in records {
        deliveries.push(producer.enqueue(as_sent(topic, record)).await?);
    }
    let mut placed = Vec::new();
    for delivery in deliveries {
        placed.push(delivery.await?);
    }
    producer.close().await?;
    Ok(placed)
}

/// No settings but the client's own.
pub fn plain<B>(builder: B) -> B {
    builder
}

fn as_sent(topic: &str, record: &Record) -> krafka::Record {
    let mut sent = krafka::Record::new(topic, record.value.clone().unwrap_or_default());
    if record.value.is_none() {
        sent = sent.without_value();
    }
    if let Some(key) = &record.key {
        sent = sent.key(key.clone());
    }
    if let Some(partition) = record.partition {
        sent = sent.partition(partition);
    }
    if let Some(timestamp_ms) = record.timestamp_ms {
        sent = sent.timestamp(timestamp_ms);
    }
    let headers = record.headers.iter();
    headers.fold(sent, |sent, (name, value)| match value {
        Some(value) => sent.header(name, value.clone()),
        None => sent.null_header(name),
    })
}

/// Fail unless something fails, and in the right way.
pub fn fails<T>(
    result: Fallible<T>,
    expected: impl Fn(&KrafkaError) -> bool,
    what: &str,
) -> Fallible<()> {
    let Err(error) = result else {
        return Err(format!("{what}: it worked").into());
    };
    check(
        error.downcast_ref().is_some_and(expected),
        format!("{what}: found {error:?}"),
    )
}

/// The broker's answer is this error.
pub fn code(expected: ErrorCode) -> impl Fn(&KrafkaError) -> bool {
    move |error| matches!(error, KrafkaError::Broker { code, .. } if *code == expected)
}

/// The client refused it, without asking the broker.
pub fn not_sent(error: &KrafkaError) -> bool {
    matches!(
        error,
        KrafkaError::Config { .. } | KrafkaError::Protocol { .. }
    )
}

/// Fail when `condition` is not true in time.
pub async fn eventually(
    mut condition: impl AsyncFnMut() -> bool,
    what: &str,
    seconds: u64,
) -> Fallible<()> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !condition().await {
        check(
            Instant::now() < deadline,
            format!("not within {seconds} s: {what}"),
        )?;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A member of a group, that commits when it is told to.
pub async fn member(context: &Context, group: &str, topic: &str) -> Fallible<Consumer> {
    member_with(context, group, topic, plain).await
}

pub async fn member_with(
    context: &Context,
    group: &str,
    topic: &str,
    settings: impl FnOnce(ConsumerBuilder) -> ConsumerBuilder,
) -> Fallible<Consumer> {
    let builder = connect(context).await?.consumer(group);
    let builder = builder
        .enable_auto_commit(false)
        .auto_offset_reset(AutoOffsetReset::Earliest);
    let consumer = settings(builder).build().await?;
    consumer.subscribe([topic]).await?;
    Ok(consumer)
}

/// Partitions by hand, without a group.
pub async fn assigned(
    context: &Context,
    topic: &str,
    partitions: &[i32],
    settings: impl FnOnce(ConsumerBuilder) -> ConsumerBuilder,
) -> Fallible<Consumer> {
    let builder = connect(context).await?.consumer_without_group();
    let consumer = settings(builder.auto_offset_reset(AutoOffsetReset::Earliest))
        .build()
        .await?;
    consumer.assign(topic, partitions.to_vec()).await?;
    Ok(consumer)
}

/// Exactly `count` records; fails when they do not come in time, or an error does.
pub async fn poll(consumer: &Consumer, count: usize) -> Fallible<Vec<Record>> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut found = Vec::new();
    while found.len() < count {
        check(
            Instant::now() < deadline,
            format!("{} of {count} records in time", found.len()),
        )?;
        // One by one, so that not more are taken than were asked for.
        if let Ok(record) = tokio::time::timeout(Duration::from_millis(500), consumer.recv()).await
        {
            found.push(as_record(record?.ok_or("closed")?));
        }
    }
    Ok(found)
}

/// Fails when a record comes.
pub async fn silent(consumer: &Consumer, milliseconds: u64) -> Fallible<()> {
    let found = consumer.poll(Duration::from_millis(milliseconds)).await?;
    check(
        found.is_empty(),
        format!("{} records where none was due", found.len()),
    )
}

/// The first `count` records of some partitions, and no more.
pub async fn read(
    context: &Context,
    topic: &str,
    count: usize,
    partitions: &[i32],
) -> Fallible<Vec<Record>> {
    read_with(context, topic, count, partitions, plain).await
}

pub async fn read_with(
    context: &Context,
    topic: &str,
    count: usize,
    partitions: &[i32],
    settings: impl FnOnce(ConsumerBuilder) -> ConsumerBuilder,
) -> Fallible<Vec<Record>> {
    let consumer = assigned(context, topic, partitions, settings).await?;
    let found = poll(&consumer, count).await?;
    silent(&consumer, 300).await?;
    consumer.close().await?;
    Ok(found)
}

fn as_record(record: ConsumerRecord) -> Record {
    let headers = record.headers.into_iter();
    Record {
        partition: Some(record.partition),
        offset: record.offset,
        timestamp_ms: Some(record.timestamp),
        key: record.key.map(|bytes| bytes.to_vec()),
        value: record.value.map(|bytes| bytes.to_vec()),
        headers: headers
            .map(|(name, value)| (name, value.map(|bytes| bytes.to_vec())))
            .collect(),
    }
}

/// `count` numbered records in the first partition of a new topic.
pub async fn filled(context: &Context, count: usize) -> Fallible<String> {
    let topic = create_topic(context, "", 1, &[]).await?;
    let sent: Vec<_> = (0..count)
        .map(|number| Record::new(number.to_string()))
        .collect();
    send(context, &topic, &sent, |builder| builder.batch_size(500)).await?;
    Ok(topic)
}

/// The offsets alone.
pub fn offsets(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.offset).collect()
}

pub fn range(from: i64, to: i64) -> Vec<i64> {
    (from..to).collect()
}
