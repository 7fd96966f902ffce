//! Which thread runs a blocking job: the idle one, a new one, or the next that is done.
//!
//! One mutex over plain counts and one list of jobs. The surroundings spawn threads and run jobs; here it
//! is decided who does, so that no job that was accepted is ever left without a thread that will look at
//! it. Spawning, running, cancelling and waking happen without the lock.
//!
//! # States of a thread
//! | state     | counted in        | meaning                                   | left by                          |
//! |-----------|-------------------|-------------------------------------------|----------------------------------|
//! | starting  | `starting`        | the spawn is under way and may still fail | [`arrive`], or the spawn's error |
//! | live      | `live`            | looks at the list before it does anything | idle, busy or retired            |
//! | idle      | `live`, `idle`    | looks out for `news`, then waits on `work`| a job, expiry, close             |
//! | busy      | `live`, `busy`    | runs a job                                | the end of the job               |
//! | retired   | none              | takes no more jobs, runs its stop hook    | [`leave`]                        |
//!
//! `threads` counts all of them from before the spawn until [`leave`]; `starting + live` is what the cap
//! bounds. `idle` and `busy` are written by the thread they describe and by nobody else, up and down in
//! pairs, so neither can go below zero.
//!
//! # Transitions
//! | # | transition               | performed by            | owes                                           | model |
//! |---|--------------------------|-------------------------|------------------------------------------------|-------|
//! | 1 | job → list, idle thread  | [`submit`]              | one notification                               | `blocking_queue::submit_meets_expiring_thread` |
//! | 2 | job → list, new thread   | [`submit`]              | a spawn; at its failure 5                      | `blocking_queue::submit_meets_expiring_thread` |
//! | 3 | job → list, at the cap   | [`submit`]              | nothing: every busy thread looks again         | `blocking_queue::submit_at_the_cap_meets_thread_going_idle` |
//! | 4 | idle → retired           | [`work`]                | only with an empty list, under the lock        | `blocking_queue::shutdown_meets_submit_and_idle_exit` |
//! | 5 | starting → failed        | [`submit`]              | the own job back if nobody is live; if nobody is starting either, the rest of the list is cancelled | `blocking_queue::failed_spawns_strand_no_job` |
//! | 6 | open → closed            | [`close`]               | cancels the list, wakes everybody              | `blocking_queue::shutdown_meets_submit_and_idle_exit` |
//!
//! # Orderings
//! Everything is published by the one mutex. The one atomic, `news`, publishes nothing: who sees it change takes the
//! mutex and looks, and who misses it waits no longer than it looks out.
//!
//! # Why a job cannot be stranded
//! Let *in flight* be the idle threads that look out for news, were notified, or whose wait ran out, and have not got
//! the lock yet: each looks at the list first. After every transition: in flight ≥ min(jobs, idle).
//! - A submit that finds jobs < idle adds a job and a notification. If nobody was left to notify, all idle
//!   threads are in flight already.
//! - A submit that finds jobs ≥ idle changes neither side: all idle threads are in flight.
//! - A thread in flight that takes a job lowers all three; one that finds none, or a busy thread that goes
//!   idle, does so with an empty list, where the right side is 0.
//!
//! So a job waits only behind threads that are live and will look. What remains is a list with no live
//! thread: a thread retires only from an empty list (4), and a spawn that fails takes its job back (5).
//! The trap is the job that was accepted *because* the cap was reached by threads that were still starting:
//! if all of these fail, its submitter has long gone with `Ok`. The last spawn to fail therefore cancels
//! what is listed, and the handle of each job resolves.
//!
//! # Rejected
//! - Spawning under the lock: no trap as above, but thread names and hooks are user code, and a slow
//!   `clone` would stop every thread of the pool.
//! - An idle count that the submitter lowers for the thread it wakes: expiry, shutdown and submit then all
//!   write it, and each pair of them is a race about who lowers it.
//! - Every idle thread looks out for news: after a burst they would take the cores from those who have work. Only one
//!   that finds no other idle does.
//! - Sharded lists: each shard needs the argument above, and stealing between shards breaks it.
//!
//! [`submit`]: BlockingQueue::submit
//! [`arrive`]: BlockingQueue::arrive
//! [`work`]: BlockingQueue::work
//! [`leave`]: BlockingQueue::leave
//! [`close`]: BlockingQueue::close

mod state;
mod submit;

use crate::sync::{AtomicUsize, Condvar, Mutex, MutexGuard, Ordering};
use state::BlockingState;
use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

pub use submit::SubmitError;

/// What the queue asks of its surroundings, always without its lock held. None of it may unwind.
pub trait Outside<J> {
    /// Runs `job` on this thread.
    fn run(&self, job: J);
    /// Disposes of `job`, which will not run.
    fn cancel(&self, job: J);
}

/// A thread's place in the pool, from the decision to spawn it until it is gone.
#[derive(Debug)]
#[must_use = "the pool counts a thread until its seat is given to `leave`"]
pub struct Seat(SeatStage);

#[derive(Debug, PartialEq)]
enum SeatStage {
    Starting,
    Live,
    Retired,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockingCounts {
    /// Threads that exist or are being spawned.
    pub threads: usize,
    /// Threads whose spawn is under way.
    pub starting: usize,
    /// Threads that wait for a job.
    pub idle: usize,
    /// Threads that run a job.
    pub busy: usize,
    /// Jobs that no thread has taken yet.
    pub queued: usize,
    /// Spawns that failed since the pool was made.
    pub spawn_failures: u64,
}

/// Jobs on their way to threads.
#[derive(Debug)]
pub struct BlockingQueue<J> {
    state: Mutex<BlockingState<J>>,
    /// Idle threads wait here for a job or the close.
    work: Condvar,
    /// Another number after each listed job, and after the close. Written under the lock.
    news: AtomicUsize,
    /// Whoever shuts down waits here until no thread is left.
    gone: Condvar,
    threads_max: usize,
    jobs_max: usize,
}

impl<J> BlockingQueue<J> {
    /// At most `threads_max` threads (at least one) run jobs; `queue_max` further jobs may wait.
    pub fn new(threads_max: usize, queue_max: usize) -> Self {
        let threads_max = threads_max.max(1);
        Self {
            state: Mutex::new(BlockingState::default()),
            work: Condvar::new(),
            news: AtomicUsize::new(0),
            gone: Condvar::new(),
            threads_max,
            jobs_max: threads_max.saturating_add(queue_max),
        }
    }

    /// New thread, first of all: from here on its spawn has not failed.
    pub fn arrive(&self, seat: &mut Seat) {
        if seat.0 == SeatStage::Starting {
            let mut state = self.state.lock();
            state.starting -= 1;
            state.live += 1;
            state.check(self.threads_max);
            seat.0 = SeatStage::Live;
        }
    }

    /// Live thread. Runs jobs until the queue is closed or an idle time has run out; the seat is retired then.
    ///
    /// `go_idle` is called at the start of each idle time and returns its clock: how long to wait still, or
    /// `None` when it has run out. Both are called under the lock. Before the wait, if no other thread is idle,
    /// `look_out` may spend some time, without the lock, until the question that it is given is answered by true:
    /// there is news. It must not unwind.
    pub fn work<C: FnMut() -> Option<Duration>>(
        &self,
        seat: &mut Seat,
        mut go_idle: impl FnMut() -> C,
        mut look_out: impl FnMut(&dyn Fn() -> bool),
        outside: &impl Outside<J>,
    ) {
        if seat.0 != SeatStage::Live {
            return;
        }
        let mut state = self.state.lock();
        let mut expired = false;
        loop {
            if let Some(listed) = state.jobs.pop_front() {
                expired = false;
                state = self.run(state, listed.job, outside);
            } else if state.closed || expired {
                break;
            } else {
                (state, expired) = self.idle(state, go_idle(), &mut look_out);
            }
        }
        state.live -= 1;
        state.check(self.threads_max);
        seat.0 = SeatStage::Retired;
    }

    fn run<'a>(
        &'a self,
        mut state: MutexGuard<'a, BlockingState<J>>,
        job: J,
        outside: &impl Outside<J>,
    ) -> MutexGuard<'a, BlockingState<J>> {
        state.busy += 1;
        state.check(self.threads_max);
        drop(state);
        outside.run(job);
        let mut state = self.state.lock();
        state.busy -= 1;
        state
    }

    /// Waits for a job or the close; the flag says that the clock ran out.
    fn idle<'a>(
        &'a self,
        mut state: MutexGuard<'a, BlockingState<J>>,
        mut clock: impl FnMut() -> Option<Duration>,
        look_out: &mut impl FnMut(&dyn Fn() -> bool),
    ) -> (MutexGuard<'a, BlockingState<J>>, bool) {
        let mut expired = false;
        state.idle += 1;
        if state.idle == 1 {
            let seen = self.news();
            drop(state);
            look_out(&|| self.news() != seen);
            state = self.state.lock();
        }
        while state.jobs.is_empty() && !state.closed && !expired {
            state = match clock() {
                // Whether the time has run out is the clock's business: a wait may also return early.
                Some(time) => self.work.wait_timeout(state, time).0,
                // The lock is let go as at the end of a wait, also by a clock that never lets it wait:
                // this is how the models script an expiry.
                None => {
                    expired = true;
                    drop(state);
                    self.state.lock()
                }
            };
        }
        state.idle -= 1;
        (state, expired)
    }

    fn news(&self) -> usize {
        // ordering: Relaxed: a hint to take the lock and look.
        self.news.load(Ordering::Relaxed)
    }

    /// Holder of the lock, who has listed a job or closed the queue.
    fn spread_news(&self) {
        // ordering: Relaxed: a hint; writers are in the order of the lock.
        self.news.store(self.news().wrapping_add(1), Ordering::Relaxed);
    }

    /// Own thread, last of all: the pool no longer counts it.
    pub fn leave(&self, seat: Seat, outside: &impl Outside<J>) {
        let mut state = self.state.lock();
        let mut stranded = VecDeque::new();
        match seat.0 {
            SeatStage::Retired => {}
            // A thread that could not work: nobody may be left for the list.
            SeatStage::Starting | SeatStage::Live => {
                let count = if seat.0 == SeatStage::Live { &mut state.live } else { &mut state.starting };
                *count -= 1;
                stranded = state.take_stranded();
            }
        }
        self.thread_gone(state);
        stranded.into_iter().for_each(|stranded| outside.cancel(stranded.job));
    }

    fn thread_gone(&self, mut state: MutexGuard<'_, BlockingState<J>>) {
        state.threads -= 1;
        state.check(self.threads_max);
        let last = state.threads == 0;
        drop(state);
        if last {
            self.gone.notify_all();
        }
    }

    /// Any thread. Refuses further jobs and cancels those that no thread has taken; returns how many.
    /// Idle threads retire. A second call finds nothing to cancel.
    pub fn close(&self, outside: &impl Outside<J>) -> usize {
        let mut state = self.state.lock();
        state.closed = true;
        let listed = mem::take(&mut state.jobs);
        self.spread_news();
        state.check(self.threads_max);
        drop(state);
        self.work.notify_all();
        let cancelled = listed.len();
        listed.into_iter().for_each(|unstarted| outside.cancel(unstarted.job));
        cancelled
    }

    /// Any thread that is not the pool's own. Waits until every thread is gone, or until `clock` says
    /// `None`; returns what is left.
    pub fn wait_until_gone(&self, mut clock: impl FnMut() -> Option<Duration>) -> BlockingCounts {
        let mut state = self.state.lock();
        while state.threads > 0 {
            let Some(time) = clock() else { break };
            state = self.gone.wait_timeout(state, time).0;
        }
        state.counts()
    }

    /// Any thread. The counts; out of date when they are returned.
    pub fn counts(&self) -> BlockingCounts {
        self.state.lock().counts()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
