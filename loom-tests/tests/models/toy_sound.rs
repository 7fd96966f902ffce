//! A protocol of which every ordering is needed, but for one that is listed as equivalent.

use protocol_loom::sync::{Arc, AtomicBool, AtomicU32, Condvar, Mutex, Ordering, UnsafeCell, fence};

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "sound::a_letter_is_read_after_it_was_written",
        property: "Who finds the mailbox full reads what was put into it.",
        outcomes: &["empty", "read"],
        preemption_bound: None,
        body: put_against_take,
    },
    Model {
        name: "sound::one_of_two_sees_the_other",
        property: "Of two who announce themselves and then look, one sees the other.",
        outcomes: &["both", "one"],
        preemption_bound: None,
        body: announce_against_announce,
    },
    Model {
        name: "sound::a_notified_waiter_wakes",
        property: "A wait ends after the notification, and only then.",
        outcomes: &["woken"],
        preemption_bound: None,
        body: wait_against_notify,
    },
];

struct Mailbox {
    full: AtomicBool,
    letter: UnsafeCell<u32>,
    takes: AtomicU32,
}

// SAFETY: the flag publishes the letter; loom checks it.
unsafe impl Sync for Mailbox {}
// SAFETY: as above.
unsafe impl Send for Mailbox {}

impl Mailbox {
    #[track_caller]
    fn set(&self, flag: &AtomicBool, order: Ordering) {
        flag.store(true, order);
    }

    fn put(&self) {
        // SAFETY: nobody reads before the flag is set; loom checks it.
        self.letter.with_mut(|letter| unsafe { *letter = 1 });
        self.set(&self.full, Ordering::Release);
    }

    fn take(&self) -> Option<u32> {
        self.count();
        if !self.full.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: nobody writes after the flag was set; loom checks it.
        Some(self.letter.with(|letter| unsafe { *letter }))
    }

    #[track_caller]
    fn count_with(&self, order: Ordering) {
        let seen = self.takes.load(Ordering::Relaxed);
        // The loop makes up for a spurious failure.
        while self.takes.compare_exchange_weak(seen, seen + 1, order, Ordering::Relaxed).is_err() {}
    }

    fn count(&self) {
        self.count_with(Ordering::Release);
    }
}

fn put_against_take(order: Order, outcomes: &Outcomes) {
    let full = AtomicBool::new(false);
    let mailbox = Arc::new(Mailbox { full, letter: UnsafeCell::new(0), takes: AtomicU32::new(0) });
    let other = Arc::clone(&mailbox);
    let ((), letter) = order.run2(move || mailbox.put(), move || other.take());
    outcomes.saw(match letter {
        None => "empty",
        Some(1) => "read",
        Some(_) => "read too early",
    });
}

fn announce_against_announce(order: Order, outcomes: &Outcomes) {
    let (first, second) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let side = |mine: &Arc<AtomicBool>, other: &Arc<AtomicBool>| {
        let (mine, other) = (Arc::clone(mine), Arc::clone(other));
        move || {
            mine.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            other.load(Ordering::Relaxed)
        }
    };
    outcomes.saw(match order.run2(side(&first, &second), side(&second, &first)) {
        (true, true) => "both",
        (false, false) => "neither",
        _ => "one",
    });
}

fn wait_against_notify(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let other = Arc::clone(&shared);
    order.run2(
        move || {
            let mut notified = shared.0.lock();
            while !*notified {
                notified = shared.1.wait(notified);
            }
        },
        move || {
            *other.0.lock() = true;
            other.1.notify_one();
        },
    );
    outcomes.saw("woken");
}
