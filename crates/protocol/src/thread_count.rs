//! How many threads of a runtime have not ended, with a slot or without; and which was the last.
//!
//! # Orderings
//! All under the lock.
//!
//! # Checked by
//! The models `thread_count::*`.

use crate::sync::Mutex;

/// The threads of one runtime that run slots, or did.
#[derive(Debug, Default)]
pub struct ThreadCount(Mutex<usize>);

impl ThreadCount {
    /// None.
    pub fn new() -> Self {
        Self(Mutex::new(0))
    }

    /// A thread is about to be started.
    pub fn starts(&self) {
        *self.0.lock() += 1;
    }

    /// A thread ends, or did not start. True: it was the last one.
    pub fn ended(&self) -> bool {
        let mut count = self.0.lock();
        *count -= 1;
        *count == 0
    }

    /// Threads that have not ended.
    pub fn get(&self) -> usize {
        *self.0.lock()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::ThreadCount;

    #[test]
    fn the_last_thread_knows_that_it_is() {
        let threads = ThreadCount::new();
        threads.starts();
        threads.starts();
        assert!(!threads.ended());
        assert_eq!(threads.get(), 1);
        assert!(threads.ended());
    }
}
