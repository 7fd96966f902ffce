//! Models that fail in every way a model can, on which `tests/runner.rs` tests the runner's own reports.

#![allow(
    unreachable_pub,
    reason = "nothing is exported from a program; `pub` here means visible to the runner"
)]

mod alteration;
mod arguments;
mod child;
mod coverage;
mod figures;
mod first_failure;
mod golden;
mod listed;
mod mutants;
mod places;
mod report;
mod run;
mod runner;
mod support;
mod watchdog;

use protocol_loom::sync::{Arc, Condvar, Mutex, UnsafeCell};

use runner::Suite;
use support::{Model, Order, Outcomes};

const SUITE: Suite = Suite {
    models: &[MODELS],
    upstream: UPSTREAM,
    golden: "tests/models/failing.golden.txt",
    coverage: None,
    figures: None,
};

fn main() -> std::io::Result<std::process::ExitCode> {
    SUITE.main()
}

const MODELS: &[Model] = &[
    model("failing::aborts", |_, _| std::process::abort()),
    model("failing::panics", |_, _| panic!("this model panics")),
    model("failing::deadlocks", wait_for_nobody),
    model("failing::races", write_from_two_threads),
    model("failing::misses_an_outcome", |order, _| {
        order.run2(|| {}, || {});
    }),
    model("failing::has_an_outcome_too_many", |order, outcomes| {
        outcomes.saw("expected");
        order.run2(|| {}, || {});
        outcomes.saw("surprising");
    }),
    model("failing::is_counted_wrongly", |_, outcomes| outcomes.saw("expected")),
    model("failing::is_not_counted", |_, outcomes| outcomes.saw("expected")),
    model("failing::never_ends", |_, _| {
        loop {
            std::hint::spin_loop();
        }
    }),
    model("passing::in_both_orders", |order, outcomes| {
        let results = order.run3(|| 1, || 2, || 3);
        assert_eq!(results, (1, 2, 3));
        outcomes.saw("expected");
    }),
];

const UPSTREAM: &[Model] = &[model("passing::upstream_loses_an_outcome", |order, outcomes| {
    if order == Order::Reverse {
        outcomes.saw("expected");
    }
})];

const fn model(name: &'static str, body: fn(Order, &Outcomes)) -> Model {
    let property = "The runner reports what becomes of this model.";
    Model { name, property, outcomes: &["expected"], preemption_bound: None, body }
}

fn wait_for_nobody(order: Order, _: &Outcomes) {
    let pair = Arc::new((Mutex::new(()), Condvar::new()));
    order.run2(move || drop(pair.1.wait(pair.0.lock())), || {});
}

struct Shared(UnsafeCell<u32>);

// SAFETY: there is no argument: two threads write at once, and loom has to say so.
unsafe impl Sync for Shared {}

fn write_from_two_threads(order: Order, _: &Outcomes) {
    let first = Arc::new(Shared(UnsafeCell::new(0)));
    let second = Arc::clone(&first);
    order.run2(
        // SAFETY: as above: loom ends the execution before the second write.
        move || first.0.with_mut(|value| unsafe { *value = 1 }),
        // SAFETY: as above.
        move || second.0.with_mut(|value| unsafe { *value = 2 }),
    );
}
