//! Schedules of the whole scheduler, chosen by a seed.
//!
//! The source of the protocol, task and scheduler crates is compiled a second time with shuttle's threads, locks
//! and atomics (`cfg(shuttle)`, the packages beside this one), so that a run of a whole runtime with four to
//! eight workers is a function of one number. A scenario is a random program and the threads around it
//! ([`program`]); a [`Ledger`] says what has to hold at its end; a [`Strategy`] chooses who goes on at each step.
//! A thread that nobody will wake is found as a deadlock.
//!
//! ```text
//! cargo test -p schedules                                      some hundred schedules of each scenario
//! SHOPFLOOR_SCHEDULES=2000 cargo test -p schedules             so many of each
//! SHOPFLOOR_SCHEDULES_FROM=100000 cargo test -p schedules      others: the seeds from this one on
//! SHOPFLOOR_SEED=123 cargo test -p schedules -- NAME --exact   one schedule again
//! ```
//!
//! Why shuttle: it has what the scheduler uses of std, its switches cost a fraction of a microsecond since its
//! threads are coroutines of one thread, and its choices are ours to make through a trait. What it lacks is time,
//! which the sync facade models (`sync/modelled_time.rs`). What it cannot show is a reordering: every access is
//! sequentially consistent, and dropping a fence changes nothing here. That is what the loom models are for.

mod gate;
mod ledger;
mod program;
mod sleep;
mod strategy;

pub use gate::{Gate, Latch, OpenOnDrop, WakeDesk};
pub use ledger::{Ledger, Tracked};
pub use program::{Case, Mix};
pub use sleep::sleep;
pub use strategy::Strategy;

use shopfloor_protocol::sync::ModelledTime;
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Schedules of one scenario in an ordinary run of the tests.
const SCHEDULES: u64 = 300;
/// Steps after which a schedule is taken for one without end: some twenty times as many as the longest has.
const STEPS_MAX: usize = 2_000_000;
/// Bytes of stack of each thread.
const STACK_SIZE: usize = 0x4_0000;

/// Runs a scenario under as many schedules as the environment asks for.
///
/// # Panics
/// If one fails; its seed, and how to run it again, are printed before.
#[allow(clippy::print_stdout, reason = "the counts and the seed are what the caller runs this for")]
pub fn explore(name: &str, mix: Mix) {
    let (first, count) = match number("SHOPFLOOR_SEED") {
        Some(seed) => (seed, 1),
        None => {
            let first = number("SHOPFLOOR_SCHEDULES_FROM").unwrap_or(0);
            (first, number("SHOPFLOOR_SCHEDULES").unwrap_or(SCHEDULES))
        }
    };
    let explored = catch_unwind(AssertUnwindSafe(|| run_schedules(first, count, move || program::run(&mix))));
    if let Err(failure) = explored {
        let seed = strategy::seed_under_way();
        println!("scenario {name} failed with seed {seed}, schedule {} of {count}", seed - first + 1);
        println!("again: SHOPFLOOR_SEED={seed} cargo test -p schedules -- {name} --exact --nocapture");
        resume_unwind(failure);
    }
    println!("scenario {name}: {count} schedules from seed {first} on");
}

/// Runs `body` once for each of `count` seeds, as the first thread of an execution; beside it is the clock's.
/// Returns a digest of the last one's choices: the same for the same seed.
///
/// # Panics
/// If an execution fails: a thread panics, all that are left are blocked, or there is no end to it.
pub fn run_schedules(first: u64, count: u64, body: impl Fn() + Send + Sync + 'static) -> u64 {
    let mut config = Config::new();
    config.stack_size = STACK_SIZE;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    Runner::new(Strategy::new(first, count), config).run(move || {
        let clock = shuttle::thread::spawn(ModelledTime::run);
        body();
        ModelledTime::end();
        clock.join().expect("the clock does not panic");
    });
    strategy::digest()
}

/// The digest of one schedule of a scenario.
pub fn digest_of(seed: u64, mix: Mix) -> u64 {
    run_schedules(seed, 1, move || program::run(&mix))
}

/// A number from the environment.
///
/// # Panics
/// If it is none.
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(error) => panic!("{variable}={text}: {error}"),
    }
}
