//! Producing: codecs, keys, headers, sizes, acknowledgements.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use compat::{Context, Fallible, Record, Scenario, check, equal, in_partition, mixed, values};
use krafka::error::ErrorCode;
use krafka::producer::Acks;
use krafka::{Compression, KrafkaError};

use crate::kit::{code, connect, create_topic, fails, plain, range, read, read_with, send};
use crate::named;

/// Bytes of an uncompressed batch around one value: 61 of header, 11 of record.
const BATCH_OVERHEAD: usize = 72;
const MAX_BATCH: usize = 1_048_588;

pub fn scenarios() -> Vec<(&'static str, Scenario)> {
    vec![
        named("produce_none", async |context| {
            codec(context, Compression::None).await
        }),
        named("produce_gzip", async |context| {
            codec(context, Compression::Gzip).await
        }),
        named("produce_snappy", async |context| {
            codec(context, Compression::Snappy).await
        }),
        named("produce_lz4", async |context| {
            codec(context, Compression::Lz4).await
        }),
        named("produce_zstd", async |context| {
            codec(context, Compression::Zstd).await
        }),
        named("keyed_and_unkeyed", keyed_and_unkeyed),
        named("headers", headers),
        named("message_size_boundary", message_size_boundary),
        named("idempotent", idempotent),
        named("acks_0_1_all", acks_0_1_all),
        named("transactional_refused", transactional_refused),
    ]
}

async fn codec(context: &Context, codec: Compression) -> Fallible<()> {
    let topic = create_topic(context, "", 3, &[]).await?;
    let sent = mixed(600, 3);
    let linger = Duration::from_millis(20);
    send(context, &topic, &sent, |builder| {
        builder.compression(codec).linger(linger)
    })
    .await?;
    let found = read(context, &topic, sent.len(), &[0, 1, 2]).await?;
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

async fn keyed_and_unkeyed(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 6, &[]).await?;
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
    send(context, &topic, &all, plain).await?;
    let found = read(context, &topic, all.len(), &[0, 1, 2, 3, 4, 5]).await?;
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

async fn headers(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 1, &[]).await?;
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
        plain,
    )
    .await?;
    let found = read(context, &topic, cases.len(), &[0]).await?;
    for (found, expected) in found.into_iter().zip(cases) {
        equal(found.headers, expected, "headers")?;
    }
    Ok(())
}

async fn message_size_boundary(context: &Context) -> Fallible<()> {
    let taken = async |topic: &str, size: usize| {
        send(context, topic, &[sized(size)], |builder| {
            builder.max_request_size(10_000_000)
        })
        .await
    };
    let refused = async |topic: &str, size: usize, what: &str| {
        fails(
            taken(topic, size).await,
            code(ErrorCode::MessageTooLarge),
            what,
        )
    };
    let topic = create_topic(context, "", 1, &[]).await?;
    taken(&topic, MAX_BATCH - BATCH_OVERHEAD).await?;
    refused(&topic, MAX_BATCH - BATCH_OVERHEAD + 1, "one byte more").await?;
    let found = read(context, &topic, 1, &[0]).await?;
    equal(
        values(&found),
        values(&[sized(MAX_BATCH - BATCH_OVERHEAD)]),
        "the largest record",
    )?;

    let roomy = create_topic(context, "-roomy", 1, &[("max.message.bytes", "5000000")]).await?;
    taken(&roomy, 4_000_000).await?;
    // At least one batch comes, however small the limits of the consumer are.
    let small = |builder: krafka::consumer::ConsumerBuilder| {
        builder
            .max_partition_fetch_bytes(1000)
            .fetch_max_bytes(1000)
    };
    let found = read_with(context, &roomy, 1, &[0], small).await?;
    equal(
        values(&found),
        values(&[sized(4_000_000)]),
        "a large record",
    )?;

    let narrow = create_topic(context, "-narrow", 1, &[("max.message.bytes", "1000")]).await?;
    taken(&narrow, 1000 - 70).await?;
    refused(&narrow, 1000, "above the topic's limit").await
}

fn sized(size: usize) -> Record {
    Record::new(
        (0..size)
            .map(|index| (index % 251) as u8)
            .collect::<Vec<_>>(),
    )
}

async fn idempotent(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 6, &[]).await?;
    let sent: Vec<_> = (0..6000)
        .map(|number| Record::at(number % 6, number.to_string()))
        .collect();
    let settings = |builder: krafka::producer::ProducerBuilder| {
        builder
            .idempotent(true)
            .linger(Duration::from_millis(1))
            .batch_size(500)
    };
    let placed = send(context, &topic, &sent, settings).await?;
    for partition in 0..6 {
        let mine = placed.iter().filter(|each| each.partition == partition);
        equal(
            mine.map(|each| each.offset).collect::<Vec<_>>(),
            range(0, 1000),
            "acknowledged offsets",
        )?;
        let found = read(context, &topic, 1000, &[partition]).await?;
        equal(
            values(&found),
            values(&in_partition(&sent, partition)),
            &format!("partition {partition}"),
        )?;
    }
    Ok(())
}

async fn acks_0_1_all(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", 3, &[]).await?;
    for (partition, acks) in [(0, Acks::None), (1, Acks::Leader), (2, Acks::All)] {
        let value = |number| format!("{acks:?}-{number}");
        let sent: Vec<_> = (0..300)
            .map(|number| Record::at(partition, value(number)))
            .collect();
        let settings = |builder: krafka::producer::ProducerBuilder| {
            builder.idempotent(false).acks(acks).batch_size(500)
        };
        let placed = send(context, &topic, &sent, settings).await?;
        let confirmed = placed.iter().filter(|each| each.is_success());
        let offsets: Vec<_> = confirmed.map(|each| each.offset).collect();
        let expected = if acks == Acks::None {
            vec![]
        } else {
            range(0, 300)
        };
        equal(offsets, expected, &format!("offsets with {acks:?}"))?;
        let found = read(context, &topic, 300, &[partition]).await?;
        equal(values(&found), values(&sent), &format!("{acks:?}"))?;
    }
    Ok(())
}

async fn transactional_refused(context: &Context) -> Fallible<()> {
    let kafka = connect(context).await?;
    let started = Instant::now();
    match kafka.producer().build_transactional(context.name("")).await {
        Ok(_) => Err("a transactional producer was let in".into()),
        Err(error) => {
            check(
                !matches!(error, KrafkaError::Timeout { .. }),
                format!("it gave up waiting: {error}"),
            )?;
            check(
                !error.is_retriable(),
                format!("an error that clients retry: {error}"),
            )?;
            check(
                started.elapsed() < Duration::from_secs(5),
                "the error took more than 5 s",
            )
        }
    }
}
