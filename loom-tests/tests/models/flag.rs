//! Raising and lowering a flag.

use std::sync::Arc;

use protocol_loom::flag::Flag;
use protocol_loom::parker::Parker;
use protocol_loom::sync::UnsafeCell;

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "flag::what_was_done_before_it_is_raised_is_seen",
        property: "Raise and unpark against look and park: the looker comes to see what the raiser wrote.",
        outcomes: &["after a sleep", "at once"],
        preemption_bound: None,
        body: raise_against_look,
    },
    Model {
        name: "flag::of_two_raisers_one_is_the_first",
        property: "Two raisers: exactly one is told that it was the first, and one lowering answers both.",
        outcomes: &["first", "second"],
        preemption_bound: None,
        body: two_raisers,
    },
];

struct Shared {
    flag: Flag,
    parker: Parker,
    written: UnsafeCell<u32>,
}

// SAFETY: `written` is written before the flag is raised and read after it is lowered; loom checks it.
unsafe impl Sync for Shared {}

fn raise_against_look(order: Order, outcomes: &Outcomes) {
    let shared =
        Arc::new(Shared { flag: Flag::new(false), parker: Parker::new(), written: UnsafeCell::new(0) });
    let raiser = Arc::clone(&shared);
    let ((), (slept, written)) = order.run2(
        move || {
            // SAFETY: the flag is not raised yet; loom checks it.
            raiser.written.with_mut(|written| unsafe { *written = 1 });
            assert!(raiser.flag.raise());
            raiser.parker.unpark(|| {});
        },
        move || {
            let mut slept = false;
            while !shared.flag.lower() {
                shared.parker.park();
                slept = true;
            }
            // SAFETY: the flag was raised; loom checks it.
            (slept, shared.written.with(|written| unsafe { *written }))
        },
    );
    assert_eq!(written, 1);
    outcomes.saw(if slept { "after a sleep" } else { "at once" });
}

fn two_raisers(order: Order, outcomes: &Outcomes) {
    let flag = Arc::new(Flag::new(false));
    let (first, second) = (Arc::clone(&flag), Arc::clone(&flag));
    let (first, second) = order.run2(move || first.raise(), move || second.raise());
    assert!(first != second);
    assert!(flag.is_raised());
    assert!(flag.lower());
    assert!(!flag.lower());
    assert!(!flag.is_raised());
    outcomes.saw(if first { "first" } else { "second" });
}
