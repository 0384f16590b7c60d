//! The other end of `compat::Member`: bootstrap, group, topic, settings.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::Duration;

use compat::Fallible;
use krafka::consumer::{
    AutoOffsetReset, Consumer, ConsumerBuilder, ConsumerRebalanceListener,
    PartitionAssignmentStrategy, TopicPartition,
};
use krafka::error::ErrorCode;
use krafka::{Kafka, KrafkaError};
use tokio::sync::oneshot;

/// Tells what is owned, whichever protocol is spoken.
#[derive(Default)]
struct Owned(Mutex<BTreeSet<i32>>);

impl Owned {
    fn change(&self, change: impl FnOnce(&mut BTreeSet<i32>)) {
        let mut owned = self.0.lock().expect("unpoisoned");
        change(&mut owned);
        let numbers: Vec<_> = owned.iter().map(i32::to_string).collect();
        println!("assigned {}", numbers.join(","));
    }
}

impl ConsumerRebalanceListener for Owned {
    async fn on_partitions_assigned(&self, partitions: &[TopicPartition]) {
        self.change(|owned| owned.extend(partitions.iter().map(TopicPartition::partition)));
    }

    async fn on_partitions_revoked(&self, partitions: &[TopicPartition]) {
        self.change(|owned| {
            for each in partitions {
                owned.remove(&each.partition());
            }
        });
    }

    async fn on_partitions_lost(&self, partitions: &[TopicPartition]) {
        self.on_partitions_revoked(partitions).await;
    }
}

/// Consume until standard input ends.
pub async fn run(arguments: &[String]) -> Fallible<()> {
    let [bootstrap, group, topic, settings @ ..] = arguments else {
        return Err("bootstrap, group, topic and settings are needed".into());
    };
    let kafka = Kafka::builder(bootstrap).connect().await?;
    let mut builder = kafka
        .consumer(group)
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .enable_auto_commit(false)
        .session_timeout(Duration::from_secs(6))
        .heartbeat_interval(Duration::from_millis(500))
        .rebalance_listener(Owned::default());
    for pair in settings.chunks_exact(2) {
        builder = with(builder, &pair[0], &pair[1])?;
    }
    let consumer = builder.build().await?;
    consumer.subscribe([topic]).await?;
    match consume(&consumer, told_to_leave()).await {
        Err(error) if is_fenced(&error) => {
            println!("error fenced");
            Ok(())
        }
        other => Ok(other?),
    }
}

fn with(builder: ConsumerBuilder, name: &str, value: &str) -> Fallible<ConsumerBuilder> {
    Ok(match name {
        "instance" => builder.group_instance_id(value),
        "session" => builder.session_timeout(Duration::from_secs(value.parse()?)),
        _ => builder.partition_assignment_strategy(PartitionAssignmentStrategy::CooperativeSticky),
    })
}

async fn consume(consumer: &Consumer, mut told: oneshot::Receiver<()>) -> krafka::Result<()> {
    loop {
        let records = tokio::select! {
            records = consumer.poll(Duration::from_millis(100)) => records?,
            _ = &mut told => return consumer.close().await,
        };
        for record in &records {
            println!("record {}", record.value_str().unwrap_or_default());
        }
        if records.is_empty() {
            // A commit that comes while the group rebalances makes it give everything away.
            continue;
        }
        match consumer.commit().await {
            Err(error) if is_fenced(&error) => return Err(error),
            // Refused while the group rebalances; the next commit says more.
            Err(error) => eprintln!("commit: {error}"),
            Ok(()) => (),
        }
    }
}

fn is_fenced(error: &KrafkaError) -> bool {
    match error {
        KrafkaError::Fenced { .. } => true,
        KrafkaError::Broker { code, .. } => *code == ErrorCode::FencedInstanceId,
        _ => false,
    }
}

fn told_to_leave() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        // Its end is all that is ever read.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        let _ = tell.send(());
    });
    told
}
