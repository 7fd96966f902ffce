//! The sleeper in the driver wakes for the earliest timer of everybody in its group.
//!
//! Whoever blocks in the driver sleeps until the minimum over the deadlines that all wheels of the group have
//! published. One who then publishes an earlier deadline and will not look after it itself (a thread that
//! is no worker; a worker that is about to park, retire or block) must interrupt that sleep. This module is
//! the handshake between the two.
//!
//! Times are nanoseconds on the runtime's clock; [`NONE`], the largest, is "no deadline".
//!
//! # States
//!
//! | `until`     | meaning                                        | who may leave it |
//! |-------------|------------------------------------------------|------------------|
//! | [`AWAKE`]   | nobody sleeps, or the sleeper has been claimed for an interrupt | sleeper: announces |
//! | [`NONE`]    | the sleeper computes its deadline, or sleeps without one | sleeper: narrows, clears; any thread: claims |
//! | other       | the sleeper returns at this time by itself     | sleeper: clears; any thread: claims |
//!
//! # Transitions
//!
//! | from → to          | performed by                             | owes | model |
//! |--------------------|------------------------------------------|------|-------|
//! | awake → none       | [`Alarm::sleep`], before it looks        | fence, look at all deadlines | `alarm::earlier_deadline_reaches_sleeper` |
//! | none → deadline    | [`Alarm::sleep`], before it blocks       | nothing | `alarm::earlier_deadline_reaches_sleeper` |
//! | asleep → awake     | [`Alarm::must_interrupt`], any thread    | the interrupt | `alarm::interrupts_coalesce_without_loss` |
//! | any → awake        | [`Alarm::sleep`], after it blocked       | nothing | `alarm::sleeper_is_reached_again` |
//!
//! # Orderings
//!
//! | edge | one side | other side | decides | fails if weakened |
//! |------|----------|------------|---------|-------------------|
//! | E1 (Dekker) | publish, `fence(SeqCst)`, load `until` | store `until`, `fence(SeqCst)`, load published | the sleeper sees the deadline or the filer sees the sleeper | `alarm::earlier_deadline_reaches_sleeper` |
//!
//! No access publishes data: the timers are behind their wheel's lock. So all are Relaxed.
//!
//! # Why no deadline is slept past
//!
//! The filer does not interrupt in three cases. It read [`AWAKE`] from before the sleeper's announcement:
//! by E1 the sleeper, whose look comes after its fence, sees the deadline. It read [`AWAKE`] that another
//! filer stored by its claim, or read the announcement too late to claim it: that filer's interrupt ends
//! this sleep, and the next one announces anew, after the deadline was published. It read a time at or
//! before its deadline: the sleeper returns by then, and whoever sleeps next looks at all deadlines.
//! For the second case the interrupt must be sticky: given before the block, it ends the block at once.
//!
//! # Rejected
//!
//! Computing the minimum, announcing it, and computing it again until it no longer falls: twice the work
//! of announcing [`NONE`] first, to save an interrupt that is due only in between. A counter of filed
//! deadlines: it makes every filer interrupt, also those that are later than what the sleeper waits for.
//!
//! # Checked by
//!
//! The models named above, in `loom-tests/tests/models/alarm.rs`.

use crate::sync::{AtomicU64, Ordering, fence};

/// No deadline.
pub const NONE: u64 = u64::MAX;

/// The value of `until` when no filer needs to interrupt: below every deadline.
const AWAKE: u64 = 0;

/// Until when the one in the driver sleeps.
#[derive(Debug)]
pub struct Alarm {
    until: AtomicU64,
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

impl Alarm {
    /// Nobody sleeps.
    pub fn new() -> Self {
        Self { until: AtomicU64::new(AWAKE) }
    }

    /// Holder of the driver. Blocks until the earliest published deadline.
    ///
    /// `earliest` computes the minimum of all published deadlines, [`NONE`] if there is none; it is called
    /// once. `block` sleeps until that time ([`NONE`]: without a limit; a time that has passed: not at all)
    /// or until it is interrupted, and an interrupt given before it is called ends it at once.
    pub fn sleep<R>(&self, earliest: impl FnOnce() -> u64, block: impl FnOnce(u64) -> R) -> R {
        // ordering: Relaxed, with the fence: E1. Until the deadline is known, every filer interrupts.
        self.until.store(NONE, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let deadline = earliest();
        // ordering: Relaxed, publishes nothing. A filer that reads this value compares with the time at
        // which we return; one that reads the value before interrupts needlessly. If it has claimed us,
        // its interrupt is on the way, and later filers need not send another: the claim stays.
        let narrowed = self.until.compare_exchange(NONE, deadline, Ordering::Relaxed, Ordering::Relaxed);
        debug_assert!(matches!(narrowed, Ok(_) | Err(AWAKE)), "only one sleeps in the driver");
        let result = block(deadline);
        // ordering: Relaxed: who reads it skips an interrupt, and the next sleep looks again (E1).
        self.until.store(AWAKE, Ordering::Relaxed);
        result
    }

    /// Any thread that has published `deadline` and will not serve it itself. `true` obliges the caller to
    /// interrupt the driver; of several who could, one is told to.
    #[must_use = "the sleeper waits for the interrupt"]
    pub fn must_interrupt(&self, deadline: u64) -> bool {
        fence(Ordering::SeqCst);
        // ordering: Relaxed, after the fence: E1.
        let mut until = self.until.load(Ordering::Relaxed);
        while deadline < until {
            // ordering: Relaxed: decides who interrupts, publishes nothing.
            match self.until.compare_exchange(until, AWAKE, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                // The sleeper has narrowed or returned, or another filer has claimed it.
                Err(newer) => until = newer,
            }
        }
        false
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Alarm, NONE};

    #[test]
    fn nobody_asleep_needs_no_interrupt() {
        let alarm = Alarm::new();
        assert!(!alarm.must_interrupt(1));
        alarm.sleep(|| 7, |_| ());
        assert!(!alarm.must_interrupt(1), "the sleeper has returned");
    }

    #[test]
    fn only_an_earlier_deadline_interrupts_and_only_once() {
        let alarm = Alarm::new();
        alarm.sleep(
            || 7,
            |until| {
                assert_eq!(until, 7);
                assert!(!alarm.must_interrupt(8));
                assert!(!alarm.must_interrupt(7));
                assert!(alarm.must_interrupt(6));
                assert!(!alarm.must_interrupt(5), "an interrupt is on the way");
            },
        );
    }

    #[test]
    fn sleeper_without_deadline_is_interrupted_for_any() {
        let alarm = Alarm::new();
        alarm.sleep(
            || NONE,
            |_| {
                assert!(!alarm.must_interrupt(NONE), "no deadline was filed");
                assert!(alarm.must_interrupt(NONE - 1));
            },
        );
    }

    #[test]
    fn deadline_filed_while_the_sleeper_computes_interrupts() {
        let alarm = Alarm::new();
        alarm.sleep(
            || {
                assert!(alarm.must_interrupt(9));
                assert!(!alarm.must_interrupt(8), "the claim stays until the sleep ends");
                10
            },
            |_| assert!(!alarm.must_interrupt(3), "narrowing does not undo the claim"),
        );
    }
}
