//! A job comes in: who will run it, and what becomes of it if no thread can be started.

use super::state::{BlockingState, Staffing, Ticketed};
use super::{BlockingQueue, Outside, Seat, SeatStage};
use crate::sync::MutexGuard;
use std::fmt;

/// Why a job was not accepted; it gives the job back.
pub enum SubmitError<J, E = std::io::Error> {
    /// The pool was shut down.
    ShutDown(J),
    /// As many jobs wait and run as the pool takes.
    QueueFull(J),
    /// There is no thread, and none could be started.
    ThreadSpawn(E, J),
}

impl<J, E> SubmitError<J, E> {
    /// The job that was not accepted.
    pub fn into_job(self) -> J {
        match self {
            Self::ShutDown(job) | Self::QueueFull(job) | Self::ThreadSpawn(_, job) => job,
        }
    }
}

impl<J, E: fmt::Debug> fmt::Debug for SubmitError<J, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShutDown(_) => f.write_str("ShutDown"),
            Self::QueueFull(_) => f.write_str("QueueFull"),
            Self::ThreadSpawn(error, _) => f.debug_tuple("ThreadSpawn").field(error).finish(),
        }
    }
}

impl<J, E: fmt::Display> fmt::Display for SubmitError<J, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShutDown(_) => f.write_str("the blocking pool is shut down"),
            Self::QueueFull(_) => f.write_str("the queue of the blocking pool is full"),
            Self::ThreadSpawn(error, _) => {
                write!(f, "no thread for a blocking job could be started: {error}")
            }
        }
    }
}

impl<J, E: std::error::Error + 'static> std::error::Error for SubmitError<J, E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::ThreadSpawn(error, _) => Some(error),
            Self::ShutDown(_) | Self::QueueFull(_) => None,
        }
    }
}

impl<J> BlockingQueue<J> {
    /// Any thread. Accepts `job`. `spawn` is called, at most once, if it takes a new thread; that thread
    /// must give the seat to [`arrive`](Self::arrive). `spawn` must not unwind.
    ///
    /// # Errors
    /// If the queue is closed or full, or if there is no thread and `spawn` failed.
    pub fn submit<E>(
        &self,
        job: J,
        spawn: impl FnOnce(Seat) -> Result<(), E>,
        outside: &impl Outside<J>,
    ) -> Result<(), SubmitError<J, E>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(SubmitError::ShutDown(job));
        }
        if !state.has_room(self.jobs_max) {
            return Err(SubmitError::QueueFull(job));
        }
        let ticket = state.next_ticket();
        state.jobs.push_back(Ticketed { ticket, job });
        self.spread_news();
        self.staff(state, spawn).or_else(|error| self.spawn_failed(ticket, error, outside))
    }

    /// Live thread, after it has arrived or taken a job. Hands on what is still listed.
    pub(super) fn hand_on<E>(
        &self,
        state: MutexGuard<'_, BlockingState<J>>,
        spawn: impl FnOnce(Seat) -> Result<(), E>,
    ) {
        if self.staff(state, spawn).is_err() {
            // What is listed waits for this thread, and whoever looks at the list next tries again.
            self.thread_gone(self.lock_after_failed_spawn());
        }
    }

    /// Calls or spawns threads, if any are needed. An error is the caller's to settle.
    fn staff<E>(
        &self,
        mut state: MutexGuard<'_, BlockingState<J>>,
        spawn: impl FnOnce(Seat) -> Result<(), E>,
    ) -> Result<(), E> {
        let staffing = state.staff(self.threads_max);
        state.check(self.threads_max);
        drop(state);
        match staffing {
            Staffing::AlreadyDue => Ok(()),
            Staffing::CallIdle(count) => {
                (0..count).for_each(|_| self.work.notify_one());
                Ok(())
            }
            Staffing::Spawn => spawn(Seat(SeatStage::Starting)),
        }
    }

    fn lock_after_failed_spawn(&self) -> MutexGuard<'_, BlockingState<J>> {
        let mut state = self.state.lock();
        state.starting = false;
        state.spawn_failures += 1;
        state
    }

    /// Takes the job of `ticket` back unless a live thread is there to run it.
    #[cold]
    fn spawn_failed<E>(
        &self,
        ticket: u64,
        error: E,
        outside: &impl Outside<J>,
    ) -> Result<(), SubmitError<J, E>> {
        let mut state = self.lock_after_failed_spawn();
        let own = if state.live == 0 { state.reclaim(ticket) } else { None };
        let stranded = state.take_stranded();
        self.thread_gone(state);
        stranded.into_iter().for_each(|stranded| outside.cancel(stranded.job));
        match own {
            Some(job) => Err(SubmitError::ThreadSpawn(error, job)),
            // It is listed and a live thread will look; or one took it; or the close cancelled it.
            None => Ok(()),
        }
    }
}
