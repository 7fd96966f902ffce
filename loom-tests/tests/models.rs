//! Runs loom over the models of the protocol crate.
//!
//! ```text
//! cargo test -p loom-tests --test models                  all models, in every way
//! cargo test -p loom-tests --test models -- timer::       those whose name contains `timer::`
//! cargo test -p loom-tests --test models -- --list        names and properties
//! cargo test -p loom-tests --test models -- --fresh       in two ways: loads read the newest store, no interleaving is lost
//! LOOM_TESTS_BLESS=1 cargo test -p loom-tests --test models    record the execution counts
//! ```
//! `LOOM_TESTS_PREEMPTIONS=4` explores the models that have a bound up to that one; their counts are not compared then.
//!
//! Each model is explored in four ways: its threads spawned in either order, and loads that may be stale or
//! that are fresh (`protocol::sync`), because loom loses interleavings in ways that differ between these.
//! A model passes if no execution panics, deadlocks or races, if the ways together show exactly the
//! listed outcomes, and if each takes the recorded number of executions (`golden.txt`).

#![allow(unreachable_pub, reason = "nothing is exported from a test; `pub` here means visible to the runner")]
#![allow(clippy::arc_with_non_send_sync, reason = "loom's threads are coroutines of one thread")]

mod models {
    pub mod alteration;
    pub mod arguments;
    pub mod child;
    pub mod coverage;
    pub mod figures;
    pub mod first_failure;
    pub mod golden;
    pub mod listed;
    pub mod mutants;
    pub mod places;
    pub mod report;
    pub mod run;
    pub mod runner;
    pub mod support;
    pub mod watchdog;

    pub mod alarm;
    pub mod blocking_chain;
    pub mod blocking_end;
    pub mod blocking_queue;
    pub mod canaries;
    pub mod cell;
    pub mod cells;
    pub mod driver_handover;
    pub mod driving_role;
    pub mod flag;
    pub mod idle;
    pub mod interest;
    pub mod interrupt;
    pub mod io_task;
    pub mod item;
    pub mod lifo_slot;
    pub mod parker;
    pub mod payload;
    pub mod queue;
    pub mod readiness;
    pub mod ready_list;
    pub mod registration;
    pub mod registry;
    pub mod roster;
    pub mod seats;
    pub mod shared_wheel;
    pub mod shutdown;
    pub mod task_control;
    pub mod task_state;
    pub mod task_word;
    pub mod waiters;
    pub mod workplace;
}

use models::coverage::Coverage;
use models::runner::Suite;

/// The models of each protocol; a new file is one line above and one here.
#[rustfmt::skip] // one line each, so that two additions do not meet
const MODELS: &[&[models::support::Model]] = &[
    models::alarm::MODELS,
    models::blocking_chain::MODELS,
    models::blocking_end::MODELS,
    models::blocking_queue::MODELS,
    models::canaries::MODELS,
    models::cells::MODELS,
    models::driver_handover::MODELS,
    models::driving_role::MODELS,
    models::flag::MODELS,
    models::idle::MODELS,
    models::interest::MODELS,
    models::interrupt::MODELS,
    models::lifo_slot::MODELS,
    models::parker::MODELS,
    models::queue::MODELS,
    models::readiness::MODELS,
    models::ready_list::MODELS,
    models::registration::MODELS,
    models::registry::MODELS,
    models::roster::MODELS,
    models::seats::MODELS,
    models::shared_wheel::MODELS,
    models::shutdown::MODELS,
    models::task_control::MODELS,
    models::task_state::MODELS,
    models::task_word::MODELS,
    models::waiters::MODELS,
];

const SUITE: Suite = Suite {
    models: MODELS,
    upstream: models::canaries::UPSTREAM,
    golden: "golden.txt",
    coverage: Some(Coverage {
        source: "crates/protocol/src",
        listed: "equivalent.toml",
        report: "report.md",
    }),
    figures: Some("docs/VERIFICATION.md"),
};

fn main() -> std::io::Result<std::process::ExitCode> {
    SUITE.main()
}
