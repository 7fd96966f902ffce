//! Numbers and words that publish nothing, so all are Relaxed. Most are for display; what is decided by one is right whenever it is
//! seen: the foreman looks again at its next tick, and a thread always reads what it has written itself.

use crate::sync::{AtomicU64, Ordering};

/// A number that grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Zero.
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The one writer of this counter. Costs no RMW; with two writers, counts are lost.
    #[inline]
    pub fn bump(&self) {
        // ordering: Relaxed: display only.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Any thread.
    #[inline]
    pub fn add(&self, count: u64) {
        // ordering: Relaxed: display only.
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Any thread. The value some time ago.
    #[inline]
    pub fn get(&self) -> u64 {
        // ordering: Relaxed: display only.
        self.0.load(Ordering::Relaxed)
    }
}

/// A word that one thread shows to the others.
#[derive(Debug, Default)]
pub struct Word(AtomicU64);

impl Word {
    /// A word that shows `value`.
    pub fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// Shows `value`.
    #[inline]
    pub fn set(&self, value: u64) {
        // ordering: Relaxed: display only.
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value some time ago.
    #[inline]
    pub fn get(&self) -> u64 {
        // ordering: Relaxed: display only.
        self.0.load(Ordering::Relaxed)
    }
}
