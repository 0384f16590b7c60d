//! Small words the scenarios are written in: make, send, read, fail.

use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use compat::{Context, Fallible, Record, check, eventually};
use rdkafka::ClientConfig;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use tokio::runtime::Runtime;

pub type Settings<'a> = &'a [(&'a str, &'a str)];
pub type Admin = AdminClient<DefaultClientContext>;

pub const TIMEOUT: Duration = Duration::from_secs(20);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Wait for one of the client's futures.
pub fn wait<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// Let one run beside the scenario.
pub fn spawn<F: Future<Output: Send> + Send + 'static>(
    future: F,
) -> tokio::task::JoinHandle<F::Output> {
    RUNTIME.spawn(future)
}

/// The settings of every client, and some more.
pub fn config(context: &Context, settings: Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &context.bootstrap);
    config
        .set("log_level", "0")
        .set("reconnect.backoff.max.ms", "500");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config
}

pub fn admin(context: &Context) -> Fallible<Admin> {
    Ok(config(context, &[]).create()?)
}

/// One topic and the answer to its creation.
pub fn create(admin: &Admin, options: &AdminOptions, topic: NewTopic) -> Fallible<()> {
    one(wait(admin.create_topics([&topic], options)))
}

/// The only answer of several, its code as the error.
pub fn one<T, N>(answers: KafkaResult<Vec<Result<T, (N, RDKafkaErrorCode)>>>) -> Fallible<()> {
    let answer = answers?.pop().ok_or("no answer")?;
    answer.map(|_| ()).map_err(|(_, code)| code.into())
}

/// Create a topic and give its name back.
pub fn create_topic(
    context: &Context,
    suffix: &str,
    partitions: i32,
    settings: Settings,
) -> Fallible<String> {
    let name = context.name(suffix);
    let admin = admin(context)?;
    let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    topic.config.extend(settings);
    create(&admin, &AdminOptions::new(), topic)?;
    if context.kind == "kafka" {
        // Apache Kafka answers before its partitions are served.
        let client = admin.inner();
        let served = |partition| client.fetch_watermarks(&name, partition, TIMEOUT).is_ok();
        let what = format!("{name} is served");
        eventually(|| (0..partitions).all(served), &what, 20)?;
    }
    Ok(name)
}

/// One request at a time, so that a retry can not change the order; idempotent scenarios say otherwise.
pub fn producer(context: &Context, settings: Settings) -> Fallible<FutureProducer> {
    let mut config = config(context, &[("max.in.flight", "1")]);
    for (name, value) in settings {
        config.set(*name, *value);
    }
    Ok(config.create()?)
}

/// Send all and wait; partition and offset of each. Fails with the first failed delivery.
pub fn send(
    context: &Context,
    topic: &str,
    records: &[Record],
    settings: Settings,
) -> Fallible<Vec<(i32, i64)>> {
    let producer = producer(context, settings)?;
    let deliveries: Fallible<Vec<_>> = records
        .iter()
        .map(|record| enqueue(&producer, topic, record))
        .collect();
    deliveries?
        .into_iter()
        .map(|delivery| placed(wait(delivery)))
        .collect()
}

fn placed(delivery: <DeliveryFuture as Future>::Output) -> Fallible<(i32, i64)> {
    match delivery? {
        Ok(delivery) => Ok((delivery.partition, delivery.offset)),
        Err((error, _)) => Err(error.into()),
    }
}

/// Hand a record to a producer, waiting while it is full.
fn enqueue(producer: &FutureProducer, topic: &str, record: &Record) -> Fallible<DeliveryFuture> {
    loop {
        match producer.send_result(as_sent(topic, record)) {
            Ok(delivery) => return Ok(delivery),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                thread::sleep(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

fn as_sent<'a>(topic: &'a str, record: &'a Record) -> FutureRecord<'a, Vec<u8>, Vec<u8>> {
    let mut sent = FutureRecord::to(topic);
    sent.partition = record.partition;
    sent.timestamp = record.timestamp_ms;
    sent.key = record.key.as_ref();
    sent.payload = record.value.as_ref();
    if !record.headers.is_empty() {
        let headers = record.headers.iter().map(|(key, value)| Header {
            key,
            value: value.as_ref(),
        });
        sent.headers = Some(headers.fold(OwnedHeaders::new(), OwnedHeaders::insert));
    }
    sent
}

/// Fail unless something fails with one code.
pub fn fails<T>(result: Fallible<T>, expected: RDKafkaErrorCode, what: &str) -> Fallible<()> {
    let Err(error) = result else {
        return Err(format!("{what}: expected {expected:?}, but it worked").into());
    };
    match code_of(error.as_ref()) {
        Some(code) if code == expected => Ok(()),
        _ => Err(format!("{what}: expected {expected:?}, found {error:?}").into()),
    }
}

/// The code of a client's error, if it is one.
pub fn code_of(
    error: &(dyn std::error::Error + Send + Sync + 'static),
) -> Option<RDKafkaErrorCode> {
    let code = error.downcast_ref::<RDKafkaErrorCode>().copied();
    code.or_else(|| error.downcast_ref::<KafkaError>()?.rdkafka_error_code())
}

pub fn consumer(context: &Context, group: &str, settings: Settings) -> Fallible<BaseConsumer> {
    Ok(consumer_config(context, group, settings).create()?)
}

pub fn consumer_config(context: &Context, group: &str, settings: Settings) -> ClientConfig {
    let mut config = config(
        context,
        &[
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
        ],
    );
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config
}

/// Partitions of a topic, from an offset.
pub fn partitions(topic: &str, numbers: &[i32], offset: Offset) -> Fallible<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for number in numbers {
        list.add_partition_offset(topic, *number, offset)?;
    }
    Ok(list)
}

/// Exactly `count` records; fails when they do not come in time, or an error does.
pub fn poll<C: rdkafka::consumer::ConsumerContext>(
    consumer: &BaseConsumer<C>,
    count: usize,
) -> Fallible<Vec<Record>> {
    let deadline = Instant::now() + TIMEOUT;
    let mut found = Vec::new();
    while found.len() < count {
        check(
            Instant::now() < deadline,
            format!("{} of {count} records in time", found.len()),
        )?;
        if let Some(message) = consumer.poll(Duration::from_millis(200)) {
            found.push(as_record(&message?));
        }
    }
    Ok(found)
}

/// Fails when a record comes.
pub fn silent(consumer: &BaseConsumer, duration: Duration) -> Fallible<()> {
    match consumer.poll(duration).transpose()? {
        None => Ok(()),
        Some(message) => {
            Err(format!("a record where none was due: {:?}", as_record(&message)).into())
        }
    }
}

/// The first `count` records of some partitions, without a group, and no more.
pub fn read(
    context: &Context,
    topic: &str,
    count: usize,
    numbers: &[i32],
    settings: Settings,
) -> Fallible<Vec<Record>> {
    let consumer = consumer(context, &context.name("-reader"), settings)?;
    consumer.assign(&partitions(topic, numbers, Offset::Beginning)?)?;
    let found = poll(&consumer, count)?;
    silent(&consumer, Duration::from_millis(300))?;
    Ok(found)
}

pub fn as_record(message: &impl Message) -> Record {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    Record {
        partition: Some(message.partition()),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(Vec::from),
        value: message.payload().map(Vec::from),
        headers: headers
            .map(|each| (each.key.into(), each.value.map(Vec::from)))
            .collect(),
    }
}

/// The offsets alone.
pub fn offsets(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.offset).collect()
}
