//! A Rust program's side of the conversation of `compat/programs.py`, and the words all of them use.

mod member;
mod record;

use std::error::Error;
use std::fmt::{self, Debug};
use std::io::{self, BufRead, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub use member::{Member, settled};
pub use record::{Record, in_partition, mixed, values};

/// What may fail in a scenario.
pub type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Passes by returning a remark, fails by an error or a panic.
pub type Scenario = Box<dyn Fn(&Context) -> Fallible<String>>;

/// One scenario's world. Everything it creates carries its prefix.
#[derive(Clone, Debug)]
pub struct Context {
    pub scenario: String,
    pub kind: String,
    pub bootstrap: String,
    pub prefix: String,
}

impl Context {
    /// A topic's or a group's name that nobody else uses.
    pub fn name(&self, suffix: &str) -> String {
        format!("{}-{}{suffix}", self.prefix, self.scenario)
    }

    /// Have the runner `kill`, `stop` or `start` the broker.
    pub fn broker(&self, action: &str) -> Fallible<()> {
        say("broker", action);
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        let answer = line.trim_end_matches('\n');
        match answer.split_once('\t').unwrap_or((answer, "")) {
            ("done", _) => Ok(()),
            ("refused", why) => Err(Box::new(Skip(why.into()))),
            (_, why) => Err(format!("the runner could not {action} the broker: {why}").into()),
        }
    }
}

/// The runner can not do what the scenario needs.
#[derive(Debug)]
struct Skip(String);

impl fmt::Display for Skip {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Error for Skip {}

/// Answer the runner until it closes our standard input.
pub fn serve(version: &str, scenarios: &[(&str, Scenario)]) {
    say("client", version);
    let names: Vec<_> = scenarios.iter().map(|(name, _)| *name).collect();
    say("scenarios", &names.join("\t"));
    let mut line = String::new();
    while io::stdin()
        .lock()
        .read_line(&mut line)
        .is_ok_and(|size| size > 0)
    {
        // run, scenario, kind of broker, bootstrap, prefix
        let words: Vec<_> = line.trim_end().split('\t').map(String::from).collect();
        let [_, scenario, kind, bootstrap, prefix] =
            <[String; 5]>::try_from(words).expect("a line of the runner");
        line.clear();
        let run = &scenarios
            .iter()
            .find(|(name, _)| *name == scenario)
            .expect("a scenario of ours")
            .1;
        let context = Context {
            scenario,
            kind,
            bootstrap,
            prefix,
        };
        match panic::catch_unwind(AssertUnwindSafe(|| run(&context))) {
            Ok(Ok(remark)) => say("passed", &remark),
            Ok(Err(error)) if error.is::<Skip>() => say("skipped", &error.to_string()),
            Ok(Err(error)) => say("failed", &on_one_line(&error.to_string())),
            Err(_) => say("failed", "it panicked"),
        }
    }
}

/// The crate's own tests: a command that is told the broker's kind and address, and says last what came out.
pub fn own_suite(command: &[String]) -> Scenario {
    let command = command.to_vec();
    Box::new(move |context| {
        let (program, arguments) = command.split_first().ok_or("no command")?;
        let done = Command::new(program)
            .args(arguments)
            .args([&context.kind, &context.bootstrap])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        let text = String::from_utf8_lossy(&done.stdout);
        eprintln!("{text}");
        let last = text.lines().last().unwrap_or_default().to_string();
        if done.status.success() {
            Ok(last)
        } else {
            Err(last.into())
        }
    })
}

/// Fail with a message.
pub fn check(condition: bool, message: impl Into<String>) -> Fallible<()> {
    if condition {
        Ok(())
    } else {
        Err(message.into().into())
    }
}

/// Fail when two things differ, showing both.
pub fn equal<A: Debug + PartialEq<B>, B: Debug>(found: A, expected: B, what: &str) -> Fallible<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "{what}: expected {}, found {}",
        short(&expected),
        short(&found)
    )
    .into())
}

/// Fail when `condition` is not true in time.
pub fn eventually(mut condition: impl FnMut() -> bool, what: &str, seconds: u64) -> Fallible<()> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        check(
            Instant::now() < deadline,
            format!("not within {seconds} s: {what}"),
        )?;
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("a clock after 1970");
    i64::try_from(since.as_millis()).expect("a clock of our time")
}

fn say(word: &str, text: &str) {
    println!("@{word}\t{text}");
    // The runner is gone: so are we.
    io::stdout().flush().expect("a runner that listens");
}

fn on_one_line(text: &str) -> String {
    text.replace('\t', " ").replace('\n', " | ")
}

fn short(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let count = text.chars().count();
    if count <= 300 {
        return text;
    }
    format!(
        "{}… ({count} characters)",
        text.chars().take(200).collect::<String>()
    )
}
