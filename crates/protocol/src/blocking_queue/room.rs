//! Back-pressure: room for one job is reserved before the job is made, first come, first served.
//!
//! While somebody is in line there is no room, since whoever makes room gives it to the first in line under
//! the same lock. So nobody can be overtaken, and a plain `submit` needs no look at the line.

use super::state::BlockingState;
use super::{BlockingQueue, Outside};
use crate::sync::MutexGuard;
use std::collections::VecDeque;
use std::mem;
use std::task::{Poll, Waker};

/// The queue was closed: there will be no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolClosed;

/// Room for one job, kept free until it is used or given up.
#[derive(Debug)]
#[must_use = "room that is neither used nor given up is lost to everybody"]
pub struct RoomReservation(pub(super) ());

/// A place in the line for room.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a place in line that is forgotten keeps room from everybody behind it"]
pub struct RoomTicket(u64);

/// Who waits for room, in the order of arrival. Whoever is no longer listed has been given room.
#[derive(Debug, Default)]
pub(super) struct RoomWaiters {
    line: VecDeque<(u64, Waker)>,
    ticket_next: u64,
}

impl RoomWaiters {
    /// Joins the line.
    pub(super) fn push(&mut self, waker: Waker) -> RoomTicket {
        let ticket = self.ticket_next;
        self.ticket_next += 1;
        self.line.push_back((ticket, waker));
        RoomTicket(ticket)
    }

    /// The first in line leaves it.
    pub(super) fn pop(&mut self) -> Option<Waker> {
        self.line.pop_front().map(|(_, waker)| waker)
    }

    /// Stores another waker for `ticket` and returns the old one; `Err` returns the new one if the ticket is
    /// no longer in line.
    pub(super) fn replace(&mut self, ticket: &RoomTicket, waker: Waker) -> Result<Waker, Waker> {
        match self.position(ticket) {
            Some(index) => Ok(mem::replace(&mut self.line[index].1, waker)),
            None => Err(waker),
        }
    }

    /// Leaves the line, if still in it.
    pub(super) fn remove(&mut self, ticket: &RoomTicket) -> Option<Waker> {
        let index = self.position(ticket)?;
        self.line.remove(index).map(|(_, waker)| waker)
    }

    /// Everybody leaves.
    pub(super) fn take_all(&mut self) -> Vec<Waker> {
        self.line.drain(..).map(|(_, waker)| waker).collect()
    }

    fn position(&self, ticket: &RoomTicket) -> Option<usize> {
        // Tickets are handed out in ascending order, so the line is sorted.
        self.line.binary_search_by_key(&ticket.0, |(listed, _)| *listed).ok()
    }
}

impl<J> BlockingQueue<J> {
    /// Any thread. Room for one job, now or, first come first served, when there is some: then `waker` is
    /// woken. `ticket` is the caller's place in that line; while it is `Some` and the answer was `Pending`,
    /// it must be given to [`stop_waiting`](Self::stop_waiting) or to this function again.
    pub fn poll_reserve(
        &self,
        ticket: &mut Option<RoomTicket>,
        waker: Waker,
    ) -> Poll<Result<RoomReservation, PoolClosed>> {
        let mut state = self.state.lock();
        if state.closed {
            *ticket = None;
            drop(state);
            return Poll::Ready(Err(PoolClosed));
        }
        let unused = match ticket.take() {
            Some(waiting) => match state.waiters.replace(&waiting, waker) {
                Ok(old) => {
                    *ticket = Some(waiting);
                    old
                }
                // Not in line any more: whoever made room has reserved it for us.
                Err(unused) => unused,
            },
            None if state.has_room(self.jobs_max) => {
                state.reserved += 1;
                waker
            }
            None => {
                *ticket = Some(state.waiters.push(waker));
                return Poll::Pending;
            }
        };
        // Dropping a waker is user code.
        drop(state);
        drop(unused);
        if ticket.is_some() { Poll::Pending } else { Poll::Ready(Ok(RoomReservation(()))) }
    }

    /// Any thread. Leaves the line; room that was reserved in the meantime goes to the next.
    pub fn stop_waiting(&self, ticket: RoomTicket, outside: &impl Outside<J>) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        match state.waiters.remove(&ticket) {
            Some(waker) => {
                drop(state);
                drop(waker);
            }
            None => self.give_up(state, outside),
        }
    }

    /// Any thread. Gives room up that will not be used.
    pub fn release(&self, reservation: RoomReservation, outside: &impl Outside<J>) {
        let RoomReservation(()) = reservation;
        let state = self.state.lock();
        if !state.closed {
            self.give_up(state, outside);
        }
    }

    fn give_up(&self, mut state: MutexGuard<'_, BlockingState<J>>, outside: &impl Outside<J>) {
        state.reserved -= 1;
        let woken = state.grant_room(self.jobs_max);
        drop(state);
        woken.into_iter().for_each(|waiter| outside.wake(waiter));
    }
}
