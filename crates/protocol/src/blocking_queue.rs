//! Which thread runs a blocking job: the idle one, a new one, or the next that is done.
//!
//! One mutex over plain counts and one list of jobs. The surroundings spawn threads and run jobs; here it
//! is decided who does, so that no job that was accepted is ever left without a thread that will look at
//! it. Spawning, running, cancelling and waking happen without the lock.
//!
//! Nobody calls an idle thread or starts a new one while one is on its way. That one sees to the next before it runs its job,
//! to two of them if they are idle: jobs that block get a thread each, by a tree of calls or a chain of starts, and many short
//! ones are done by the threads that are awake.
//!
//! # States of a thread
//! | state    | counted in     | meaning                                   | left by                             |
//! |----------|----------------|-------------------------------------------|-------------------------------------|
//! | starting | `starting`     | the spawn is under way and may still fail | [`arrive`], or the spawn's error    |
//! | fresh    | `live`         | has arrived, runs its start hook          | its first look at the list          |
//! | idle     | `live`, `idle` | looks out for `news`, or waits on `work`  | a job, expiry, close                |
//! | busy     | `live`, `busy` | runs a job                                | the end of the job: looks again     |
//! | retired  | none           | takes no more jobs, runs its stop hook    | [`leave`]                           |
//!
//! `threads` counts all of them from before the spawn until [`leave`]; `live`, and the one that is starting, are what the
//! cap bounds. `idle` and `busy` are written by the thread they describe and by nobody else, up and down in
//! pairs, so neither can go below zero.
//!
//! `called` is set by who decides to notify an idle thread, and by an idle thread that looks out. Every idle thread
//! that gets the lock clears it, whether it was the one that was meant or not.
//!
//! # Transitions
//! Whoever lists a job, arrives, or takes a job *hands on* under the same lock: if jobs are listed, it calls idle
//! threads, two at most, unless `called`; with nobody idle it starts one, unless one is starting, the cap is reached or the fresh
//! threads are as many as the jobs.
//!
//! | # | transition               | performed by            | owes                                           | model |
//! |---|--------------------------|-------------------------|------------------------------------------------|-------|
//! | 1 | job → list               | [`submit`]              | to hand on: notifications, or a spawn          | `blocking_queue::submit_meets_expiring_thread` |
//! | 2 | starting → fresh         | [`arrive`]              | to hand on, before its start hook              | `blocking_queue::a_thread_that_starts_starts_the_next` |
//! | 3 | fresh, idle, busy → busy | [`work`]                | to hand on, before it runs the job             | `blocking_queue::a_called_thread_calls_the_next` |
//! | 4 | busy → idle              | [`work`]                | only with an empty list, under the lock        | `blocking_queue::submit_at_the_cap_meets_thread_going_idle` |
//! | 5 | idle → retired           | [`work`]                | only with an empty list, under the lock        | `blocking_queue::a_job_is_handed_on_past_a_thread_that_expires` |
//! | 6 | starting → failed        | [`submit`]              | the own job back if nobody is live, and the rest of the list is cancelled | `blocking_queue::failed_spawns_strand_no_job` |
//! | 7 | starting → failed        | [`arrive`], [`work`]    | nothing: this thread is live and will look     | `blocking_queue::a_thread_that_cannot_start_the_next_runs_its_job_too` |
//! | 8 | open → closed            | [`close`]               | cancels the list, wakes everybody              | `blocking_queue::a_spawn_that_is_handed_on_meets_the_close` |
//!
//! # Orderings
//! Everything is published by the one mutex. The one atomic, `news`, publishes nothing: who sees it change takes the
//! mutex and looks, and who misses it waits no longer than it looks out.
//!
//! # Why a job cannot be stranded
//! *`called` means that an idle thread will look.* When it is set somebody is idle, and none of those idle then has had
//! the lock since. One that looks out takes the lock when that ends. Else a notification follows, and until then no
//! lock is taken and no code of others run: it ends the wait of one of those who wait; if nobody waits any more, all who were
//! idle are on their way to the lock. One who got the lock and found nothing has cleared it, so the next job calls
//! anew. It may be cleared too early, by a thread whose time ran out while another was called: that costs a call too many.
//!
//! After every transition:
//! 1. Jobs listed and somebody idle: `called`. A thread goes idle with an empty list only; whoever lists hands on; whoever
//!    clears it looks, and either takes a job and hands on, or finds none.
//! 2. More jobs than fresh threads, nobody idle, below the cap: one is starting. Only a job that is listed (1), a thread
//!    that arrives (2) and an idle one that takes a job (3) can bring this about, and each hands on. A fresh thread lowers
//!    both sides with its job; threads retire from an empty list.
//! 3. Jobs listed: somebody is live or starting.
//!
//! The exceptions to 2 are a spawn that failed, a fresh thread that could not work, and one whose start hook itself waits for a
//! job. The jobs then wait behind
//! threads that are live; each of these that takes a job, and each submit, tries again. A thread that could not
//! work does not: the next would fail as it did, without end.
//!
//! So a job waits for a called thread, for one that starts, for as many fresh ones as there are jobs, or, at the cap and
//! after a failure, for a busy one, which looks when its job is done. What remains is a list with no live
//! thread: a thread retires only from an empty list (5), and a spawn that fails takes its job back (6).
//! The trap is the job that was accepted *because* a thread was starting: if that fails, its submitter has
//! long gone with `Ok`. The spawn that fails therefore cancels what is listed, and the handle of each job resolves.
//!
//! # Rejected
//! - One call by each thread that hands on: of 64 jobs that sleep the last began after tens of milliseconds where other programs
//!   want the cores, since each link of the chain waited for its turn.
//! - A call or a spawn for each job: a batch of short ones pays for each with a system call and a switch of threads,
//!   which cost some fifty times what the job does.
//! - Spawning under the lock: no trap as above, but thread names and hooks are user code, and a slow
//!   `clone` would stop every thread of the pool.
//! - An idle count that the submitter lowers for the thread it wakes: expiry, shutdown and submit then all
//!   write it, and each pair of them is a race about who lowers it.
//! - A thread that hands on after its start hook: hooks that take long, or wait for each other, would do so in turn.
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

    /// New thread, first of all: from here on its spawn has not failed. `spawn` is as in [`work`](Self::work).
    pub fn arrive<E>(&self, seat: &mut Seat, spawn: impl FnOnce(Seat) -> Result<(), E>) {
        if seat.0 == SeatStage::Starting {
            let mut state = self.state.lock();
            state.starting = false;
            state.live += 1;
            seat.0 = SeatStage::Live;
            self.hand_on(state, spawn);
        }
    }

    /// Live thread. Runs jobs until the queue is closed or an idle time has run out; the seat is retired then.
    ///
    /// `go_idle` is called at the start of each idle time and returns its clock: how long to wait still, or
    /// `None` when it has run out. Both are called under the lock. Before the wait, if no other thread is idle,
    /// `look_out` may spend some time, without the lock, until the question that it is given is answered by true:
    /// there is news. Before each job, if more are listed, `spawn` may be called, without the lock, as in
    /// [`submit`](Self::submit). Neither may unwind.
    pub fn work<C: FnMut() -> Option<Duration>, E>(
        &self,
        seat: &mut Seat,
        mut go_idle: impl FnMut() -> C,
        mut look_out: impl FnMut(&dyn Fn() -> bool),
        spawn: impl Fn(Seat) -> Result<(), E>,
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
                state = self.run(state, listed.job, &spawn, outside);
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

    fn run<'a, E>(
        &'a self,
        mut state: MutexGuard<'a, BlockingState<J>>,
        job: J,
        spawn: impl FnOnce(Seat) -> Result<(), E>,
        outside: &impl Outside<J>,
    ) -> MutexGuard<'a, BlockingState<J>> {
        state.busy += 1;
        // Before the job, which may take for ever.
        self.hand_on(state, spawn);
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
            // It will look at the list as one that was called does.
            state.called = true;
            let seen = self.news();
            drop(state);
            look_out(&|| self.news() != seen);
            state = self.state.lock();
            state.called = false;
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
            state.called = false;
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
            // Threads that could not work: nobody may be left for the list.
            SeatStage::Starting => {
                state.starting = false;
                stranded = state.take_stranded();
            }
            SeatStage::Live => {
                state.live -= 1;
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
