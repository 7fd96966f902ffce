//! The end of the blocking pool: what is counted, and who waits for the threads.

use protocol_loom::blocking_queue::{BlockingCounts, Outside, SubmitError};
use std::sync::Arc;
use std::time::Duration;

use super::blocking_queue::{Floor, Hand, Patience, Work, no_spawn};
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
    Model {
        name: "blocking_queue::a_full_queue_refuses_a_job_until_one_has_ended",
        property: "A queue that takes one job refuses another while that one is listed or runs, and not afterwards.",
        outcomes: &["refused", "run"],
        preemption_bound: None,
        body: submit_meets_full_queue,
    },
    Model {
        name: "blocking_queue::who_looks_out_learns_of_a_job_and_of_the_close",
        property: "An idle thread that looks out sees the news of a job and of the close, and takes the job.",
        outcomes: &["cancelled", "closed before", "given back", "run"],
        preemption_bound: None,
        body: look_out_meets_job_and_close,
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
            let look_out = |has_news: &dyn Fn() -> bool| a.look_once(has_news);
            a.queue.work(&mut seat, || Patience::Expires.clock(), look_out, no_spawn, &hand);
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

/// The thread that looks out lists a job itself, so what it learns is certain.
fn look_out_meets_job_and_close(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 2, usize::MAX);
    let mut seat = floor.staffed("first");
    floor.queue.arrive(&mut seat, no_spawn);
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    let (looked_out, ()) = order.run2(
        move || {
            let hand = Hand { floor: &a, who: "run" };
            let mut second = Some(Work::new("second"));
            let look_out = |has_news: &dyn Fn() -> bool| {
                if let Some(second) = second.take() {
                    a.answered(a.queue.submit(second, no_spawn, &hand));
                    assert!(has_news(), "a job was listed, or the queue closed");
                }
            };
            a.queue.work(&mut seat, || Patience::Expires.clock(), look_out, no_spawn, &hand);
            a.queue.leave(seat, &hand);
            second.is_none()
        },
        move || {
            b.queue.close(&Hand { floor: &b, who: "closer" });
        },
    );
    floor.assert_quiet();
    outcomes.saw(if looked_out { floor.fate("second") } else { "closed before" });
}

/// A hand whose jobs try to submit another one.
struct FullHand<'a>(&'a Floor);

impl Outside<Work> for FullHand<'_> {
    fn run(&self, job: Work) {
        assert!(is_refused(self.0, self), "there is room beside a job that runs");
        self.0.note(job.open(), "run");
    }

    fn cancel(&self, _job: Work) {
        panic!("nobody closes the queue");
    }
}

fn is_refused(floor: &Floor, hand: &FullHand<'_>) -> bool {
    matches!(floor.queue.submit(Work::new("other"), no_spawn, hand), Err(SubmitError::QueueFull(_)))
}

fn submit_meets_full_queue(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 0, usize::MAX);
    let seat = floor.staffed("first");
    assert!(is_refused(&floor, &FullHand(&floor)), "there is room beside a job that is listed");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    let live = |floor: &Floor, mut seat| {
        let hand = FullHand(floor);
        floor.queue.arrive(&mut seat, no_spawn);
        let look_out = |has_news: &dyn Fn() -> bool| floor.look_once(has_news);
        floor.queue.work(&mut seat, || Patience::Expires.clock(), look_out, no_spawn, &hand);
        floor.queue.leave(seat, &hand);
    };
    let ((), refused) = order.run2(
        move || live(&a, seat),
        move || {
            let mut started = None;
            let spawn = |seat| {
                started = Some(seat);
                Ok::<(), ()>(())
            };
            let refused = b.queue.submit(Work::new("second"), spawn, &FullHand(&b)).is_err();
            started.into_iter().for_each(|seat| live(&b, seat));
            refused
        },
    );
    floor.assert_quiet();
    assert_eq!(floor.fate("first"), "run");
    outcomes.saw(if refused { "refused" } else { floor.fate("second") });
}
