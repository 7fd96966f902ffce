//! How many threads of a runtime have not ended, with a slot or without; and what the last one does before it counts as ended.
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

    /// A thread ends, or did not start. The last one calls `finish` first, and counts as long as that lasts: whoever finds none
    /// left comes after it.
    pub fn ends(&self, finish: impl FnOnce()) {
        if self.leaves_others() {
            return;
        }
        finish();
        *self.0.lock() -= 1;
    }

    /// Takes one off if others are left.
    fn leaves_others(&self) -> bool {
        let mut count = self.0.lock();
        let leaves_others = *count > 1;
        if leaves_others {
            *count -= 1;
        }
        leaves_others
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
        threads.ends(|| panic!("another one is left"));
        assert_eq!(threads.get(), 1);
        let mut finished = false;
        threads.ends(|| {
            assert_eq!(threads.get(), 1, "it has not ended yet");
            finished = true;
        });
        assert!(finished && threads.get() == 0);
    }
}
