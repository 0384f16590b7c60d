//! The program: rdkafka's scenarios by name.

mod administration;
mod consume;
mod groups;
mod kit;
mod member;
mod produce;
mod restarts;

use std::env;

use compat::{Context, Fallible, Scenario, serve};

const VERSION: &str = "0.39.0";

fn main() -> Fallible<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "member") {
        return member::run(&arguments[1..]);
    }
    let themes = [
        produce::scenarios(),
        consume::scenarios(),
        groups::scenarios(),
        administration::scenarios(),
        restarts::scenarios(),
    ];
    let mut scenarios: Vec<_> = themes.into_iter().flatten().collect();
    scenarios.push(("own_suite", compat::own_suite(&arguments)));
    let (_, library) = rdkafka::util::get_rdkafka_version();
    serve(&format!("{VERSION} (librdkafka {library})"), &scenarios);
    Ok(())
}

/// A scenario by its name.
fn named(
    name: &'static str,
    run: impl Fn(&Context) -> Fallible<()> + 'static,
) -> (&'static str, Scenario) {
    (
        name,
        Box::new(move |context| run(context).map(|()| String::new())),
    )
}
