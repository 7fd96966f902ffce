//! Whose turn it is, of several that are as good as each other.
//!
//! # Orderings
//! Relaxed: nothing is published.
//!
//! # Checked by
//! The model `round_robin::*`.

use crate::sync::{AtomicUsize, Ordering};

/// Goes round. Any thread may ask.
#[derive(Debug)]
pub struct RoundRobin {
    asked: AtomicUsize,
}

impl Default for RoundRobin {
    fn default() -> Self {
        Self::new()
    }
}

impl RoundRobin {
    /// The first turn is that of the first.
    pub fn new() -> Self {
        Self { asked: AtomicUsize::new(0) }
    }

    /// One below `count`, each in its turn. Costs an RMW if there is more than one.
    ///
    /// # Panics
    /// If `count` is zero.
    pub fn next(&self, count: usize) -> usize {
        if count == 1 {
            return 0;
        }
        // ordering: Relaxed: see above.
        self.asked.fetch_add(1, Ordering::Relaxed) % count
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::RoundRobin;

    #[test]
    fn each_has_its_turn() {
        let turns = RoundRobin::new();
        assert_eq!([(); 5].map(|()| turns.next(3)), [0, 1, 2, 0, 1]);
        assert_eq!(turns.next(1), 0);
    }
}
