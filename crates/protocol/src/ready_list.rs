//! Which of many futures that one task polls are ready to be polled, and the waker of that task.
//!
//! Each future has a number and a waker that puts the number on the list, unless its [`Listing`] says that it is
//! there. The one task is woken when the list becomes non-empty.
//!
//! # Orderings
//! All under the lock, but for the mark of a listing, which is a [`Flag`] with its edge G1: a wake that finds the
//! number listed leaves the rest to the poll that is to come. Wakers are taken out of the lock and called after.
//!
//! # The hard races
//! A number is put on the list after the task has found the list empty and before it left its waker. Both
//! are one step under the lock: `ReadyList::take_or_wait`.
//!
//! A future is woken while it is polled. The mark is lowered before the poll, so such a wake lists it again.
//!
//! # Checked by
//! The models `ready_list::*`.

use crate::flag::Flag;
use crate::sync::Mutex;
use std::collections::VecDeque;
use std::task::Waker;

/// The list.
#[derive(Debug)]
pub struct ReadyList {
    state: Mutex<ReadyState>,
}

#[derive(Debug)]
struct ReadyState {
    ready: VecDeque<usize>,
    waker: Option<Waker>,
}

/// The number of one future, and whether it is on the list.
#[derive(Debug)]
pub struct Listing {
    number: usize,
    is_listed: Flag,
}

impl Listing {
    /// Of a future that is not on the list.
    pub fn new(number: usize) -> Self {
        Self { number, is_listed: Flag::new(false) }
    }

    /// The one task, which has taken the number and polls the future next: what wakes it from now on lists it
    /// again. False: there is nothing to poll for; a future that had the number before was listed under it.
    #[must_use]
    pub fn start_poll(&self) -> bool {
        self.is_listed.lower()
    }
}

impl Default for ReadyList {
    fn default() -> Self {
        Self::new()
    }
}

impl ReadyList {
    /// An empty list.
    pub fn new() -> Self {
        Self { state: Mutex::new(ReadyState { ready: VecDeque::new(), waker: None }) }
    }

    /// Any thread: the waker of a future.
    pub fn wake(&self, listing: &Listing) {
        if listing.is_listed.raise() {
            self.push(listing.number);
        }
    }

    /// The one task. Calls `poll` with each number on the list, the one that has waited longest first, until it
    /// gives something. When the list is empty, `waker` is left for the next wake, if there is one to leave.
    pub fn poll_listed<R>(
        &self,
        waker: Option<&Waker>,
        mut poll: impl FnMut(usize) -> Option<R>,
    ) -> Option<R> {
        loop {
            let number = match (self.take(), waker) {
                (Some(number), _) => number,
                (None, Some(waker)) => self.take_or_wait(waker)?,
                (None, None) => return None,
            };
            if let Some(found) = poll(number) {
                return Some(found);
            }
        }
    }

    /// Any thread, once for each number until it is polled.
    fn push(&self, number: usize) {
        let waker = {
            let mut state = self.state.lock();
            state.ready.push_back(number);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The one task. Takes the number that has waited longest, or leaves its waker.
    fn take_or_wait(&self, waker: &Waker) -> Option<usize> {
        let ours = waker.clone();
        let replaced = {
            let mut state = self.state.lock();
            if let Some(number) = state.ready.pop_front() {
                return Some(number);
            }
            state.waker.replace(ours)
        };
        drop(replaced);
        None
    }

    /// The one task. Takes a number if there is one.
    fn take(&self) -> Option<usize> {
        self.state.lock().ready.pop_front()
    }
}
