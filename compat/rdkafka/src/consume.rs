//! Consuming by hand: where to begin, pausing, seeking, what is not there.

use std::time::Duration;

use compat::{Context, Fallible, Record, Scenario, check, equal, now_ms};
use rdkafka::Offset;
use rdkafka::admin::AdminOptions;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use crate::kit::{
    TIMEOUT, admin, code_of, consumer, create_topic, fails, offsets, one, partitions, poll, read,
    send, silent, wait,
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

fn consume_beginning(context: &Context) -> Fallible<()> {
    let topic = filled(context, 100)?;
    let consumer = assigned(context, &topic, Offset::Beginning)?;
    equal(offsets(&poll(&consumer, 100)?), range(0, 100), "offsets")?;
    equal(
        consumer.fetch_watermarks(&topic, 0, TIMEOUT)?,
        (0, 100),
        "watermarks",
    )
}

fn consume_end(context: &Context) -> Fallible<()> {
    let topic = filled(context, 50)?;
    let consumer = assigned(context, &topic, Offset::End)?;
    silent(&consumer, Duration::from_secs(1))?;
    send(context, &topic, &[Record::new("late")], &[])?;
    let found = poll(&consumer, 1)?;
    equal(
        (found[0].offset, found[0].text()),
        (50, "late".to_string()),
        "what came after",
    )
}

fn consume_offset(context: &Context) -> Fallible<()> {
    let topic = filled(context, 100)?;
    let consumer = assigned(context, &topic, Offset::Offset(42))?;
    equal(offsets(&poll(&consumer, 58)?), range(42, 100), "offsets")?;
    consumer.assign(&partitions(&topic, &[0], Offset::Offset(5000))?)?;
    equal(
        offsets(&poll(&consumer, 100)?),
        range(0, 100),
        "after a reset to the earliest",
    )?;

    let strict = self::consumer(
        context,
        &context.name("-strict"),
        &[("auto.offset.reset", "error")],
    )?;
    strict.assign(&partitions(&topic, &[0], Offset::Offset(5000))?)?;
    fails(
        poll(&strict, 1),
        RDKafkaErrorCode::AutoOffsetReset,
        "out of range",
    )
}

fn consume_timestamp(context: &Context) -> Fallible<()> {
    // Old records, which retention must not take away.
    let topic = create_topic(context, "", 2, &[("retention.ms", "-1")])?;
    let at = |number: i64| THEN_MS + number * 1000;
    let sent: Vec<_> = (0..100)
        .map(|number| Record {
            timestamp_ms: Some(at(number)),
            ..Record::at(0, number.to_string())
        })
        .collect();
    // One batch a record, so that the index has something to find.
    send(context, &topic, &sent, &[("batch.num.messages", "1")])?;
    let consumer = consumer(context, &context.name("-reader"), &[])?;
    let offset_at = |timestamp_ms: i64, partition: i32| -> Fallible<Offset> {
        let times = partitions(&topic, &[partition], Offset::Offset(timestamp_ms))?;
        Ok(consumer.offsets_for_times(times, TIMEOUT)?.elements()[0].offset())
    };
    equal(offset_at(at(40), 0)?, Offset::Offset(40), "the exact time")?;
    equal(
        offset_at(at(40) + 1, 0)?,
        Offset::Offset(41),
        "between two records",
    )?;
    equal(offset_at(THEN_MS - 1, 0)?, Offset::Offset(0), "before all")?;
    equal(offset_at(at(99) + 1, 0)?, Offset::End, "after all")?;
    equal(offset_at(THEN_MS, 1)?, Offset::End, "an empty partition")?;
    consumer.assign(&partitions(&topic, &[0], offset_at(at(90), 0)?)?)?;
    let found: Vec<_> = poll(&consumer, 10)?
        .iter()
        .map(|record| record.timestamp_ms)
        .collect();
    equal(
        found,
        (90..100).map(|number| Some(at(number))).collect::<Vec<_>>(),
        "timestamps",
    )?;

    let stamped = create_topic(
        context,
        "-stamped",
        1,
        &[("message.timestamp.type", "LogAppendTime")],
    )?;
    let before_ms = now_ms();
    send(
        context,
        &stamped,
        &[Record {
            timestamp_ms: Some(THEN_MS),
            ..Record::new("v")
        }],
        &[],
    )?;
    let at_ms = read(context, &stamped, 1, &[0], &[])?[0]
        .timestamp_ms
        .unwrap_or_default();
    check(
        (before_ms - 1000..=now_ms() + 1000).contains(&at_ms),
        format!("LogAppendTime gave {at_ms}"),
    )
}

fn pause_resume(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 2, &[])?;
    let consumer = consumer(context, &context.name(""), &[])?;
    consumer.assign(&partitions(&topic, &[0, 1], Offset::Beginning)?)?;
    let both: Vec<_> = (0..100)
        .map(|number| Record::at(number % 2, number.to_string()))
        .collect();
    send(context, &topic, &both, &[])?;
    poll(&consumer, 100)?;
    let first = partitions(&topic, &[0], Offset::Invalid)?;
    consumer.pause(&first)?;
    send(context, &topic, &both, &[])?;
    let found = poll(&consumer, 50)?;
    check(
        found.iter().all(|record| record.partition == Some(1)),
        "a record of a paused partition",
    )?;
    silent(&consumer, Duration::from_secs(1))?;
    consumer.resume(&first)?;
    let found = poll(&consumer, 50)?;
    check(
        found.iter().all(|record| record.partition == Some(0)),
        "a record of the other partition",
    )?;
    equal(offsets(&found), range(50, 100), "after the pause")
}

fn seek(context: &Context) -> Fallible<()> {
    let topic = filled(context, 200)?;
    let consumer = assigned(context, &topic, Offset::Beginning)?;
    poll(&consumer, 150)?;
    for target in [10, 199, 0, 120] {
        consumer.seek(&topic, 0, Offset::Offset(target), TIMEOUT)?;
        let expected = range(target, (target + 20).min(200));
        let what = format!("after a seek to {target}");
        equal(offsets(&poll(&consumer, expected.len())?), expected, &what)?;
    }
    let position = consumer.position()?;
    equal(
        position.elements()[0].offset(),
        Offset::Offset(140),
        "position",
    )
}

fn unknown_topic(context: &Context) -> Fallible<()> {
    let absent = context.name("-absent");
    let unknown = RDKafkaErrorCode::UnknownTopicOrPartition;
    let consumer = consumer(
        context,
        &context.name(""),
        &[("allow.auto.create.topics", "false")],
    )?;
    consumer.subscribe(&[&absent])?;
    fails(
        poll(&consumer, 1),
        unknown,
        "subscribing to what is not there",
    )?;
    let admin = admin(context)?;
    let deleted = wait(admin.delete_topics(&[&absent], &AdminOptions::new()));
    fails(one(deleted), unknown, "deleting what is not there")?;
    let all = consumer.fetch_metadata(None, TIMEOUT)?;
    check(
        all.topics().iter().all(|topic| topic.name() != absent),
        "asking for a topic has created it",
    )?;

    let wanted = context.name("-wanted");
    send(context, &wanted, &[Record::new("creates its topic")], &[])?;
    let found = read(context, &wanted, 1, &[0], &[])?;
    equal(
        found[0].text(),
        "creates its topic".to_string(),
        "the auto-created topic",
    )?;
    let bad = send(
        context,
        "no such name/",
        &[Record::new("v")],
        &[("message.timeout.ms", "5000")],
    );
    let code = code_of(bad.expect_err("a bad name was taken").as_ref());
    let expected = [
        RDKafkaErrorCode::InvalidTopic,
        RDKafkaErrorCode::UnknownTopic,
    ];
    check(
        code.is_some_and(|code| expected.contains(&code)),
        format!("a bad name: {code:?}"),
    )
}

fn bad_partition(context: &Context) -> Fallible<()> {
    let topic = filled(context, 10)?;
    let absent = RDKafkaErrorCode::UnknownPartition;
    let sent = send(
        context,
        &topic,
        &[Record::at(99, "v")],
        &[("message.timeout.ms", "10000")],
    );
    fails(sent, absent, "producing")?;
    let consumer = consumer(context, &context.name(""), &[])?;
    let asked = consumer
        .fetch_watermarks(&topic, 99, TIMEOUT)
        .map_err(Into::into);
    fails(asked, absent, "asking")?;
    let offset = partitions(&topic, &[99], Offset::Offset(0))?;
    let committed = consumer
        .commit(&offset, CommitMode::Sync)
        .map_err(Into::into);
    fails(
        committed,
        RDKafkaErrorCode::UnknownTopicOrPartition,
        "committing",
    )?;
    // The same client still reads what is there.
    consumer.assign(&partitions(&topic, &[0], Offset::Beginning)?)?;
    equal(
        offsets(&poll(&consumer, 10)?),
        range(0, 10),
        "the partition that is there",
    )?;
    let metadata = consumer.fetch_metadata(Some(&topic), TIMEOUT)?;
    equal(metadata.topics()[0].partitions().len(), 1, "partitions")
}

fn filled(context: &Context, count: usize) -> Fallible<String> {
    let topic = create_topic(context, "", 1, &[])?;
    let sent: Vec<_> = (0..count)
        .map(|number| Record::new(number.to_string()))
        .collect();
    send(context, &topic, &sent, &[("batch.num.messages", "7")])?;
    Ok(topic)
}

fn assigned(context: &Context, topic: &str, offset: Offset) -> Fallible<BaseConsumer> {
    let consumer = consumer(context, &context.name("-reader"), &[])?;
    consumer.assign(&partitions(topic, &[0], offset)?)?;
    Ok(consumer)
}

fn range(from: i64, to: i64) -> Vec<i64> {
    (from..to).collect()
}
