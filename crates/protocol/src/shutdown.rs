//! The phases of a runtime's end.
//!
//! # States
//! | phase | meaning | who may leave it |
//! |---|---|---|
//! | Open | tasks are spawned and run | the one thread that wins [`Lifecycle::start_closing`] |
//! | Draining | the closer closes the rosters and aborts every task; workers run until every roster is closed and no task incomplete | the worker (or, without workers, the closer) that finds them so |
//! | Closed | no task is incomplete, workers leave | nobody |
//!
//! There is no phase between Open and Draining in which a spawn could slip through: a roster that is closed
//! refuses it under its lock ([`roster`](crate::roster)), and one that is not yet closed keeps the runtime in
//! Draining ([`RosterState::is_drained`](crate::roster::RosterState::is_drained)). Draining ends when a walk over
//! the rosters finds no incomplete task, *not* when the queues are empty: a foreign thread may have taken the obligation to
//! schedule a task and not have pushed it yet. That push wakes a worker, which walks again before it parks.
//!
//! # Transitions
//! | from → to | by | owes |
//! |---|---|---|
//! | Open → Draining | [`Lifecycle::start_closing`] | close the rosters, abort all, wake all workers |
//! | Draining → Closed | [`Lifecycle::close`] | wake all workers |
//!
//! # Orderings
//! | edge | release side | acquire side | publishes |
//! |---|---|---|---|
//! | Z1 | `start_closing`, `close` | `phase` | what the closer did before |
//!
//! A worker reads the phase in the look of [`Idle::park`](crate::idle::Idle::park), after its fence, and the
//! closer unparks every worker after it has set the phase, so nobody sleeps through it.
//!
//! # Checked by
//! The models `shutdown::*`.

use crate::sync::{AtomicU8, Condvar, Mutex, Ordering};
use std::time::Duration;

/// How far the runtime is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuntimePhase {
    /// Tasks are spawned and run.
    Open,
    /// Every task was aborted; workers run until none is incomplete.
    Draining,
    /// No task is incomplete.
    Closed,
}

/// The phase, and those who wait for its end.
#[derive(Debug)]
pub struct Lifecycle {
    phase: AtomicU8,
    waiting: Mutex<()>,
    closed: Condvar,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    /// Open.
    pub fn new() -> Self {
        Self { phase: AtomicU8::new(0), waiting: Mutex::new(()), closed: Condvar::new() }
    }

    /// Any thread.
    #[inline]
    pub fn phase(&self) -> RuntimePhase {
        // ordering: Acquire: Z1.
        match self.phase.load(Ordering::Acquire) {
            0 => RuntimePhase::Open,
            1 => RuntimePhase::Draining,
            _ => RuntimePhase::Closed,
        }
    }

    /// Any thread. Open → Draining. True for the one that did it.
    #[must_use]
    pub fn start_closing(&self) -> bool {
        // ordering: Release: Z1. Relaxed on failure: who comes second does nothing.
        self.phase.compare_exchange(0, 1, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Whoever found no incomplete task in Draining. True for the one that closed.
    pub fn close(&self) -> bool {
        // ordering: Release: Z1. Whoever calls has read Draining, which is the edge to the one who started.
        let won = self.phase.compare_exchange(1, 2, Ordering::Release, Ordering::Relaxed).is_ok();
        // The lock makes sure that a waiter has read the phase before, or waits by now.
        drop(self.waiting.lock());
        self.closed.notify_all();
        won
    }

    /// A thread that is not a worker. Waits until `done` (which may look at more than the phase), for ever or
    /// until `remaining` says that no time is left. Whoever makes `done` true calls [`notify`](Self::notify).
    pub fn wait(&self, done: impl Fn() -> bool, remaining: impl Fn() -> Option<Duration>) -> bool {
        let mut guard = self.waiting.lock();
        while !done() {
            match remaining() {
                Some(Duration::ZERO) => return false,
                Some(timeout) => guard = self.closed.wait_timeout(guard, timeout).0,
                None => guard = self.closed.wait(guard),
            }
        }
        true
    }

    /// Whoever changed what a waiter's `done` looks at.
    pub fn notify(&self) {
        drop(self.waiting.lock());
        self.closed.notify_all();
    }
}
