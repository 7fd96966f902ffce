//! The numbers of the slots, the last thread, and who waits for it. What workers do with their slots is in `driver_handover`.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use protocol_loom::seats::Seats;
use protocol_loom::shutdown::Lifecycle;
use protocol_loom::thread_count::ThreadCount;

use super::payload::Payload;
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "thread_count::the_last_thread_knows_that_it_is",
        property: "Two threads end while a third one does not start: exactly one of them is the last.",
        outcomes: &["first", "second"],
        preemption_bound: None,
        body: two_ends,
    },
    Model {
        name: "seats::what_is_run_beyond_the_wanted_retires_and_no_more",
        property: "One slot is left while the foreman finds none stuck: as many retire as are too many.",
        outcomes: &["left first", "noted first"],
        preemption_bound: None,
        body: leave_against_note,
    },
    Model {
        name: "shutdown::who_waits_for_the_threads_comes_after_the_last",
        property: "The end of the last thread against a wait for it: the wait ends, after what that one has to finish.",
        outcomes: &["at once", "woken"],
        preemption_bound: None,
        body: last_end_against_wait,
    },
];

fn two_ends(order: Order, outcomes: &Outcomes) {
    let threads = Arc::new(ThreadCount::new());
    (0..3).for_each(|_| threads.starts());
    assert_eq!(threads.get(), 3);
    threads.ends(|| panic!("the third one could not be started, and two are left"));
    let end = || {
        let threads = Arc::clone(&threads);
        move || {
            let mut is_last = false;
            threads.ends(|| is_last = true);
            is_last
        }
    };
    let (first, second) = order.run2(end(), end());
    assert!(first != second);
    assert_eq!(threads.get(), 0);
    outcomes.saw(if first { "first" } else { "second" });
}

fn leave_against_note(order: Order, outcomes: &Outcomes) {
    let seats = Arc::new(Seats::new(2, 0..5));
    assert_eq!(seats.wanted(), 2);
    assert!(seats.is_short());
    assert_eq!([(); 3].map(|()| seats.take_if_short()), [Some(0), Some(1), None]);
    assert!(!seats.is_short() && !seats.retire());
    // More than are run: all of them.
    seats.note_stuck(7);
    assert!(seats.is_short());
    assert_eq!([(); 3].map(|()| seats.take_if_short()), [Some(2), Some(3), None]);
    assert_eq!(seats.seated(), 4);
    let (worker, foreman) = (Arc::clone(&seats), Arc::clone(&seats));
    let (retired, ()) = order.run2(
        move || {
            worker.leave();
            worker.retire()
        },
        move || foreman.note_stuck(0),
    );
    // Three are left beside the one that left, of which two are wanted.
    assert_eq!(retired, !seats.retire());
    assert!(!seats.retire());
    assert_eq!(seats.seated(), 2);
    assert_eq!(seats.take_if_short(), None);
    seats.leave();
    assert_eq!(seats.take_if_short(), Some(4));
    seats.leave();
    assert_eq!(seats.take_if_short(), None, "a slot that is being emptied is not taken");
    seats.give_back(0);
    assert_eq!(seats.take_if_short(), Some(0));
    outcomes.saw(if retired { "noted first" } else { "left first" });
}

fn last_end_against_wait(order: Order, outcomes: &Outcomes) {
    let shared = Arc::new((Lifecycle::new(), ThreadCount::new(), Payload::new()));
    shared.1.starts();
    assert!(!shared.0.wait(|| shared.1.get() == 0, || Some(Duration::ZERO)), "there was no time");
    let thread = Arc::clone(&shared);
    let ((), waited) = order.run2(
        move || {
            thread.1.ends(|| thread.2.write());
            thread.0.notify();
        },
        move || {
            let waited = Cell::new(false);
            let for_ever = || {
                waited.set(true);
                None
            };
            assert!(shared.0.wait(|| shared.1.get() == 0, for_ever));
            assert_eq!(shared.1.get(), 0);
            shared.2.read();
            waited.get()
        },
    );
    outcomes.saw(if waited { "woken" } else { "at once" });
}
