//! Each decision by itself, on one thread: spawns are scripted, and threads are seats that the test moves.

use super::state::{BlockingState, Staffing, Ticketed};
use super::{BlockingQueue, Outside, Seat, SubmitError};
use crate::sync::Mutex;
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
    queue.arrive(&mut seat, no_spawn);
    queue.work(&mut seat, || || None::<Duration>, |_| {}, no_spawn, ledger);
    queue.leave(seat, ledger);
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
    queue.arrive(&mut seat, no_spawn);
    assert!(queue.submit(2, no_more_threads, &ledger).is_ok());
    // Whoever takes a job tries again, for the one behind it.
    queue.work(&mut seat, || || None, |_| {}, no_more_threads, &ledger);
    queue.leave(seat, &ledger);
    assert_eq!(*ledger.run.lock(), [1, 2]);
    assert_eq!((queue.counts().threads, queue.counts().spawn_failures), (0, 2));
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
    queue.arrive(&mut seat, no_spawn);
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
fn threads_are_started_one_after_the_other_until_each_job_has_one() {
    let (queue, ledger) = (BlockingQueue::new(4, 4), Ledger::default());
    let mut seats = vec![submit_spawning(&queue, 1, &ledger)];
    for job in 2..=3 {
        let answer: Answer = queue.submit(job, no_spawn, &ledger);
        assert!(answer.is_ok());
    }
    for _ in 2..=3 {
        let mut next = None;
        let last = seats.last_mut().expect("one is starting");
        queue.arrive(last, |seat| {
            next = Some(seat);
            Ok::<(), ()>(())
        });
        seats.push(next.expect("more jobs are listed than threads have arrived"));
        assert_eq!(queue.counts().starting, 1);
    }
    queue.arrive(seats.last_mut().expect("one is starting"), no_spawn);
    assert_eq!((queue.counts().threads, queue.counts().starting), (3, 0));
    seats.into_iter().for_each(|seat| live_once(&queue, seat, &ledger));
    assert_eq!(
        (ledger.run.lock().clone(), queue.counts()),
        (vec![1, 2, 3], super::BlockingCounts::default())
    );
}

#[test]
fn job_behind_a_spawn_that_failed_gets_the_next_chance_with_the_next_job() {
    let (queue, ledger) = (BlockingQueue::new(2, 4), Ledger::default());
    let mut seat = submit_spawning(&queue, 1, &ledger);
    let answer: Answer = queue.submit(2, no_spawn, &ledger);
    assert!(answer.is_ok());
    queue.arrive(&mut seat, no_more_threads);
    assert_eq!((queue.counts().threads, queue.counts().spawn_failures), (1, 1));
    let started = Mutex::new(Vec::new());
    let spawn = |seat| {
        // Before the job that was taken.
        assert!(ledger.run.lock().is_empty());
        started.lock().push(seat);
        Ok::<(), ()>(())
    };
    queue.work(&mut seat, || || None, |_| {}, spawn, &ledger);
    queue.leave(seat, &ledger);
    let started: Vec<_> = started.lock().drain(..).collect();
    assert_eq!((started.len(), queue.counts().threads), (1, 1));
    started.into_iter().for_each(|seat| live_once(&queue, seat, &ledger));
    assert_eq!((ledger.run.lock().clone(), queue.counts().threads), (vec![1, 2], 0));
}

#[test]
fn only_the_first_idle_thread_looks_out_and_takes_what_is_listed_meanwhile() {
    let (queue, ledger) = (BlockingQueue::new(3, 4), Ledger::default());
    let mut seats = [1, 2].map(|job| {
        let mut seat = submit_spawning(&queue, job, &ledger);
        queue.arrive(&mut seat, no_spawn);
        Some(seat)
    });
    let (mut first, mut second) = (seats[0].take().expect("it has arrived"), seats[1].take());
    let look_out = |has_news: &dyn Fn() -> bool| {
        let Some(mut second) = second.take() else { return };
        assert_eq!((queue.counts().idle, has_news()), (1, false));
        let went_idle = Mutex::new(0);
        let go_idle = || {
            *went_idle.lock() += 1;
            || None
        };
        queue.work(&mut second, go_idle, |_| panic!("another one looks out"), no_spawn, &ledger);
        queue.leave(second, &ledger);
        assert_eq!((*went_idle.lock(), has_news()), (1, false));
        let answer: Answer = queue.submit(3, no_spawn, &ledger);
        assert!(answer.is_ok() && has_news());
    };
    queue.work(&mut first, || || None, look_out, no_spawn, &ledger);
    queue.leave(first, &ledger);
    assert_eq!((ledger.run.lock().clone(), queue.counts().threads), (vec![1, 2, 3], 0));
}

#[test]
fn whoever_hands_on_calls_two_idle_threads_at_most_and_none_without_a_job_for_it() {
    for (idle, jobs, calls) in [(1, 9, 1), (9, 1, 1), (2, 2, 2), (9, 9, 2)] {
        let mut state = BlockingState { live: idle, idle, threads: idle, ..BlockingState::default() };
        state.jobs.extend((0..jobs).map(|job| Ticketed { ticket: job, job }));
        assert!(
            matches!(state.staff(9), Staffing::CallIdle(count) if count == calls),
            "{idle} idle, {jobs} jobs"
        );
        assert!(matches!(state.staff(9), Staffing::AlreadyDue), "they are on their way");
    }
}
