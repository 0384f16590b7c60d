//! Consuming by hand: where to begin, pausing, seeking, what is not there.

use std::time::Duration;

use compat::{Context, Fallible, Record, Scenario, check, equal};
use krafka::admin::{
    DeleteRecordsOptions, DeleteTopicsOptions, DescribeTopicsOptions, ListTopicsOptions,
};
use krafka::consumer::{AutoOffsetReset, OffsetAndMetadata, TopicPartition};
use krafka::error::ErrorCode;
use krafka::{Kafka, KrafkaError};

use crate::kit::{
    admin, assigned, code, create_topic, fails, filled, member, not_sent, offsets, one, plain,
    poll, range, read, send, silent,
};
use crate::named;

const THEN_MS: i64 = 1_700_000_000_000;

pub fn scenarios() -> Vec<(&'static str, Scenario)> {
    vec![
        named("consume_beginning", consume_beginning),
        named("consume_end", consume_end),
        named("consume_offset", consume_offset),
        named("consume_timestamp", consume_timestamp),
        named("pause_resume", pause_resume),
        named("seek", seek),
        named("unknown_topic", unknown_topic),
        named("bad_partition", bad_partition),
    ]
}

async fn consume_beginning(context: &Context) -> Fallible<()> {
    let topic = filled(context, 100).await?;
    let consumer = assigned(context, &topic, &[0], plain).await?;
    equal(
        offsets(&poll(&consumer, 100).await?),
        range(0, 100),
        "offsets",
    )?;
    equal(
        consumer.fetch_watermarks(&topic, 0).await?,
        (0, 100),
        "watermarks",
    )?;
    consumer.seek_to_beginning(&topic, 0).await?;
    equal(
        offsets(&poll(&consumer, 100).await?),
        range(0, 100),
        "once more",
    )
}

async fn consume_end(context: &Context) -> Fallible<()> {
    let topic = filled(context, 50).await?;
    let latest = |builder: krafka::consumer::ConsumerBuilder| {
        builder.auto_offset_reset(AutoOffsetReset::Latest)
    };
    let consumer = assigned(context, &topic, &[0], latest).await?;
    silent(&consumer, 1000).await?;
    send(context, &topic, &[Record::new("late")], plain).await?;
    let found = poll(&consumer, 1).await?;
    equal(
        (found[0].offset, found[0].text()),
        (50, "late".to_string()),
        "what came after",
    )
}

async fn consume_offset(context: &Context) -> Fallible<()> {
    let topic = filled(context, 100).await?;
    let consumer = assigned(context, &topic, &[0], plain).await?;
    consumer.seek(&topic, 0, 42).await?;
    equal(
        offsets(&poll(&consumer, 58).await?),
        range(42, 100),
        "offsets",
    )?;
    // Below the log's start; what lies beyond its end the client takes for the end.
    let before = [(TopicPartition::new(&topic, 0), 30)];
    one(admin(context)
        .await?
        .delete_records(before, DeleteRecordsOptions::default())
        .await)?;
    consumer.seek(&topic, 0, 10).await?;
    equal(
        offsets(&poll(&consumer, 70).await?),
        range(30, 100),
        "after a reset to the earliest",
    )?;

    let strict = |builder: krafka::consumer::ConsumerBuilder| {
        builder.auto_offset_reset(AutoOffsetReset::None)
    };
    let strict = assigned(context, &topic, &[0], strict).await?;
    strict.seek(&topic, 0, 10).await?;
    let out_of_range = |error: &KrafkaError| matches!(error, KrafkaError::NoOffset { .. });
    fails(poll(&strict, 1).await, out_of_range, "out of range")
}

async fn consume_timestamp(context: &Context) -> Fallible<()> {
    // Old records, which retention must not take away.
    let topic = create_topic(context, "", 2, &[("retention.ms", "-1")]).await?;
    let at = |number: i64| THEN_MS + number * 1000;
    for number in 0..100 {
        let record = Record {
            timestamp_ms: Some(at(number)),
            ..Record::at(0, number.to_string())
        };
        // One batch a record, so that the index has something to find.
        send(context, &topic, &[record], |builder| {
            builder.linger(Duration::ZERO)
        })
        .await?;
    }
    let consumer = assigned(context, &topic, &[0], plain).await?;
    let offset_at = async |timestamp_ms: i64, partition: i32| -> Fallible<i64> {
        let found = consumer
            .offsets_for_times(&[(topic.as_str(), partition)], timestamp_ms)
            .await;
        one(Ok(found))
    };
    equal(offset_at(at(40), 0).await?, 40, "the exact time")?;
    equal(offset_at(at(40) + 1, 0).await?, 41, "between two records")?;
    equal(offset_at(THEN_MS - 1, 0).await?, 0, "before all")?;
    equal(offset_at(at(99) + 1, 0).await?, -1, "after all")?;
    equal(offset_at(THEN_MS, 1).await?, -1, "an empty partition")?;
    consumer.seek_to_timestamp(&topic, 0, at(90)).await?;
    let found: Vec<_> = poll(&consumer, 10)
        .await?
        .iter()
        .map(|record| record.timestamp_ms)
        .collect();
    equal(
        found,
        (90..100).map(|number| Some(at(number))).collect::<Vec<_>>(),
        "timestamps",
    )
}

async fn pause_resume(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 2, &[]).await?;
    let consumer = assigned(context, &topic, &[0, 1], plain).await?;
    let both: Vec<_> = (0..100)
        .map(|number| Record::at(number % 2, number.to_string()))
        .collect();
    send(context, &topic, &both, plain).await?;
    poll(&consumer, 100).await?;
    consumer.pause(&topic, &[0]).await;
    send(context, &topic, &both, plain).await?;
    let found = poll(&consumer, 50).await?;
    check(
        found.iter().all(|record| record.partition == Some(1)),
        "a record of a paused partition",
    )?;
    silent(&consumer, 1000).await?;
    consumer.resume(&topic, &[0]).await;
    let found = poll(&consumer, 50).await?;
    check(
        found.iter().all(|record| record.partition == Some(0)),
        "a record of the other partition",
    )?;
    equal(offsets(&found), range(50, 100), "after the pause")
}

async fn seek(context: &Context) -> Fallible<()> {
    let topic = filled(context, 200).await?;
    let consumer = assigned(context, &topic, &[0], plain).await?;
    poll(&consumer, 150).await?;
    for target in [10, 199, 0, 120] {
        consumer.seek(&topic, 0, target).await?;
        let expected = range(target, (target + 20).min(200));
        let what = format!("after a seek to {target}");
        equal(
            offsets(&poll(&consumer, expected.len()).await?),
            expected,
            &what,
        )?;
    }
    equal(consumer.position(&topic, 0).await, Some(140), "position")
}

async fn unknown_topic(context: &Context) -> Fallible<()> {
    let absent = context.name("-absent");
    let unknown = code(ErrorCode::UnknownTopicOrPartition);
    let admin = admin(context).await?;
    let described = admin
        .describe_topics([&absent], DescribeTopicsOptions::default())
        .await;
    fails(one(described), &unknown, "describing what is not there")?;
    let deleted = admin
        .delete_topics([&absent], DeleteTopicsOptions::default())
        .await;
    fails(one(deleted), &unknown, "deleting what is not there")?;
    let sent = send(context, &absent, &[Record::new("v")], |builder| {
        builder.max_block(Duration::from_secs(3))
    })
    .await;
    let not_there =
        |error: &KrafkaError| matches!(error, KrafkaError::UnknownTopic { .. }) || unknown(error);
    fails(sent, not_there, "producing to what is not there")?;
    let all = admin.list_topics(ListTopicsOptions::default()).await?;
    check(!all.contains(&absent), "asking for a topic has created it")?;

    let wanted = context.name("-wanted");
    let kafka = Kafka::builder(&context.bootstrap)
        .allow_auto_create_topics(true)
        .connect()
        .await?;
    let producer = kafka.producer().build().await?;
    let placed = producer
        .send(krafka::Record::new(&wanted, "creates its topic"))
        .await?;
    equal(placed.offset, 0, "the first offset")?;
    let found = read(context, &wanted, 1, &[0]).await?;
    equal(
        found[0].text(),
        "creates its topic".to_string(),
        "the auto-created topic",
    )?;
    let bad = send(context, "no such name/", &[Record::new("v")], plain).await;
    fails(bad, not_sent, "a bad name")
}

async fn bad_partition(context: &Context) -> Fallible<()> {
    let topic = filled(context, 10).await?;
    let timeouts =
        |builder: krafka::producer::ProducerBuilder| builder.max_block(Duration::from_secs(3));
    let sent = send(context, &topic, &[Record::at(99, "v")], timeouts).await;
    fails(sent, |error| !error.is_fatal(), "producing")?;
    let consumer = member(context, &context.name(""), &topic).await?;
    let asked = consumer
        .fetch_watermarks(&topic, 99)
        .await
        .map_err(Into::into);
    fails(asked, code(ErrorCode::LeaderNotAvailable), "asking")?;
    // The same client still reads what is there.
    equal(
        offsets(&poll(&consumer, 10).await?),
        range(0, 10),
        "the partition that is there",
    )?;
    let offset = [(TopicPartition::new(&topic, 99), OffsetAndMetadata::new(0))];
    let committed = consumer.commit_offsets(offset).await.map_err(Into::into);
    fails(
        committed,
        code(ErrorCode::UnknownTopicOrPartition),
        "committing",
    )?;
    let metadata = consumer.fetch_metadata(Some(&topic)).await?;
    equal(metadata.topics[0].partition_count(), 1, "partitions")?;
    Ok(consumer.close().await?)
}
