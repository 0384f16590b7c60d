//! A group member in a process of its own, so that it can be killed.
//!
//! The process is the program itself, called with `member` and what it needs; it ends, closing its consumer, when its standard
//! input does, and prints `assigned 0,1`, `record <value>` and `error <what>`.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader};
use std::mem;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use crate::{Context, Fallible, eventually};

/// One running member.
pub struct Member {
    process: Child,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    assigned: BTreeSet<i32>,
    rebalances: usize,
    was_bare: bool,
    error: String,
    values: Vec<String>,
}

impl Member {
    /// Start one; pairs are settings of its consumer.
    pub fn start(
        context: &Context,
        group: &str,
        topic: &str,
        settings: &[(&str, &str)],
    ) -> Fallible<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["member", &context.bootstrap, group, topic])
            .args(settings.iter().flat_map(|(name, value)| [name, value]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noted = Arc::clone(&seen);
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| note(&noted, &line))
        });
        Ok(Self { process, seen })
    }

    pub fn assigned(&self) -> BTreeSet<i32> {
        self.seen().assigned.clone()
    }

    pub fn rebalances(&self) -> usize {
        self.seen().rebalances
    }

    /// Whether it has ever given everything away.
    pub fn was_bare(&self) -> bool {
        self.seen().was_bare
    }

    pub fn error(&self) -> String {
        self.seen().error.clone()
    }

    pub fn values(&self) -> Vec<String> {
        self.seen().values.clone()
    }

    /// End it by closing its consumer.
    pub fn leave(&mut self) -> Fallible<()> {
        drop(self.process.stdin.take());
        self.process.wait()?;
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no reader panics")
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Wait until the members share all partitions evenly, each owned once.
pub fn settled(members: &[&Member], partitions: i32) -> Fallible<()> {
    let even = || {
        let shares: Vec<_> = members.iter().map(|member| member.assigned()).collect();
        let mut owned: Vec<_> = shares.iter().flatten().copied().collect();
        owned.sort_unstable();
        let sizes = || shares.iter().map(BTreeSet::len);
        owned == (0..partitions).collect::<Vec<_>>()
            && sizes().max() <= sizes().min().map(|size| size + 1)
    };
    let what = format!(
        "{} members share {partitions} partitions evenly",
        members.len()
    );
    eventually(even, &what, 30)
}

fn note(seen: &Mutex<Seen>, line: &str) {
    let mut seen = seen.lock().expect("no scenario panics with it");
    match line.split_once(' ') {
        Some(("assigned", list)) => {
            let before = mem::take(&mut seen.assigned);
            seen.assigned = list
                .split(',')
                .filter_map(|number| number.parse().ok())
                .collect();
            seen.was_bare |= !before.is_empty() && seen.assigned.is_empty();
            seen.rebalances += 1;
        }
        Some(("record", value)) => seen.values.push(value.into()),
        Some(("error", what)) => seen.error = what.into(),
        _ => eprintln!("a member: {line}"),
    }
}
