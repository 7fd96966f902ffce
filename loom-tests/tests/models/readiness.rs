//! The readiness word: what the kernel said is published, and cleared only by who has disproved it.

use protocol_loom::interest::{Interest, Ready};
use protocol_loom::readiness::Readiness;
use protocol_loom::sync::{Mutex, UnsafeCell};
use std::sync::Arc;

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "readiness::record_publishes_what_the_kernel_did",
        property: "Who observes a fact sees what the driver knew when it recorded it.",
        outcomes: &["not yet", "ready"],
        preemption_bound: None,
        body: record_publishes,
    },
    Model {
        name: "readiness::clear_in_between_keeps_the_publication",
        property: "A relaxed clear of another direction does not cut the edge from event to operation.",
        outcomes: &["not yet", "ready"],
        preemption_bound: None,
        body: record_publishes_across_a_clear,
    },
    Model {
        name: "readiness::newer_event_survives_a_stale_clear",
        property: "A clear removes what was observed before the operation, and never a newer event.",
        outcomes: &["kept", "cleared"],
        preemption_bound: None,
        body: stale_clear,
    },
    Model {
        name: "readiness::event_of_one_direction_does_not_refuse_a_clear_of_the_other",
        property: "A reader's clear succeeds under any stream of writable events.",
        outcomes: &["cleared"],
        preemption_bound: None,
        body: other_direction,
    },
    Model {
        name: "readiness::tick_wraps_after_its_full_width",
        property: "A clear passes wrongly only if it is exactly one full turn of the tick late (3 events here).",
        outcomes: &["kept", "lost after a full turn"],
        preemption_bound: None,
        body: tick_wraps,
    },
];

/// Lets loom begin with either thread. It follows a store back to the *last* load of another thread only, so a
/// thread that loads twice hides the execution in which the store comes first. The lock is released before
/// anything is done, so it makes no edge that the model is about.
struct Gate(Mutex<()>);

impl Gate {
    fn new() -> Self {
        Self(Mutex::new(()))
    }

    fn pass(&self) {
        drop(self.0.lock());
    }
}

/// A readiness word, and something that the driver did before it recorded an event.
struct Published {
    readiness: Readiness,
    done: UnsafeCell<u32>,
    gate: Gate,
}

impl Published {
    fn new() -> Arc<Self> {
        Arc::new(Self { readiness: Readiness::new(), done: UnsafeCell::new(0), gate: Gate::new() })
    }

    fn record(&self) {
        self.gate.pass();
        // SAFETY: nobody reads before the record publishes it.
        self.done.with_mut(|done| unsafe { *done = 7 });
        self.readiness.record(Ready::READABLE);
    }

    fn observe(&self) -> &'static str {
        self.gate.pass();
        if !self.readiness.observe().ready().is_readable() {
            return "not yet";
        }
        // SAFETY: the record that was observed comes after the only write.
        assert_eq!(self.done.with(|done| unsafe { *done }), 7);
        "ready"
    }
}

fn record_publishes(order: Order, outcomes: &Outcomes) {
    let published = Published::new();
    let driver = Arc::clone(&published);
    let ((), outcome) = order.run2(move || driver.record(), move || published.observe());
    outcomes.saw(outcome);
}

fn record_publishes_across_a_clear(order: Order, outcomes: &Outcomes) {
    let published = Published::new();
    published.readiness.record(Ready::WRITABLE);
    let seen = published.readiness.observe();
    let driver = Arc::clone(&published);
    let ((), outcome) = order.run2(
        move || driver.record(),
        // The clear acquires nothing; what it writes over the event is what the look reads.
        move || {
            published.readiness.clear(seen, Interest::WRITABLE.own_facts());
            published.observe()
        },
    );
    outcomes.saw(outcome);
}

fn stale_clear(order: Order, outcomes: &Outcomes) {
    let readiness = Arc::new(Readiness::new());
    readiness.record(Ready::READABLE);
    let before = readiness.observe();
    let (operation, driver) = (Arc::clone(&readiness), Arc::clone(&readiness));
    let gate = Arc::new(Gate::new());
    let driver_gate = Arc::clone(&gate);
    let (seen, ()) = order.run2(
        move || {
            gate.pass();
            let seen = operation.observe();
            operation.clear(seen, Interest::READABLE.own_facts());
            seen
        },
        move || {
            driver_gate.pass();
            driver.record(Ready::READABLE);
        },
    );
    let is_ready = readiness.observe().ready().is_readable();
    assert_eq!(is_ready, seen == before, "only an operation that came after the last event disproves it");
    outcomes.saw(if is_ready { "kept" } else { "cleared" });
}

fn other_direction(order: Order, outcomes: &Outcomes) {
    let readiness = Arc::new(Readiness::new());
    readiness.record(Ready::READABLE);
    let seen = readiness.observe();
    let (reader, driver) = (Arc::clone(&readiness), Arc::clone(&readiness));
    order.run2(
        move || reader.clear(seen, Interest::READABLE.own_facts()),
        move || {
            driver.record(Ready::WRITABLE);
            driver.record(Ready::WRITABLE);
        },
    );
    assert!(readiness.observe().ready().is_writable());
    outcomes.saw(if readiness.observe().ready().is_readable() { "refused" } else { "cleared" });
}

fn tick_wraps(order: Order, outcomes: &Outcomes) {
    let readiness = Arc::new(Readiness::new());
    readiness.record(Ready::READABLE);
    let seen = readiness.observe();
    let (reader, driver) = (Arc::clone(&readiness), Arc::clone(&readiness));
    order.run2(
        move || reader.clear(seen, Interest::READABLE.own_facts()),
        move || (0..3).for_each(|_| driver.record(Ready::READABLE)),
    );
    let is_ready = readiness.observe().ready().is_readable();
    outcomes.saw(if is_ready { "kept" } else { "lost after a full turn" });
}
