//! crossbeam's queues under shuttle: the real ones, each operation one step.
//!
//! What happens inside an operation is crossbeam's affair; that a thief may lose a race is shown by answers of
//! [`Steal::Retry`] that the seed chooses.

use super::backend::{ModelledTime, scheduling_point};
use crossbeam_deque::{Injector as Shared, Steal, Stealer as Thief, Worker as Own};

/// One steal in so many loses a race.
const LOST_RACES: u64 = 8;

fn try_steal<T>(steal: impl FnOnce() -> Steal<T>) -> Steal<T> {
    scheduling_point();
    if ModelledTime::below(LOST_RACES) == 0 { Steal::Retry } else { steal() }
}

/// The owner's end of a local queue.
#[derive(Debug)]
pub struct LocalQueue<T>(Own<T>);

impl<T> LocalQueue<T> {
    /// An empty queue.
    pub fn new_fifo() -> Self {
        Self(Own::new_fifo())
    }

    /// A thief's end.
    pub fn stealer(&self) -> Stealer<T> {
        Stealer(self.0.stealer())
    }

    /// Adds an item.
    pub fn push(&self, item: T) {
        scheduling_point();
        self.0.push(item);
    }

    /// Takes the oldest item.
    pub fn pop(&self) -> Option<T> {
        scheduling_point();
        self.0.pop()
    }

    /// Whether it was empty when looked at.
    pub fn is_empty(&self) -> bool {
        scheduling_point();
        self.0.is_empty()
    }

    /// How many items it held when looked at.
    pub fn len(&self) -> usize {
        scheduling_point();
        self.0.len()
    }
}

/// A thief's end of a local queue.
#[derive(Debug)]
pub struct Stealer<T>(Thief<T>);

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Stealer<T> {
    /// Takes one item.
    pub fn steal(&self) -> Steal<T> {
        try_steal(|| self.0.steal())
    }

    /// Takes about half of the items, and one of them at once.
    pub fn steal_batch_and_pop(&self, into: &LocalQueue<T>) -> Steal<T> {
        try_steal(|| self.0.steal_batch_and_pop(&into.0))
    }

    /// Whether it was empty when looked at.
    pub fn is_empty(&self) -> bool {
        scheduling_point();
        self.0.is_empty()
    }

    /// How many items it held when looked at.
    pub fn len(&self) -> usize {
        scheduling_point();
        self.0.len()
    }
}

/// A queue that any thread pushes to and takes from.
#[derive(Debug)]
pub struct Injector<T>(Shared<T>);

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Injector<T> {
    /// An empty queue.
    pub fn new() -> Self {
        Self(Shared::new())
    }

    /// Adds an item.
    pub fn push(&self, item: T) {
        scheduling_point();
        self.0.push(item);
    }

    /// Takes one item.
    pub fn steal(&self) -> Steal<T> {
        try_steal(|| self.0.steal())
    }

    /// Takes at most `limit` items, and one of them at once.
    pub fn steal_batch_with_limit_and_pop(&self, into: &LocalQueue<T>, limit: usize) -> Steal<T> {
        try_steal(|| self.0.steal_batch_with_limit_and_pop(&into.0, limit))
    }

    /// Whether it was empty when looked at.
    pub fn is_empty(&self) -> bool {
        scheduling_point();
        self.0.is_empty()
    }

    /// How many items it held when looked at.
    pub fn len(&self) -> usize {
        scheduling_point();
        self.0.len()
    }
}
