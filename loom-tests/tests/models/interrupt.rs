//! Interrupting a turn: a skipped signal is never a lost one.

use std::sync::Arc;

use protocol_loom::interrupt::Interrupt;
use protocol_loom::sync::{AtomicBool, AtomicU32, Ordering};

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[Model {
    name: "interrupt::what_was_done_before_it_is_seen",
    property: "What a turn does not see of two interrupters is signalled: another turn will come, and see it.",
    outcomes: &[
        "no turn",
        "a turn that saw 1 and will see 2",
        "a turn that saw 2",
        "a turn that saw 2, and a spare one",
    ],
    preemption_bound: None,
    body: two_interrupters,
}];

struct Shared {
    interrupt: Interrupt,
    /// An eventfd in edge-triggered mode: a signal ends one wait. Both sides are read-modify-writes, since signals
    /// come one after the other; they are Relaxed, so that no edge of theirs stands in for one of the protocol.
    is_signalled: AtomicBool,
    done: [AtomicU32; 2],
}

impl Shared {
    /// One turn of the driver, if a signal ends its wait: how much it sees done.
    fn turn(&self) -> Option<u32> {
        self.is_signalled.swap(false, Ordering::Relaxed).then(|| {
            self.interrupt.acknowledge();
            self.done.iter().map(|done| done.load(Ordering::Relaxed)).sum()
        })
    }
}

fn two_interrupters(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new(Shared {
        interrupt: Interrupt::new(),
        is_signalled: AtomicBool::new(false),
        done: [AtomicU32::new(0), AtomicU32::new(0)],
    });
    let interrupter = |index: usize| {
        let shared = Arc::clone(&shared);
        move || {
            shared.done[index].store(1, Ordering::Relaxed);
            shared.interrupt.interrupt(|| {
                shared.is_signalled.swap(true, Ordering::Relaxed);
            });
        }
    };
    let driver = Arc::clone(&shared);
    let ((), (), seen) = order.run3(interrupter(0), interrupter(1), move || driver.turn());
    outcomes.saw(match (seen, shared.turn()) {
        (None, Some(2)) => "no turn",
        (Some(1), Some(2)) => "a turn that saw 1 and will see 2",
        (Some(2), None) => "a turn that saw 2",
        (Some(2), Some(2)) => "a turn that saw 2, and a spare one",
        (seen, next) => panic!("an interrupt is lost: {seen:?}, {next:?}"),
    });
}
