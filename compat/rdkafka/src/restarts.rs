//! The broker goes away and comes back under clients that stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use compat::{Context, Fallible, Scenario, equal, eventually, values};
use rdkafka::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};
use tokio::time::{sleep, timeout};

use crate::kit::{Settings, consumer_config, create_topic, producer, read, spawn, wait};
use crate::named;

const PARTITIONS: i32 = 3;
const RECONNECT: [(&str, &str); 2] = [
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "200"),
];

pub fn scenarios() -> Vec<(&'static str, Scenario)> {
    vec![named("restart_in_the_middle", restart_in_the_middle)]
}

fn restart_in_the_middle(context: &Context) -> Fallible<()> {
    let topic = create_topic(context, "", PARTITIONS, &[])?;
    let load = Arc::new(Load {
        topic,
        ..Load::default()
    });
    let mut clients = vec![spawn(produce(Arc::clone(&load), load_producer(context)?))];
    for _ in 0..2 {
        clients.push(spawn(consume(Arc::clone(&load), load_consumer(context))));
    }
    let told = tell(context, &load);
    load.stop.store(true, Ordering::Relaxed);
    for client in clients {
        wait(async { timeout(Duration::from_secs(90), client).await })??;
    }
    told?;
    load.verify(context)
}

fn tell(context: &Context, load: &Load) -> Fallible<()> {
    for action in ["kill", "stop"] {
        load.progress()?;
        context.broker(action)?;
        context.broker("start")?;
    }
    load.progress()
}

fn load_producer(context: &Context) -> Fallible<FutureProducer> {
    let settings: Settings = &[
        ("enable.idempotence", "true"),
        ("max.in.flight", "5"),
        ("linger.ms", "2"),
        RECONNECT[0],
        RECONNECT[1],
    ];
    producer(context, settings)
}

fn load_consumer(context: &Context) -> ClientConfig {
    let settings: Settings = &[
        ("session.timeout.ms", "30000"),
        ("heartbeat.interval.ms", "500"),
        RECONNECT[0],
        RECONNECT[1],
    ];
    consumer_config(context, &context.name(""), settings)
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
    fn progress(&self) -> Fallible<()> {
        let (sent, read) = self.counts();
        let on = || {
            let (sent_now, read_now) = self.counts();
            self.failed() || (sent_now >= sent + 500 && read_now >= read + 500)
        };
        eventually(on, "500 more records are acknowledged and read", 45)
    }

    /// Nothing failed; the log holds what was acknowledged, once, in order.
    fn verify(&self, context: &Context) -> Fallible<()> {
        equal(
            &*self.errors.lock().expect("unpoisoned"),
            &Vec::<String>::new(),
            "errors of clients",
        )?;
        for (partition, numbers) in &*self.acknowledged.lock().expect("unpoisoned") {
            let found = read(context, &self.topic, numbers.len(), &[*partition], &[])?;
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

async fn produce(load: Arc<Load>, producer: FutureProducer) {
    for number in 0u64.. {
        if load.stopped() {
            break;
        }
        let value = number.to_string();
        let partition = (number % PARTITIONS as u64) as i32;
        let record = FutureRecord::<(), _>::to(&load.topic)
            .partition(partition)
            .payload(&value);
        match producer.send_result(record) {
            Ok(delivery) => {
                tokio::spawn(note(Arc::clone(&load), number, delivery));
            }
            Err((error, _)) => load.fail("produce", error),
        }
        sleep(Duration::from_millis(1)).await;
    }
    let flushed =
        tokio::task::spawn_blocking(move || producer.flush(Duration::from_secs(60))).await;
    if !matches!(flushed, Ok(Ok(()))) {
        load.fail("flush", format!("{flushed:?}"));
    }
}

async fn note(load: Arc<Load>, number: u64, delivery: DeliveryFuture) {
    match delivery.await {
        Ok(Ok(placed)) => {
            let mut acknowledged = load.acknowledged.lock().expect("unpoisoned");
            acknowledged
                .entry(placed.partition)
                .or_default()
                .insert(number);
        }
        Ok(Err((error, _))) => load.fail("produce", error),
        Err(error) => load.fail("produce", error),
    }
}

async fn consume(load: Arc<Load>, config: ClientConfig) {
    let consumer: StreamConsumer = config.create().expect("good settings");
    consumer.subscribe(&[&load.topic]).expect("a good name");
    while !load.stopped() {
        match timeout(Duration::from_millis(100), consumer.recv()).await {
            Err(_) => continue,
            Ok(Ok(message)) => {
                load.read
                    .lock()
                    .expect("unpoisoned")
                    .insert((message.partition(), message.offset()));
                if let Err(error) = consumer.commit_message(&message, CommitMode::Async) {
                    load.fail("commit", error);
                }
            }
            // While the broker is away the client says so, and goes on by itself.
            Ok(Err(error)) if passes(&error) => (),
            Ok(Err(error)) => load.fail("consume", error),
        }
    }
}

fn passes(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, Resolve};
    let passing = [AllBrokersDown, BrokerTransportFailure, Resolve];
    error
        .rdkafka_error_code()
        .is_some_and(|code| passing.contains(&code))
}
