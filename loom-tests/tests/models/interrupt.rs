//! Interrupting a turn: a skipped signal is never a lost one.

use protocol_loom::interrupt::Interrupt;
use protocol_loom::sync::{Arc, AtomicU32, Condvar, Mutex, Ordering};

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[Model {
    name: "interrupt::what_was_done_before_it_is_seen",
    property: "After two interrupts a driver that waits and looks has seen what both interrupters did.",
    outcomes: &["0 turns", "1 turns", "2 turns"],
    preemption_bound: Some(3),
    body: two_interrupters,
}];

/// An eventfd in edge-triggered mode: a signal ends one wait.
struct EventFd {
    is_signalled: Mutex<bool>,
    changed: Condvar,
}

impl EventFd {
    fn signal(&self) {
        *self.is_signalled.lock() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut is_signalled = self.is_signalled.lock();
        while !*is_signalled {
            is_signalled = self.changed.wait(is_signalled);
        }
        *is_signalled = false;
    }
}

struct Shared {
    interrupt: Interrupt,
    event_fd: EventFd,
    done: [AtomicU32; 2],
}

fn two_interrupters(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new(Shared {
        interrupt: Interrupt::new(),
        event_fd: EventFd { is_signalled: Mutex::new(false), changed: Condvar::new() },
        done: [AtomicU32::new(0), AtomicU32::new(0)],
    });
    let interrupter = |index: usize| {
        let shared = Arc::clone(&shared);
        move || {
            shared.done[index].store(1, Ordering::Relaxed);
            shared.interrupt.interrupt(|| shared.event_fd.signal());
        }
    };
    let driver = Arc::clone(&shared);
    let ((), (), turns) = order.run3(interrupter(0), interrupter(1), move || {
        let mut turns = 0;
        while driver.done.iter().any(|done| done.load(Ordering::Relaxed) == 0) {
            driver.event_fd.wait();
            driver.interrupt.acknowledge();
            turns += 1;
        }
        turns
    });
    outcomes.saw(format!("{turns} turns"));
}
