//! The other end of `compat::Member`: bootstrap, group, topic, settings.

use std::io::{self, Read};

use compat::Fallible;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use tokio::sync::oneshot;

use crate::kit::wait;

/// Tells what is owned, whichever protocol is spoken.
struct Owned;

impl ClientContext for Owned {}

impl ConsumerContext for Owned {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        let Ok(assignment) = consumer.assignment() else {
            return; // It is being closed.
        };
        let numbers: Vec<_> = assignment
            .elements()
            .iter()
            .map(|each| each.partition().to_string())
            .collect();
        println!("assigned {}", numbers.join(","));
    }
}

/// Consume until standard input ends.
pub fn run(arguments: &[String]) -> Fallible<()> {
    let [bootstrap, group, topic, settings @ ..] = arguments else {
        return Err("bootstrap, group, topic and settings are needed".into());
    };
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "500")
        .set("log_level", "0");
    for pair in settings.chunks_exact(2) {
        config.set(&pair[0], &pair[1]);
    }
    wait(consume(&config, topic, told_to_leave()))
}

async fn consume(
    config: &ClientConfig,
    topic: &str,
    mut told: oneshot::Receiver<()>,
) -> Fallible<()> {
    let consumer: StreamConsumer<Owned> = config.create_with_context(Owned)?;
    consumer.subscribe(&[topic])?;
    loop {
        let message = tokio::select! {
            message = consumer.recv() => message,
            _ = &mut told => return Ok(()),
        };
        match message {
            Ok(message) => {
                println!(
                    "record {}",
                    String::from_utf8_lossy(message.payload().unwrap_or_default())
                );
                consumer.commit_message(&message, CommitMode::Async)?;
            }
            Err(KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId)) => {
                println!("error fenced");
            }
            Err(error) => eprintln!("{error}"),
        }
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
