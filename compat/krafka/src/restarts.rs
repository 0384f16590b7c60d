//! The broker goes away and comes back under clients that stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use compat::{Context, Fallible, Scenario, equal, values};
use krafka::KrafkaError;
use krafka::consumer::{Consumer, ConsumerBuilder};
use krafka::producer::{DeliveryHandle, Producer};
use tokio::time::{sleep, timeout};

use crate::kit::{connect, create_topic, eventually, member_with, read};
use crate::named;

const PARTITIONS: i32 = 3;

pub fn scenarios() -> Vec<(&'static str, Scenario)> {
    vec![named("restart_in_the_middle", restart_in_the_middle)]
}

async fn restart_in_the_middle(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", PARTITIONS, &[]).await?;
    let load = Arc::new(Load {
        topic,
        ..Load::default()
    });
    let producer = connect(context)
        .await?
        .producer()
        .linger(Duration::from_millis(2))
        .build()
        .await?;
    let mut clients = vec![tokio::spawn(produce(Arc::clone(&load), producer))];
    for _ in 0..2 {
        let consumer = load_consumer(context, &load.topic).await?;
        clients.push(tokio::spawn(consume(Arc::clone(&load), consumer)));
    }
    let told = tell(context, &load).await;
    load.stop.store(true, Ordering::Relaxed);
    for client in clients {
        timeout(Duration::from_secs(90), client)
            .await
            .map_err(|_| "a client hangs")??;
    }
    told?;
    load.verify(context).await
}

async fn tell(context: &Context, load: &Load) -> Fallible<()> {
    for action in ["kill", "stop"] {
        load.progress().await?;
        context.broker(action)?;
        context.broker("start")?;
    }
    load.progress().await
}

async fn load_consumer(context: &Context, topic: &str) -> Fallible<Consumer> {
    let settings = |builder: ConsumerBuilder| {
        builder
            .session_timeout(Duration::from_secs(30))
            .heartbeat_interval(Duration::from_millis(500))
    };
    member_with(context, &context.name(""), topic, settings).await
}

/// What an idempotent producer and two committing members have seen.
#[derive(Default)]
struct Load {
    topic: String,
    stop: AtomicBool,
    /// Partition → number of each acknowledged record.
    acknowledged: Mutex<BTreeMap<i32, BTreeSet<u64>>>,
    read: Mutex<BTreeSet<(i32, i64)>>,
    errors: Mutex<Vec<String>>,
}

impl Load {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn fail(&self, what: &str, error: impl ToString) {
        self.errors
            .lock()
            .expect("unpoisoned")
            .push(format!("{what}: {}", error.to_string()));
    }

    fn failed(&self) -> bool {
        !self.errors.lock().expect("unpoisoned").is_empty()
    }

    fn counts(&self) -> (usize, usize) {
        let sent = self
            .acknowledged
            .lock()
            .expect("unpoisoned")
            .values()
            .map(BTreeSet::len)
            .sum();
        (sent, self.read.lock().expect("unpoisoned").len())
    }

    /// Wait until 500 more records are acknowledged and read by the group.
    async fn progress(&self) -> Fallible<()> {
        let (sent, read) = self.counts();
        let on = async || {
            let (sent_now, read_now) = self.counts();
            self.failed() || (sent_now >= sent + 500 && read_now >= read + 500)
        };
        eventually(on, "500 more records are acknowledged and read", 45).await
    }

    /// Nothing failed; the log holds what was acknowledged, once, in order.
    async fn verify(&self, context: &Context) -> Fallible<()> {
        equal(
            self.errors.lock().expect("unpoisoned").as_slice(),
            &[] as &[String],
            "errors of clients",
        )?;
        let acknowledged = self.acknowledged.lock().expect("unpoisoned").clone();
        for (partition, numbers) in acknowledged {
            let found = read(context, &self.topic, numbers.len(), &[partition]).await?;
            let expected: Vec<_> = numbers
                .iter()
                .map(|number| Some(number.to_string().into_bytes()))
                .collect();
            equal(
                values(&found),
                expected,
                &format!("records of partition {partition}"),
            )?;
        }
        Ok(())
    }
}

async fn produce(load: Arc<Load>, producer: Producer) {
    for number in 0u64.. {
        if load.stopped() {
            break;
        }
        let partition = (number % PARTITIONS as u64) as i32;
        let record = krafka::Record::new(&load.topic, number.to_string()).partition(partition);
        match producer.enqueue(record).await {
            Ok(delivery) => {
                tokio::spawn(note(Arc::clone(&load), number, delivery));
            }
            Err(error) => load.fail("produce", error),
        }
        sleep(Duration::from_millis(1)).await;
    }
    if let Err(error) = producer.close().await {
        load.fail("close", error);
    }
}

async fn note(load: Arc<Load>, number: u64, delivery: DeliveryHandle) {
    match delivery.await {
        Ok(placed) => {
            let mut acknowledged = load.acknowledged.lock().expect("unpoisoned");
            acknowledged
                .entry(placed.partition)
                .or_default()
                .insert(number);
        }
        Err(error) => load.fail("produce", error),
    }
}

async fn consume(load: Arc<Load>, consumer: Consumer) {
    while !load.stopped() {
        match consumer.poll(Duration::from_millis(100)).await {
            Ok(records) => {
                let mut read = load.read.lock().expect("unpoisoned");
                read.extend(
                    records
                        .iter()
                        .map(|record| (record.partition, record.offset)),
                );
            }
            Err(error) if passes(&error) => eprintln!("consume: {error}"),
            Err(error) => load.fail("consume", error),
        }
        match consumer.commit().await {
            // Nobody to commit to, or another member has come; the next commit says more.
            Err(error) => eprintln!("commit: {error}"),
            Ok(()) => (),
        }
    }
    if let Err(error) = consumer.close().await {
        load.fail("close", error);
    }
}

/// While the broker is away the client may say so, and goes on by itself.
fn passes(error: &KrafkaError) -> bool {
    error.is_retriable()
}
