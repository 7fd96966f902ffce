//! What the lock protects: jobs and counts, with the decisions that rest on them alone.

use super::BlockingCounts;
use std::collections::VecDeque;
use std::mem;

#[derive(Debug)]
pub(super) struct Ticketed<J> {
    pub(super) ticket: u64,
    pub(super) job: J,
}

#[derive(Debug)]
pub(super) struct BlockingState<J> {
    pub(super) jobs: VecDeque<Ticketed<J>>,
    pub(super) ticket_next: u64,
    pub(super) closed: bool,
    pub(super) threads: usize,
    /// A spawn is under way.
    pub(super) starting: bool,
    pub(super) live: usize,
    pub(super) idle: usize,
    /// Idle threads were called, or one looks out, and no idle thread has had the lock since.
    pub(super) called: bool,
    pub(super) busy: usize,
    pub(super) spawn_failures: u64,
}

/// A thread that hands on calls so many idle ones at most, so that many jobs get theirs by a tree of calls and not by a chain,
/// of which on a busy machine each link waits for its turn.
const CALLS_MAX: usize = 2;

/// What has to happen so that what is listed gets a thread.
pub(super) enum Staffing {
    /// So many of them.
    CallIdle(usize),
    Spawn,
    AlreadyDue,
}

impl<J> Default for BlockingState<J> {
    fn default() -> Self {
        Self {
            jobs: VecDeque::new(),
            ticket_next: 0,
            closed: false,
            threads: 0,
            starting: false,
            live: 0,
            idle: 0,
            called: false,
            busy: 0,
            spawn_failures: 0,
        }
    }
}

impl<J> BlockingState<J> {
    pub(super) fn next_ticket(&mut self) -> u64 {
        self.ticket_next += 1;
        self.ticket_next
    }

    /// Jobs are bounded as a whole, running or not: `threads_max` may run, `queue_max` may wait.
    pub(super) fn has_room(&self, jobs_max: usize) -> bool {
        self.jobs.len() + self.busy < jobs_max
    }

    /// Puts more threads on the way if jobs are listed and nobody is; the caller calls them, or spawns one.
    pub(super) fn staff(&mut self, threads_max: usize) -> Staffing {
        if self.jobs.is_empty() || self.called {
            Staffing::AlreadyDue
        } else if self.idle > 0 {
            self.called = true;
            Staffing::CallIdle(CALLS_MAX.min(self.idle).min(self.jobs.len()))
        } else if !self.starting && self.jobs.len() > self.live - self.busy && self.live < threads_max {
            // With nobody idle, who is not busy is fresh.
            self.starting = true;
            self.threads += 1;
            Staffing::Spawn
        } else {
            Staffing::AlreadyDue
        }
    }

    /// Removes a job from the list, if it is still there.
    pub(super) fn reclaim(&mut self, ticket: u64) -> Option<J> {
        let index = self.jobs.iter().rposition(|listed| listed.ticket == ticket)?;
        self.jobs.remove(index).map(|listed| listed.job)
    }

    /// The jobs that were accepted in the hope of a thread that never came.
    pub(super) fn take_stranded(&mut self) -> VecDeque<Ticketed<J>> {
        if self.live == 0 && !self.starting { mem::take(&mut self.jobs) } else { VecDeque::new() }
    }

    pub(super) fn counts(&self) -> BlockingCounts {
        BlockingCounts {
            threads: self.threads,
            starting: usize::from(self.starting),
            idle: self.idle,
            busy: self.busy,
            queued: self.jobs.len(),
            spawn_failures: self.spawn_failures,
        }
    }

    /// What holds whenever the lock is free.
    pub(super) fn check(&self, threads_max: usize) {
        let coming = self.live + usize::from(self.starting);
        debug_assert!(coming <= threads_max, "more threads than the cap");
        debug_assert!(self.idle + self.busy <= self.live, "a thread in two states");
        debug_assert!(coming <= self.threads, "a thread not counted");
        debug_assert!(self.idle > 0 || !self.called, "nobody can have been called");
        debug_assert!(self.jobs.is_empty() || coming > 0, "a stranded job");
        debug_assert!(self.jobs.is_empty() || self.idle == 0 || self.called, "an idle thread not called");
        debug_assert!(!self.closed || self.jobs.is_empty(), "a job listed after the close");
    }
}
