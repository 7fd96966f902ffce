//! Back-pressure for callers that can wait: room first, then the job.

use super::{BlockingPool, Job, PoolClosed, SubmitError};
use crate::coop;
use shopfloor_protocol::blocking_queue::{RoomReservation, RoomTicket};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The future of [`BlockingPool::reserve`]. Those who wait are served in the order of their first poll.
#[must_use = "futures do nothing unless they are polled"]
pub struct Reserve<'a, J: Job> {
    pool: &'a BlockingPool<J>,
    /// The place in line, from the first `Pending` on.
    ticket: Option<RoomTicket>,
}

impl<'a, J: Job> Reserve<'a, J> {
    pub(super) fn new(pool: &'a BlockingPool<J>) -> Self {
        Self { pool, ticket: None }
    }
}

impl<'a, J: Job> Future for Reserve<'a, J> {
    type Output = Result<Permit<'a, J>, PoolClosed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unit = ready!(coop::poll_proceed(cx));
        let pool = self.pool;
        let reserved = ready!(pool.queue.poll_reserve(&mut self.ticket, cx.waker().clone()));
        unit.made_progress();
        Poll::Ready(reserved.map(|room| Permit { pool, room: Some(room) }))
    }
}

impl<J: Job> Drop for Reserve<'_, J> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.pool.queue.stop_waiting(ticket, &self.pool.contained());
        }
    }
}

impl<J: Job> std::fmt::Debug for Reserve<'_, J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reserve").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

/// Room for one job. Dropping it gives the room to the next who waits.
#[must_use = "the room is given up when this is dropped"]
pub struct Permit<'a, J: Job> {
    pool: &'a BlockingPool<J>,
    /// `None` once it is used.
    room: Option<RoomReservation>,
}

impl<J: Job> Permit<'_, J> {
    /// As [`BlockingPool::submit`], but never [`SubmitError::QueueFull`].
    ///
    /// # Errors
    /// Each gives the job back: the pool was shut down; there is no thread and none could be started.
    pub fn submit(mut self, job: J) -> Result<(), SubmitError<J>> {
        match self.room.take() {
            Some(room) => {
                let pool = self.pool;
                pool.queue.submit_reserved(room, job, |seat| pool.spawn(seat), &pool.contained())
            }
            None => self.pool.submit(job),
        }
    }
}

impl<J: Job> Drop for Permit<'_, J> {
    fn drop(&mut self) {
        if let Some(room) = self.room.take() {
            self.pool.queue.release(room, &self.pool.contained());
        }
    }
}

impl<J: Job> std::fmt::Debug for Permit<'_, J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
