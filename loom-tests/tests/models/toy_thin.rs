//! A protocol with everything that the run of the mutants has to find: an ordering that no model needs, one that
//! no model reaches, code that a spurious return breaks, and wrong entries in the list of equivalents.

use protocol_loom::sync::{Arc, AtomicBool, AtomicU32, Condvar, Mutex, Ordering, UnsafeCell};

use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "thin::two_additions_are_counted",
        property: "Two additions are both counted.",
        outcomes: &["2"],
        preemption_bound: None,
        body: add_against_add,
    },
    Model {
        name: "thin::a_note_is_read_after_it_was_written",
        property: "Who sees that the note is written reads it.",
        outcomes: &["not yet", "read"],
        preemption_bound: None,
        body: write_against_read,
    },
    Model {
        name: "thin::a_hurried_addition_is_counted",
        property: "An addition that takes each failure for a rival's success is counted if it has no rival.",
        outcomes: &["1"],
        preemption_bound: None,
        body: hurried_add,
    },
    Model {
        name: "thin::a_notified_waiter_wakes",
        property: "A wait ends after the notification, as long as none ends without.",
        outcomes: &["woken"],
        preemption_bound: None,
        body: wait_against_notify,
    },
];

struct Note {
    written: AtomicBool,
    text: UnsafeCell<u32>,
}

// SAFETY: the flag publishes the text; loom checks it.
unsafe impl Sync for Note {}
// SAFETY: as above.
unsafe impl Send for Note {}

impl Note {
    fn write(&self) {
        // SAFETY: nobody reads before the flag is set; loom checks it.
        self.text.with_mut(|text| unsafe { *text = 1 });
        self.written.store(true, Ordering::Release);
    }

    fn read(&self) -> Option<u32> {
        // SAFETY: nobody writes after the flag was set; loom checks it.
        self.written.load(Ordering::Acquire).then(|| self.text.with(|text| unsafe { *text }))
    }
}

fn write_against_read(order: Order, outcomes: &Outcomes) {
    let note = Arc::new(Note { written: AtomicBool::new(false), text: UnsafeCell::new(0) });
    let other = Arc::clone(&note);
    let ((), text) = order.run2(move || note.write(), move || other.read());
    outcomes.saw(if text.is_some() { "read" } else { "not yet" });
}

struct Tally(AtomicU32);

impl Tally {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    fn add_in_a_hurry(&self) {
        let seen = self.0.load(Ordering::Relaxed);
        let _ = self.0.compare_exchange_weak(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn reset(&self) {
        self.0.store(0, Ordering::Release);
    }
}

fn add_against_add(order: Order, outcomes: &Outcomes) {
    let tally = Arc::new(Tally(AtomicU32::new(0)));
    let (first, second) = (Arc::clone(&tally), Arc::clone(&tally));
    order.run3(move || first.add(), move || second.add(), || {});
    outcomes.saw(tally.get().to_string());
    if tally.get() > 2 {
        tally.reset();
    }
}

fn hurried_add(order: Order, outcomes: &Outcomes) {
    let tally = Arc::new(Tally(AtomicU32::new(0)));
    let hurried = Arc::clone(&tally);
    order.run2(move || hurried.add_in_a_hurry(), || {});
    outcomes.saw(tally.get().to_string());
}

fn wait_against_notify(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let other = Arc::clone(&shared);
    order.run2(
        move || {
            let mut notified = shared.0.lock();
            if !*notified {
                notified = shared.1.wait(notified);
            }
            assert!(*notified, "woken by nobody");
        },
        move || {
            *other.0.lock() = true;
            other.1.notify_one();
        },
    );
    outcomes.saw("woken");
}
