//! The deep sleep of the foreman, and who ends it.
//!
//! While any worker is out of park the foreman ticks. When all have been parked for a while it sleeps until a
//! worker leaves park, so that an idle runtime makes no wake-ups. Whoever clears a worker's parked mark wakes it: a thread that wakes
//! a worker has the time while that one is on its way; one whose sleep ends by itself has to do it before its first poll, which
//! may be the one that does not end.
//!
//! # States
//! awake · ASLEEP (set by the foreman; cleared by it, or by whoever wakes it).
//!
//! # Orderings
//! | pair | one side | other side | fails without |
//! |---|---|---|---|
//! | F1 | [`ForemanSleep::sleep`]: set ASLEEP, fence, look at all workers | [`ForemanSleep::worker_left_park`], after a worker's parked mark was cleared: fence, read ASLEEP | either fence: the worker runs without a foreman |
//!
//! # Checked by
//! The models `foreman_sleep::*`.

use crate::sync::{AtomicBool, Ordering, fence};

/// Whether the foreman sleeps.
#[derive(Debug)]
pub struct ForemanSleep {
    asleep: AtomicBool,
}

impl Default for ForemanSleep {
    fn default() -> Self {
        Self::new()
    }
}

impl ForemanSleep {
    /// Awake.
    pub fn new() -> Self {
        Self { asleep: AtomicBool::new(false) }
    }

    /// The foreman. Sleeps by `block` if `all_parked` still holds after the announcement.
    pub fn sleep(&self, all_parked: impl FnOnce() -> bool, block: impl FnOnce()) {
        // ordering: Relaxed: the fence of F1 follows.
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst); // F1
        if all_parked() {
            block();
        }
        // ordering: Relaxed: a worker that still reads true gives one wake too many.
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Whoever has cleared the parked mark of a worker. One fence and a load, and `wake` if the foreman sleeps.
    pub fn worker_left_park(&self, wake: impl FnOnce()) {
        fence(Ordering::SeqCst); // F1
        // ordering: Relaxed: after the fence.
        if self.asleep.load(Ordering::Relaxed) {
            // ordering: Relaxed: it spares the next one the wake; the foreman clears it, too.
            self.asleep.store(false, Ordering::Relaxed);
            wake();
        }
    }
}
