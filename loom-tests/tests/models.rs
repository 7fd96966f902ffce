//! Runs loom over the models of the protocol crate.
//!
//! ```text
//! cargo test -p loom-tests --test models                  all models, both spawn orders
//! cargo test -p loom-tests --test models -- timer::       those whose name contains `timer::`
//! cargo test -p loom-tests --test models -- --list        names and properties
//! LOOM_TESTS_BLESS=1 cargo test -p loom-tests --test models    record the execution counts
//! ```
//! A model passes if no execution panics, deadlocks or races, if the set of outcomes is exactly the listed
//! one, and if the number of executions is the recorded one (`golden.txt`).

#![allow(unreachable_pub, reason = "nothing is exported from a test; `pub` here means visible to the runner")]

mod models {
    pub mod arguments;
    pub mod child;
    pub mod golden;
    pub mod runner;
    pub mod support;

    pub mod canaries;
    pub mod queue;
}

use models::runner::Suite;

/// The models of each protocol; a new file is one line above and one here.
const SUITE: Suite = Suite {
    models: &[models::canaries::MODELS, models::queue::MODELS],
    upstream: models::canaries::UPSTREAM,
    golden: "golden.txt",
};

fn main() -> std::io::Result<std::process::ExitCode> {
    SUITE.main()
}
