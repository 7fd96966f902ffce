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
    pub(super) starting: usize,
    pub(super) live: usize,
    pub(super) idle: usize,
    pub(super) busy: usize,
    pub(super) spawn_failures: u64,
}

/// What has to happen so that a listed job gets a thread.
pub(super) enum Staffing {
    NotifyIdle,
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
            starting: 0,
            live: 0,
            idle: 0,
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

    /// Who takes the job that was just listed.
    pub(super) fn staffing(&self, threads_max: usize) -> Staffing {
        if self.jobs.len() <= self.idle {
            Staffing::NotifyIdle
        } else if self.jobs.len() > self.idle + self.starting && self.starting + self.live < threads_max {
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
        if self.live + self.starting == 0 { mem::take(&mut self.jobs) } else { VecDeque::new() }
    }

    pub(super) fn counts(&self) -> BlockingCounts {
        BlockingCounts {
            threads: self.threads,
            starting: self.starting,
            idle: self.idle,
            busy: self.busy,
            queued: self.jobs.len(),
            spawn_failures: self.spawn_failures,
        }
    }

    /// What holds whenever the lock is free.
    pub(super) fn check(&self, threads_max: usize) {
        debug_assert!(self.starting + self.live <= threads_max, "more threads than the cap");
        debug_assert!(self.idle + self.busy <= self.live, "a thread in two states");
        debug_assert!(self.starting + self.live <= self.threads, "a thread not counted");
        debug_assert!(self.jobs.is_empty() || self.starting + self.live > 0, "a stranded job");
        debug_assert!(!self.closed || self.jobs.is_empty(), "a job listed after the close");
    }
}
