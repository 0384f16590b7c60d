//! The program: krafka's scenarios by name.

mod administration;
mod consume;
mod groups;
mod kit;
mod member;
mod produce;
mod restarts;

use std::env;

use compat::{Context, Fallible, Scenario, serve};

const VERSION: &str = "0.28.1";

fn main() -> Fallible<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "member") {
        return kit::RUNTIME.block_on(member::run(&arguments[1..]));
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
    serve(VERSION, &scenarios);
    Ok(())
}

/// A scenario by its name.
fn named(
    name: &'static str,
    run: impl AsyncFn(&Context) -> Fallible<()> + 'static,
) -> (&'static str, Scenario) {
    (
        name,
        Box::new(move |context| kit::RUNTIME.block_on(run(context)).map(|()| String::new())),
    )
}
