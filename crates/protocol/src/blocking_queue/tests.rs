//! Each decision by itself, on one thread: spawns are scripted, and threads are seats that the test moves.

use super::{BlockingQueue, Outside, PoolClosed, RoomTicket, Seat, SubmitError};
use crate::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

/// What happened to each job.
#[derive(Default)]
struct Ledger {
    run: Mutex<Vec<u32>>,
    cancelled: Mutex<Vec<u32>>,
}

impl Outside<u32> for Ledger {
    fn run(&self, job: u32) {
        self.run.lock().push(job);
    }

    fn cancel(&self, job: u32) {
        self.cancelled.lock().push(job);
    }

    fn wake(&self, waiter: Waker) {
        waiter.wake();
    }
}

#[derive(Default)]
struct CountedWakes(Mutex<usize>);

impl Wake for CountedWakes {
    fn wake(self: Arc<Self>) {
        *self.0.lock() += 1;
    }
}

type Answer = Result<(), SubmitError<u32, &'static str>>;

fn no_spawn(_seat: Seat) -> Result<(), &'static str> {
    panic!("no thread is needed for this job")
}

fn no_more_threads(_seat: Seat) -> Result<(), &'static str> {
    Err("EAGAIN")
}

/// Submits a job that takes a new thread, and returns the seat of that thread.
fn submit_spawning(queue: &BlockingQueue<u32>, job: u32, ledger: &Ledger) -> Seat {
    let mut spawned = None;
    let answer: Answer = queue.submit(
        job,
        |seat| {
            spawned = Some(seat);
            Ok(())
        },
        ledger,
    );
    answer.expect("there is room and the spawn succeeds");
    spawned.expect("the job takes a new thread")
}

/// Lives the life of a thread whose keep-alive is over as soon as there is nothing to do.
fn live_once(queue: &BlockingQueue<u32>, mut seat: Seat, ledger: &Ledger) {
    queue.arrive(&mut seat);
    queue.work(&mut seat, || || None::<Duration>, |_| {}, ledger);
    queue.leave(seat, ledger);
}

fn waker() -> (Arc<CountedWakes>, Waker) {
    let wakes = Arc::new(CountedWakes::default());
    (Arc::clone(&wakes), Waker::from(wakes))
}

#[test]
fn first_job_takes_a_thread_and_nothing_remains_after_it() {
    let (queue, ledger) = (BlockingQueue::new(4, 4), Ledger::default());
    let seat = submit_spawning(&queue, 1, &ledger);
    assert_eq!((queue.counts().starting, queue.counts().queued), (1, 1));
    live_once(&queue, seat, &ledger);
    assert_eq!(*ledger.run.lock(), [1]);
    assert_eq!(queue.counts(), super::BlockingCounts::default());
}

#[test]
fn jobs_beyond_the_cap_wait_and_run_in_order() {
    let (queue, ledger) = (BlockingQueue::new(1, 4), Ledger::default());
    let seat = submit_spawning(&queue, 1, &ledger);
    for job in 2..=4 {
        let answer: Answer = queue.submit(job, no_spawn, &ledger);
        assert!(answer.is_ok());
    }
    live_once(&queue, seat, &ledger);
    assert_eq!(*ledger.run.lock(), [1, 2, 3, 4]);
}

#[test]
fn job_beyond_the_queue_is_given_back() {
    let (queue, ledger) = (BlockingQueue::new(1, 1), Ledger::default());
    let seat = submit_spawning(&queue, 1, &ledger);
    let answer: Answer = queue.submit(2, no_spawn, &ledger);
    assert!(answer.is_ok());
    let full: Answer = queue.submit(3, no_spawn, &ledger);
    assert!(matches!(full, Err(SubmitError::QueueFull(3))));
    live_once(&queue, seat, &ledger);
    assert_eq!(*ledger.run.lock(), [1, 2]);
}

#[test]
fn bounds_of_zero_and_of_everything_are_bounds() {
    let ledger = Ledger::default();
    let one = BlockingQueue::new(0, 0);
    let seat = submit_spawning(&one, 1, &ledger);
    assert!(matches!(one.submit(2, no_spawn, &ledger), Err(SubmitError::QueueFull(2))));
    live_once(&one, seat, &ledger);
    let endless = BlockingQueue::new(usize::MAX, usize::MAX);
    let seat = submit_spawning(&endless, 3, &ledger);
    live_once(&endless, seat, &ledger);
    assert_eq!(*ledger.run.lock(), [1, 3]);
}

#[test]
fn failed_spawn_without_a_thread_gives_the_job_back_with_the_error() {
    let (queue, ledger) = (BlockingQueue::new(4, 4), Ledger::default());
    let answer = queue.submit(1, no_more_threads, &ledger);
    assert!(matches!(answer, Err(SubmitError::ThreadSpawn("EAGAIN", 1))));
    let counts = queue.counts();
    assert_eq!((counts.threads, counts.queued, counts.spawn_failures), (0, 0, 1));
}

#[test]
fn failed_spawn_beside_a_live_thread_leaves_the_job_to_it() {
    let (queue, ledger) = (BlockingQueue::new(4, 4), Ledger::default());
    let mut seat = submit_spawning(&queue, 1, &ledger);
    queue.arrive(&mut seat);
    assert!(queue.submit(2, no_more_threads, &ledger).is_ok());
    live_once(&queue, seat, &ledger);
    assert_eq!(*ledger.run.lock(), [1, 2]);
    assert_eq!(queue.counts().spawn_failures, 1);
}

#[test]
fn job_that_waited_for_a_thread_that_never_came_is_cancelled() {
    // At a cap of one, the second job is accepted on the strength of a spawn that then fails.
    let (queue, ledger) = (BlockingQueue::new(1, 4), Ledger::default());
    let answer = queue.submit(
        1,
        |_seat| {
            assert!(queue.submit(2, no_spawn, &ledger).is_ok());
            Err("EAGAIN")
        },
        &ledger,
    );
    assert!(matches!(answer, Err(SubmitError::ThreadSpawn("EAGAIN", 1))));
    assert_eq!(*ledger.cancelled.lock(), [2]);
    assert_eq!(queue.counts().threads, 0);
}

#[test]
fn thread_that_could_not_work_strands_no_job() {
    let (queue, ledger) = (BlockingQueue::new(1, 4), Ledger::default());
    let mut seat = submit_spawning(&queue, 1, &ledger);
    queue.arrive(&mut seat);
    queue.leave(seat, &ledger);
    assert_eq!(*ledger.cancelled.lock(), [1]);
    assert_eq!(queue.counts(), super::BlockingCounts::default());
}

#[test]
fn close_cancels_what_is_listed_and_refuses_what_comes() {
    let (queue, ledger) = (BlockingQueue::new(1, 4), Ledger::default());
    let seat = submit_spawning(&queue, 1, &ledger);
    assert!(queue.submit(2, no_spawn, &ledger).is_ok());
    assert_eq!((queue.close(&ledger), queue.close(&ledger)), (2, 0));
    assert!(matches!(queue.submit(3, no_spawn, &ledger), Err(SubmitError::ShutDown(3))));
    assert!(matches!(queue.submit_dedicated(4, no_spawn), Err(SubmitError::ShutDown(4))));
    assert_eq!(queue.wait_until_gone(|| None).threads, 1);
    live_once(&queue, seat, &ledger);
    assert_eq!(queue.wait_until_gone(|| panic!("nobody to wait for")).threads, 0);
    assert_eq!((ledger.run.lock().len(), ledger.cancelled.lock().clone()), (0, vec![1, 2]));
}

#[test]
fn close_during_a_spawn_that_fails_cancels_its_job_once() {
    let (queue, ledger) = (BlockingQueue::new(1, 4), Ledger::default());
    let answer = queue.submit(
        1,
        |_seat| {
            assert_eq!(queue.close(&ledger), 1);
            Err("EAGAIN")
        },
        &ledger,
    );
    assert!(answer.is_ok());
    assert_eq!(*ledger.cancelled.lock(), [1]);
    assert_eq!(queue.counts().threads, 0);
}

#[test]
fn dedicated_job_passes_the_cap_and_ends_its_thread() {
    let (queue, ledger) = (BlockingQueue::new(1, 0), Ledger::default());
    let pooled = submit_spawning(&queue, 1, &ledger);
    let mut own = None;
    let answer: Answer = queue.submit_dedicated(2, |seat| {
        own = Some(seat);
        Ok(())
    });
    assert!(answer.is_ok());
    let mut own = own.expect("a dedicated job always takes a thread");
    assert_eq!((queue.counts().threads, queue.counts().dedicated, queue.counts().queued), (2, 1, 1));
    queue.arrive(&mut own);
    assert_eq!((queue.take_dedicated(&own), queue.take_dedicated(&own)), (Some(2), None));
    queue.leave(own, &ledger);
    live_once(&queue, pooled, &ledger);
    assert_eq!(*ledger.run.lock(), [1]);
    assert_eq!(queue.counts().threads, 0);
}

#[test]
fn dedicated_job_is_given_back_cancelled_or_taken() {
    let (queue, ledger) = (BlockingQueue::new(1, 0), Ledger::default());
    let refused = queue.submit_dedicated(1, no_more_threads);
    assert!(matches!(refused, Err(SubmitError::ThreadSpawn("EAGAIN", 1))));
    let mut seats = Vec::new();
    for job in [2, 3] {
        let answer: Answer = queue.submit_dedicated(job, |seat| {
            seats.push(seat);
            Ok(())
        });
        assert!(answer.is_ok());
    }
    // Its thread never came to take it.
    queue.leave(seats.remove(0), &ledger);
    assert_eq!(*ledger.cancelled.lock(), [2]);
    assert_eq!(queue.close(&ledger), 1);
    assert_eq!(queue.take_dedicated(&seats[0]), None);
    queue.leave(seats.remove(0), &ledger);
    assert_eq!(*ledger.cancelled.lock(), [2, 3]);
    assert_eq!(queue.counts().threads, 0);
}

#[test]
fn room_goes_to_those_who_wait_in_order_and_past_those_who_leave() {
    let (queue, ledger) = (BlockingQueue::new(1, 0), Ledger::default());
    let mut place = None;
    let Poll::Ready(Ok(room)) = queue.poll_reserve(&mut place, Waker::noop().clone()) else {
        panic!("an empty pool has room")
    };
    let mut places: Vec<Option<RoomTicket>> = vec![None, None, None];
    let wakes: Vec<_> = places
        .iter_mut()
        .map(|place| {
            let (wakes, waker) = waker();
            assert!(queue.poll_reserve(place, waker).is_pending());
            wakes
        })
        .collect();
    let woken = || wakes.iter().map(|wakes| *wakes.0.lock()).collect::<Vec<_>>();

    // The first leaves while it waits, the second after it was given the room.
    queue.stop_waiting(places[0].take().expect("it is in line"), &ledger);
    assert!(matches!(queue.submit(9, no_spawn, &ledger), Err(SubmitError::QueueFull(9))));
    queue.release(room, &ledger);
    assert_eq!(woken(), [0, 1, 0]);
    assert!(matches!(queue.submit(9, no_spawn, &ledger), Err(SubmitError::QueueFull(9))));
    queue.stop_waiting(places[1].take().expect("it has not looked yet"), &ledger);
    assert_eq!(woken(), [0, 1, 1]);

    let Poll::Ready(Ok(room)) = queue.poll_reserve(&mut places[2], Waker::noop().clone()) else {
        panic!("it was given the room")
    };
    assert_eq!((places[2].is_none(), queue.counts().reserved), (true, 1));
    let mut seat = None;
    let answer: Answer = queue.submit_reserved(
        room,
        1,
        |spawned| {
            seat = Some(spawned);
            Ok(())
        },
        &ledger,
    );
    assert!(answer.is_ok());
    live_once(&queue, seat.expect("there was no thread"), &ledger);
    assert_eq!((ledger.run.lock().clone(), queue.counts()), (vec![1], super::BlockingCounts::default()));
}

#[test]
fn newest_waker_of_a_waiter_is_woken_when_a_job_ends() {
    let (queue, ledger) = (BlockingQueue::new(1, 0), Ledger::default());
    let seat = submit_spawning(&queue, 1, &ledger);
    let mut place = None;
    let ((old, old_waker), (new, new_waker)) = (waker(), waker());
    assert!(queue.poll_reserve(&mut place, old_waker).is_pending());
    assert!(queue.poll_reserve(&mut place, new_waker).is_pending());
    live_once(&queue, seat, &ledger);
    assert_eq!((*old.0.lock(), *new.0.lock()), (0, 1));
    // The replaced waker is not kept: the count of references says so.
    assert_eq!(Arc::strong_count(&old), 1);
    queue.stop_waiting(place.expect("it has not looked yet"), &ledger);
    assert_eq!(queue.counts().reserved, 0);
}

#[test]
fn close_tells_those_who_wait_for_room() {
    let (queue, ledger) = (BlockingQueue::new(1, 0), Ledger::default());
    let seat = submit_spawning(&queue, 1, &ledger);
    let mut place = None;
    let (wakes, waker) = waker();
    assert!(queue.poll_reserve(&mut place, waker).is_pending());
    queue.close(&ledger);
    assert_eq!(*wakes.0.lock(), 1);
    assert!(matches!(queue.poll_reserve(&mut place, Waker::noop().clone()), Poll::Ready(Err(PoolClosed))));
    assert!(place.is_none());
    live_once(&queue, seat, &ledger);
    assert_eq!(*ledger.cancelled.lock(), [1]);
}
