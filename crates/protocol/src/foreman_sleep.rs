//! The deep sleep of the foreman, and who ends it.
//!
//! While any worker is out of park the foreman ticks. When all have been parked for a while it sleeps until a
//! worker leaves park, so that an idle runtime makes no wake-ups. A worker that has left park wakes it before its first poll, which may be
//! the one that does not end; a thread that wakes a worker does so, too, since it has the time while that one is on its way.
//!
//! # States
//! awake · ASLEEP. Only the foreman moves between them: if who wakes it cleared the mark, and were off its core before the wake, a worker would
//! rely on that.
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
        // ordering: Relaxed: who still reads true gives one wake too many.
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Whoever has cleared the parked mark of a worker. One fence and a load, and `wake` if the foreman sleeps.
    pub fn worker_left_park(&self, wake: impl FnOnce()) {
        fence(Ordering::SeqCst); // F1
        // ordering: Relaxed: after the fence.
        if self.asleep.load(Ordering::Relaxed) {
            wake();
        }
    }
}
