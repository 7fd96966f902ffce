//! A queue for one item, as weak as the stub of the queues and with fewer steps.

use protocol_loom::sync::{AtomicBool, Ordering, UnsafeCell};

#[derive(Debug)]
pub struct Item {
    there: AtomicBool,
    payload: UnsafeCell<u32>,
}

// SAFETY: the flag publishes the payload and its exchange hands it to one thread; loom checks it.
unsafe impl Sync for Item {}
// SAFETY: as above.
unsafe impl Send for Item {}

impl Item {
    pub fn new() -> Self {
        Self { there: AtomicBool::new(false), payload: UnsafeCell::new(0) }
    }

    /// The one thread that fills it.
    pub fn put(&self) {
        // SAFETY: nobody reads it before the flag is set; loom checks it.
        self.payload.with_mut(|payload| unsafe { *payload = 1 });
        self.there.store(true, Ordering::Release);
    }

    pub fn is_there(&self) -> bool {
        self.there.load(Ordering::Relaxed)
    }

    /// Whether this thread got it.
    pub fn take(&self) -> bool {
        let taken = self.is_there() && self.there.swap(false, Ordering::Acquire);
        if taken {
            // SAFETY: only the winner of the exchange reads it; loom checks it.
            assert_eq!(self.payload.with(|payload| unsafe { *payload }), 1);
        }
        taken
    }
}
