//! What loom itself can and cannot see. If one of these changes, every other model means something else.

use protocol_loom::sync::{Arc, AtomicBool, AtomicUsize, Ordering, fence};

use super::support::{Model, Order, Outcomes};

const RELAXED_OUTCOMES: &[&str] = &["0 0", "0 1", "1 0", "1 1"];

pub const MODELS: &[Model] = &[
    Model {
        name: "canary::seq_cst_fences_exclude_store_buffering",
        property: "With a SeqCst fence between store and load on both sides, one side sees the other's store.",
        outcomes: &["0 1", "1 0", "1 1"],
        preemption_bound: None,
        body: |order, outcomes| store_buffering(order, outcomes, true, true),
    },
    Model {
        name: "canary::store_buffering_without_fences_is_seen",
        property: "Without fences loom finds the execution in which both sides miss the other's store.",
        outcomes: RELAXED_OUTCOMES,
        preemption_bound: None,
        body: |order, outcomes| store_buffering(order, outcomes, false, false),
    },
    Model {
        name: "canary::store_buffering_with_one_fence_is_seen",
        property: "With one of the two fences missing loom finds the execution in which both sides miss.",
        outcomes: RELAXED_OUTCOMES,
        preemption_bound: None,
        body: |order, outcomes| store_buffering(order, outcomes, true, false),
    },
    Model {
        name: "canary::message_passing_needs_release",
        property: "loom finds the execution in which a flag stored Relaxed arrives before what it announces.",
        outcomes: &["no flag", "flag and message", "flag without message"],
        preemption_bound: None,
        body: |order, outcomes| message_passing(order, outcomes, Ordering::Relaxed),
    },
    Model {
        name: "canary::release_and_acquire_pass_a_message",
        property: "What is stored before a Release store is seen after the Acquire load that reads it.",
        outcomes: &["no flag", "flag and message"],
        preemption_bound: None,
        body: |order, outcomes| message_passing(order, outcomes, Ordering::Release),
    },
];

/// Programs whose outcomes loom 0.7.3 is known to lose: a thread's own load of an atomic hides the race of
/// its next store with the load of another thread.
pub const UPSTREAM: &[Model] = &[
    Model {
        name: "canary::loom_issue_166",
        property: "A redundant load before a store hides no outcome of a reader in another thread.",
        outcomes: RELAXED_OUTCOMES,
        preemption_bound: None,
        body: redundant_load_between_stores,
    },
    Model {
        name: "canary::loom_issue_392",
        property: "A thread that loads first and then stores still races with the load of its parent.",
        outcomes: &["false", "true"],
        preemption_bound: None,
        body: load_before_store,
    },
];

fn store_buffering(order: Order, outcomes: &Outcomes, first_fence: bool, second_fence: bool) {
    let x = Arc::new(AtomicUsize::new(0));
    let y = Arc::new(AtomicUsize::new(0));
    let (mine, theirs) = (Arc::clone(&x), Arc::clone(&y));
    let side = |mine: Arc<AtomicUsize>, theirs: Arc<AtomicUsize>, fenced: bool| {
        move || {
            mine.store(1, Ordering::Relaxed);
            if fenced {
                fence(Ordering::SeqCst);
            }
            theirs.load(Ordering::Relaxed)
        }
    };
    let (a, b) = order.run2(side(mine, theirs, first_fence), side(y, x, second_fence));
    outcomes.saw(format!("{a} {b}"));
}

fn message_passing(order: Order, outcomes: &Outcomes, publish: Ordering) {
    let message = Arc::new(AtomicUsize::new(0));
    let flag = Arc::new(AtomicBool::new(false));
    let (message_out, flag_out) = (Arc::clone(&message), Arc::clone(&flag));
    let ((), (flag, message)) = order.run2(
        move || {
            message_out.store(1, Ordering::Relaxed);
            flag_out.store(true, publish);
        },
        move || (flag.load(Ordering::Acquire), message.load(Ordering::Relaxed)),
    );
    outcomes.saw(match (flag, message) {
        (false, _) => "no flag",
        (true, 0) => "flag without message",
        (true, _) => "flag and message",
    });
}

/// `SeqCst` accesses, the one place that has them: with weaker ones a stale read shows the lost outcome.
fn redundant_load_between_stores(order: Order, outcomes: &Outcomes) {
    let key = Arc::new(AtomicUsize::new(0));
    let value = Arc::new(AtomicUsize::new(0));
    let (key_in, value_in) = (Arc::clone(&key), Arc::clone(&value));
    let (_, (value, key)) = order.run2(
        move || {
            key.store(1, Ordering::SeqCst);
            value.store(1, Ordering::SeqCst);
            value.store(0, Ordering::SeqCst);
            let redundant = key.load(Ordering::SeqCst);
            key.store(0, Ordering::SeqCst);
            redundant
        },
        move || (value_in.load(Ordering::SeqCst), key_in.load(Ordering::SeqCst)),
    );
    outcomes.saw(format!("{value} {key}"));
}

/// Here the main thread takes part, since the defect needs the spawned thread to run first.
fn load_before_store(order: Order, outcomes: &Outcomes) {
    let done = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&done);
    let load_and_store = |done: &AtomicBool| {
        let redundant = done.load(Ordering::Relaxed);
        done.store(true, Ordering::Relaxed);
        redundant
    };
    let seen = match order {
        Order::Forward => {
            let thread = loom::thread::spawn(move || load_and_store(&theirs));
            let seen = done.load(Ordering::Relaxed);
            thread.join().expect("loom ends the execution when a thread panics");
            seen
        }
        Order::Reverse => {
            let thread = loom::thread::spawn(move || theirs.load(Ordering::Relaxed));
            load_and_store(&done);
            thread.join().expect("loom ends the execution when a thread panics")
        }
    };
    outcomes.saw(seen.to_string());
}
