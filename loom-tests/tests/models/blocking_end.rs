//! The end of the blocking pool: what is counted, who waits for room and who waits for the threads.

use protocol_loom::blocking_queue::{
    BlockingCounts, BlockingQueue, PoolClosed, RoomReservation, SubmitError,
};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::blocking_queue::{Bell, Floor, Hand, Patience, Work, reserve};
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
        name: "blocking_queue::the_close_reaches_who_waits_for_room",
        property: "There will be no room after the close: who waits for some is told, and so is who comes later.",
        outcomes: &["at once", "out of the wait"],
        preemption_bound: None,
        body: close_against_wait_for_room,
    },
    Model {
        name: "blocking_queue::room_given_up_goes_to_the_next_or_to_the_close",
        property: "Room that is given up while the queue is closed goes to who waits for it, or that one is told.",
        outcomes: &["closed", "room"],
        preemption_bound: Some(3),
        body: room_given_up_against_close,
    },
    Model {
        name: "blocking_queue::reserved_room_is_nobody_elses",
        property: "Room that is reserved refuses a job without a reservation, and takes the one that it is for.",
        outcomes: &["after the job, accepted", "before the job, refused"],
        preemption_bound: None,
        body: reserved_against_plain,
    },
    Model {
        name: "blocking_queue::a_job_that_a_starting_thread_will_find_starts_no_other",
        property: "A job is left to a thread that is still starting, if that one will find nothing else to do.",
        outcomes: &["left to the starting one", "run by a new one", "run by the old one"],
        preemption_bound: None,
        body: submit_meets_starting_thread,
    },
    Model {
        name: "blocking_queue::dedicated_job_without_thread_meets_shutdown",
        property: "A job whose own thread cannot be started is given back, unless the close has cancelled it.",
        outcomes: &["cancelled", "given back", "refused"],
        preemption_bound: None,
        body: failed_dedicated_spawn_meets_shutdown,
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
            a.queue.arrive(&mut seat);
            let look_out = |has_news: &dyn Fn() -> bool| {
                has_news();
            };
            a.queue.work(&mut seat, || || None, look_out, &hand);
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

/// Waits for room until there is some or the queue is closed; says whether it waited.
fn room_or_close(queue: &BlockingQueue<Work>) -> (Result<RoomReservation, PoolClosed>, bool) {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let (mut ticket, mut waited) = (None, false);
    loop {
        if let Poll::Ready(answer) = queue.poll_reserve(&mut ticket, waker.clone()) {
            return (answer, waited);
        }
        bell.hear();
        waited = true;
    }
}

fn close_against_wait_for_room(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 0, usize::MAX);
    let seat = floor.staffed("first");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    let ((answer, waited), ()) = order.run2(
        move || room_or_close(&a.queue),
        move || {
            b.queue.close(&Hand { floor: &b, who: "closer" });
        },
    );
    assert_eq!(answer.err(), Some(PoolClosed));
    // The thread never came to work.
    floor.queue.leave(seat, &Hand { floor: &floor, who: "nobody" });
    assert_eq!(floor.fate("first"), "cancelled");
    floor.assert_quiet();
    outcomes.saw(if waited { "out of the wait" } else { "at once" });
}

fn room_given_up_against_close(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 0, usize::MAX);
    let (room, waited) = reserve(&floor.queue);
    assert!(!waited);
    let (a, b, c) = (Arc::clone(&floor), Arc::clone(&floor), Arc::clone(&floor));
    let ((), got, ()) = order.run3(
        move || a.queue.release(room, &Hand { floor: &a, who: "nobody" }),
        move || {
            let (answer, _) = room_or_close(&b.queue);
            answer.map(|room| b.queue.release(room, &Hand { floor: &b, who: "nobody" })).is_ok()
        },
        move || {
            c.queue.close(&Hand { floor: &c, who: "closer" });
        },
    );
    floor.assert_quiet();
    outcomes.saw(if got { "room" } else { "closed" });
}

/// A thread that runs what it was started for; the queue takes one job at a time.
fn reserved_against_plain(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 0, usize::MAX);
    let (room, _) = reserve(&floor.queue);
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    let ((), (accepted, seat)) = order.run2(
        move || {
            let hand = Hand { floor: &a, who: "run" };
            let mut seat = None;
            let spawn = |started| {
                seat = Some(started);
                Ok::<(), ()>(())
            };
            assert!(a.queue.submit_reserved(room, Work::new("own"), spawn, &hand).is_ok());
            let mut seat = seat.expect("the first job takes a thread");
            a.queue.arrive(&mut seat);
            let look_out = |has_news: &dyn Fn() -> bool| {
                has_news();
            };
            a.queue.work(&mut seat, || || None, look_out, &hand);
            a.queue.leave(seat, &hand);
        },
        move || {
            let hand = Hand { floor: &b, who: "nobody" };
            let mut seat = None;
            let spawn = |started| {
                seat = Some(started);
                Ok::<(), ()>(())
            };
            let answer = b.queue.submit(Work::new("other"), spawn, &hand);
            (!matches!(answer, Err(SubmitError::QueueFull(_))), seat)
        },
    );
    assert_eq!(floor.fate("own"), "run");
    if let Some(seat) = seat {
        floor.queue.leave(seat, &Hand { floor: &floor, who: "nobody" });
        assert_eq!(floor.fate("other"), "cancelled");
    }
    floor.assert_quiet();
    outcomes.saw(if accepted { "after the job, accepted" } else { "before the job, refused" });
}

fn submit_meets_starting_thread(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(3, 3, usize::MAX);
    let old = floor.staffed("first");
    let starting = floor.staffed("second");
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    let ((), started) = order.run2(
        move || a.live("run by the old one", old, Patience::Expires),
        move || b.submit("third", "run by a new one"),
    );
    floor.live("left to the starting one", starting, Patience::Expires);
    floor.assert_quiet();
    let by = floor.fate("third");
    assert!(started || by != "run by a new one");
    assert!(!started || by != "left to the starting one", "a thread too many was started");
    outcomes.saw(by);
}

fn failed_dedicated_spawn_meets_shutdown(order: Order, outcomes: &Outcomes) {
    let floor = Floor::new(1, 0, usize::MAX);
    let (a, b) = (Arc::clone(&floor), Arc::clone(&floor));
    let (answer, cancelled) = order.run2(
        move || a.queue.submit_dedicated(Work::new("own"), |_seat| Err("EAGAIN")),
        move || b.queue.close(&Hand { floor: &b, who: "closer" }),
    );
    let fate = match answer {
        Ok(()) => floor.fate("own"),
        Err(SubmitError::ThreadSpawn("EAGAIN", _)) => "given back",
        Err(SubmitError::ShutDown(_)) => "refused",
        Err(other) => panic!("{other:?}"),
    };
    floor.assert_quiet();
    assert_eq!(floor.queue.counts().spawn_failures, u64::from(fate != "refused"));
    assert_eq!(cancelled, usize::from(fate == "cancelled"));
    outcomes.saw(fate);
}
