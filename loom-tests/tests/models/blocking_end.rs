//! The end of the blocking pool: what is counted, and who waits for the threads.

use protocol_loom::blocking_queue::BlockingCounts;
use std::sync::Arc;
use std::time::Duration;

use super::blocking_queue::{Floor, Hand, Patience, look_once, no_spawn};
use super::payload::Payload;
use super::support::{Model, Order, Outcomes};

pub const MODELS: &[Model] = &[
    Model {
        name: "blocking_queue::who_waits_until_all_are_gone_comes_after_them",
        property: "Who closes and waits comes after all that the threads did, and knows how many jobs it cancelled.",
        outcomes: &["cancelled", "run"],
        preemption_bound: None,
        body: shutdown_comes_after_the_threads,
    },
    Model {
        name: "blocking_queue::a_job_that_a_starting_thread_will_find_starts_no_other",
        property: "While a thread is starting no other is started; the job is its, or that of one that is done sooner.",
        outcomes: &["left to the starting one", "run by the old one"],
        preemption_bound: None,
        body: submit_meets_starting_thread,
    },
];

fn shutdown_comes_after_the_threads(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 0, usize::MAX);
    let seat = floor.staffed("first");
    let one = BlockingCounts { threads: 1, starting: 1, queued: 1, ..BlockingCounts::default() };
    assert_eq!(floor.queue.counts(), one);
    let stopped = Arc::new(Payload::new());
    let (a, b, stop) = (Arc::clone(&floor), Arc::clone(&floor), Arc::clone(&stopped));
    let ((), cancelled) = order.run2(
        move || {
            let hand = Hand { floor: &a, who: "run" };
            let mut seat = seat;
            a.queue.arrive(&mut seat, no_spawn);
            a.queue.work(&mut seat, || Patience::Expires.clock(), look_once, no_spawn, &hand);
            // Its stop hook.
            stop.write();
            a.queue.leave(seat, &hand);
        },
        move || {
            let cancelled = b.queue.close(&Hand { floor: &b, who: "closer" });
            assert_eq!(b.queue.wait_until_gone(|| Some(Duration::MAX)), BlockingCounts::default());
            stopped.read();
            cancelled
        },
    );
    let fate = floor.fate("first");
    assert_eq!(cancelled, usize::from(fate == "cancelled"));
    outcomes.saw(fate);
}

fn submit_meets_starting_thread(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(3, 3, usize::MAX);
    let mut old = floor.staffed("first");
    floor.queue.arrive(&mut old, no_spawn);
    let starting = floor.staffed("second");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    order.run2(move || a.live("run by the old one", old, Patience::Expires), move || b.submit("third"));
    floor.live("left to the starting one", starting, Patience::Expires);
    floor.assert_quiet();
    let by = floor.fate("third");
    assert_ne!(by, "new", "a thread too many was started");
    outcomes.saw(by);
}
