//! Interrupting a driver turn from any thread, without a system call when one is already under way.
//!
//! # State table
//! | state | meaning | who may leave it |
//! |---|---|---|
//! | quiet | no interrupt since the last turn | any thread |
//! | pending | the kernel was signalled, or is about to be by the thread that made it pending | the driver holder |
//!
//! # Transitions
//! | from → to | performed by | owes | model |
//! |---|---|---|---|
//! | quiet → pending | `interrupt` (any thread) | signal the kernel | `interrupt::what_was_done_before_it_is_seen` |
//! | pending → pending | `interrupt` (any thread) | - | same |
//! | any → quiet | `acknowledge` (driver holder, after its wait) | look for what the interrupter did | same |
//!
//! # Orderings
//! | edge | release side | acquire side | publishes | fails if weakened |
//! |---|---|---|---|---|
//! | N1 | `interrupt`: RMW | `acknowledge`: RMW | what was done before the interrupt | `interrupt::what_was_done_before_it_is_seen` |
//!
//! # Why a skipped signal is not a lost one
//! B finds the word pending and signals nothing. A made it pending, and has signalled or will. If the turn whose
//! wait A's signal ends has not acknowledged yet, it does so after B's RMW and its holder sees what B did. If it
//! has acknowledged before B's RMW, B found the word quiet, and signals itself. A signal that comes after its
//! acknowledgement ends one later wait for nothing.
//!
//! # Checked by
//! `interrupt::*` in loom-tests.

use crate::sync::{AtomicBool, Ordering};

/// Whether a turn was asked to end. See the [module](self).
#[derive(Debug)]
pub struct Interrupt {
    is_pending: AtomicBool,
}

impl Interrupt {
    /// Quiet.
    pub fn new() -> Self {
        Self { is_pending: AtomicBool::new(false) }
    }

    /// Any thread. Makes the current or the next wait of the driver end; `signal` does it unless somebody
    /// already has.
    pub fn interrupt(&self, signal: impl FnOnce()) {
        // ordering: Release — N1, also when the word was pending; nothing to acquire.
        if !self.is_pending.swap(true, Ordering::Release) {
            signal();
        }
    }

    /// Driver holder, after its wait. The holder then looks for what the interrupter did.
    pub fn acknowledge(&self) {
        // ordering: Acquire — N1. An RMW, because it must read the newest interrupt that it wipes out.
        self.is_pending.swap(false, Ordering::Acquire);
    }
}

impl Default for Interrupt {
    fn default() -> Self {
        Self::new()
    }
}
