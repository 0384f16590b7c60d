//! Producing: codecs, keys, headers, sizes, acknowledgements.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use compat::{Context, Fallible, Record, Scenario, check, equal, in_partition, mixed, values};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;

use crate::kit::{Settings, create_topic, fails, producer, read, send};
use crate::named;

/// Bytes of an uncompressed batch around one value: 61 of header, 11 of record.
const BATCH_OVERHEAD: usize = 72;
const MAX_BATCH: usize = 1_048_588;

pub fn scenarios() -> Vec<(&'static str, Scenario)> {
    vec![
        named("produce_none", |context| codec(context, "none")),
        named("produce_gzip", |context| codec(context, "gzip")),
        named("produce_snappy", |context| codec(context, "snappy")),
        named("produce_lz4", |context| codec(context, "lz4")),
        named("produce_zstd", |context| codec(context, "zstd")),
        named("keyed_and_unkeyed", keyed_and_unkeyed),
        named("headers", headers),
        named("message_size_boundary", message_size_boundary),
        named("idempotent", idempotent),
        named("acks_0_1_all", acks_0_1_all),
        named("transactional_refused", transactional_refused),
    ]
}

fn codec(context: &Context, codec: &str) -> Fallible<()> {
    let topic = create_topic(context, "", 3, &[])?;
    let sent = mixed(600, 3);
    let settings = [
        ("compression.type", codec),
        ("linger.ms", "20"),
        ("batch.num.messages", "100"),
    ];
    send(context, &topic, &sent, &settings)?;
    let found = read(
        context,
        &topic,
        sent.len(),
        &[0, 1, 2],
        &[("check.crcs", "true")],
    )?;
    for partition in 0..3 {
        let what = format!("partition {partition}");
        equal(
            values(&in_partition(&found, partition)),
            values(&in_partition(&sent, partition)),
            &what,
        )?;
    }
    Ok(())
}

fn keyed_and_unkeyed(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 6, &[])?;
    let key = |number: usize| format!("key-{}", number % 20);
    let keyed: Vec<_> = (0..200)
        .map(|number| Record::keyed(key(number), number.to_string()))
        .collect();
    let special = [
        Record::keyed("", "empty key"),
        Record::new("no key"),
        Record {
            key: Some(b"tombstone".into()),
            ..Record::default()
        },
        Record::keyed("empty value", ""),
    ];
    let unkeyed: Vec<_> = (0..200)
        .map(|number| Record::new(format!("unkeyed-{number}")))
        .collect();
    let all = [keyed.as_slice(), &special, &unkeyed].concat();
    send(context, &topic, &all, &[("partitioner", "murmur2_random")])?;
    let found = read(context, &topic, all.len(), &[0, 1, 2, 3, 4, 5], &[])?;
    for number in 0..20 {
        let key = key(number).into_bytes();
        let of_key = |records: &[Record]| -> Vec<Record> {
            records
                .iter()
                .filter(|each| each.key.as_ref() == Some(&key))
                .cloned()
                .collect()
        };
        let mine = of_key(&found);
        let partitions: BTreeSet<_> = mine.iter().map(|record| record.partition).collect();
        equal(partitions.len(), 1, &format!("partitions of key {number}"))?;
        equal(
            values(&mine),
            values(&of_key(&keyed)),
            &format!("order of key {number}"),
        )?;
    }
    for record in special {
        let back = found
            .iter()
            .any(|each| (&each.key, &each.value) == (&record.key, &record.value));
        check(back, format!("{record:?} did not come back as it was"))?;
    }
    Ok(())
}

fn headers(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 1, &[])?;
    let header = |name: &str, value: &[u8]| (name.to_string(), Some(value.to_vec()));
    let all_bytes: Vec<u8> = (0..=255).collect();
    let cases = [
        vec![header("one", b"1")],
        vec![
            header("same", b"first"),
            header("same", b"second"),
            header("other", b"x"),
            header("same", b"third"),
        ],
        vec![
            ("null".to_string(), None),
            header("empty", b""),
            header("binary", &all_bytes),
            header("ünïcode", "✓".as_bytes()),
        ],
        (0..100)
            .map(|size| header(&format!("header-{size}"), &vec![b'v'; size]))
            .collect(),
        vec![],
    ];
    let with = |headers: &Vec<_>| Record {
        headers: headers.clone(),
        ..Record::new("v")
    };
    send(
        context,
        &topic,
        &cases.iter().map(with).collect::<Vec<_>>(),
        &[],
    )?;
    let found = read(context, &topic, cases.len(), &[0], &[])?;
    for (found, expected) in found.into_iter().zip(cases) {
        equal(found.headers, expected, "headers")?;
    }
    Ok(())
}

fn message_size_boundary(context: &Context) -> Fallible<()> {
    let settings = [
        ("message.max.bytes", "10000000"),
        ("compression.type", "none"),
    ];
    let taken = |topic: &str, size: usize| send(context, topic, &[sized(size)], &settings);
    let refused = |topic: &str, size: usize, what: &str| {
        fails(
            taken(topic, size),
            RDKafkaErrorCode::MessageSizeTooLarge,
            what,
        )
    };
    let topic = create_topic(context, "", 1, &[])?;
    taken(&topic, MAX_BATCH - BATCH_OVERHEAD)?;
    refused(&topic, MAX_BATCH - BATCH_OVERHEAD + 1, "one byte more")?;
    let found = read(context, &topic, 1, &[0], &[])?;
    equal(
        values(&found),
        values(&[sized(MAX_BATCH - BATCH_OVERHEAD)]),
        "the largest record",
    )?;

    let roomy = create_topic(context, "-roomy", 1, &[("max.message.bytes", "5000000")])?;
    taken(&roomy, 4_000_000)?;
    // At least one batch comes, however small the limits of the consumer are.
    let small = [
        "fetch.message.max.bytes",
        "fetch.max.bytes",
        "message.max.bytes",
    ];
    let found = read(context, &roomy, 1, &[0], &small.map(|name| (name, "1000")))?;
    equal(
        values(&found),
        values(&[sized(4_000_000)]),
        "a large record",
    )?;

    let narrow = create_topic(context, "-narrow", 1, &[("max.message.bytes", "1000")])?;
    taken(&narrow, 1000 - 70)?;
    refused(&narrow, 1000, "above the topic's limit")
}

fn sized(size: usize) -> Record {
    Record::new(
        (0..size)
            .map(|index| (index % 251) as u8)
            .collect::<Vec<_>>(),
    )
}

fn idempotent(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 6, &[])?;
    let sent: Vec<_> = (0..6000)
        .map(|number| Record::at(number % 6, number.to_string()))
        .collect();
    let settings = [
        ("enable.idempotence", "true"),
        ("max.in.flight", "5"),
        ("linger.ms", "1"),
        ("batch.num.messages", "50"),
    ];
    let placed = send(context, &topic, &sent, &settings)?;
    for partition in 0..6 {
        let mine = placed.iter().filter(|(place, _)| *place == partition);
        let offsets: Vec<_> = mine.map(|(_, offset)| *offset).collect();
        equal(
            offsets,
            (0..1000).collect::<Vec<i64>>(),
            "acknowledged offsets",
        )?;
        let found = read(context, &topic, 1000, &[partition], &[])?;
        equal(
            values(&found),
            values(&in_partition(&sent, partition)),
            &format!("partition {partition}"),
        )?;
    }
    Ok(())
}

fn acks_0_1_all(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 3, &[])?;
    for (partition, acks) in [(0, "0"), (1, "1"), (2, "all")] {
        let sent: Vec<_> = (0..300)
            .map(|number| Record::at(partition, format!("{acks}-{number}")))
            .collect();
        let settings: Settings = &[("acks", acks), ("batch.num.messages", "30")];
        let placed = send(context, &topic, &sent, settings)?;
        if acks != "0" {
            let offsets: Vec<_> = placed.iter().map(|(_, offset)| *offset).collect();
            equal(
                offsets,
                (0..300).collect::<Vec<i64>>(),
                &format!("offsets with acks={acks}"),
            )?;
        }
        let found = read(context, &topic, 300, &[partition], &[])?;
        equal(values(&found), values(&sent), &format!("acks={acks}"))?;
    }
    Ok(())
}

fn transactional_refused(context: &Context) -> Fallible<()> {
    let producer = producer(
        context,
        &[
            ("transactional.id", &context.name("")),
            ("max.in.flight", "5"),
        ],
    )?;
    let started = Instant::now();
    match producer.init_transactions(Duration::from_secs(30)) {
        Err(KafkaError::Transaction(error)) => {
            check(
                !error.is_retriable(),
                format!("an error that clients retry: {error}"),
            )?;
            check(
                started.elapsed() < Duration::from_secs(5),
                "the error took more than 5 s",
            )
        }
        other => Err(format!("a transactional producer was not refused: {other:?}").into()),
    }
}
