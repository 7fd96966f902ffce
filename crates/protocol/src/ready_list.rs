//! Which of many futures that one task polls are ready to be polled, and the waker of that task.
//!
//! Each future has a number and a waker that puts the number on the list. A number is on the list at most
//! once between two takings; the one task is woken when the list becomes non-empty.
//!
//! # Orderings
//! All under the lock. Wakers are taken out of it and called after.
//!
//! # The hard race
//! A number is put on the list after the task has found the list empty and before it left its waker. Both
//! are one step under the lock: [`ReadyList::take_or_wait`].
//!
//! # Checked by
//! The models `ready_list::*`.

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

    /// Any thread: the waker of future `number`. Each number is pushed by one waker, which does so once until
    /// the number is taken.
    pub fn push(&self, number: usize) {
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
    pub fn take_or_wait(&self, waker: &Waker) -> Option<usize> {
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
    pub fn take(&self) -> Option<usize> {
        self.state.lock().ready.pop_front()
    }
}
