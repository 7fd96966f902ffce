//! Who may turn the driver: one thread at a time.
//!
//! # States
//! free · held. [`DriverToken::try_take`] moves free to held and gives the evidence, [`Turning`], whose drop
//! moves it back. Nobody waits for the token: who does not get it sleeps elsewhere, because the holder
//! looks at everything there is before it sleeps itself. One that holds it and then leaves hands on the driver
//! ([`Idle::hand_on_driver`](crate::idle::Idle::hand_on_driver)).
//!
//! # Orderings
//! | edge | release side | acquire side | publishes |
//! |---|---|---|---|
//! | D1 | drop of `Turning` | `try_take` | the driver's buffers, from one holder to the next |
//!
//! # Rejected
//! `Mutex::try_lock`: the same, but loom reports a deadlock where there is none.
//!
//! # Checked by
//! The models `driver_token::*`.

use crate::parker::Parker;
use crate::sync::{AtomicBool, Ordering};

/// The right to turn the driver.
#[derive(Debug)]
pub struct DriverToken {
    held: AtomicBool,
}

/// Evidence that this thread holds the token.
#[derive(Debug)]
#[must_use]
pub struct Turning<'a>(&'a DriverToken);

impl Default for DriverToken {
    fn default() -> Self {
        Self::new()
    }
}

impl DriverToken {
    /// A free token.
    pub fn new() -> Self {
        Self { held: AtomicBool::new(false) }
    }

    /// Any thread. Takes the token if it is free.
    pub fn try_take(&self) -> Option<Turning<'_>> {
        // ordering: Relaxed: a hint that saves the exchange.
        if self.held.load(Ordering::Relaxed) {
            return None;
        }
        // ordering: Acquire on success: D1.
        self.held
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then(|| Turning(self))
    }

    /// A worker that has announced that it parks ([`Idle::park`](crate::idle::Idle::park)). If nobody is in the
    /// driver it looks at it for a while by `spin`, which is given the question whether it was unparked meanwhile,
    /// and returns true if that or something else ends its park; then it sleeps there by `in_driver`, which
    /// returns at once after an interrupt that came before it. If somebody is in the driver, `beside` tells that
    /// one what it needs to know, and the worker sleeps on `parker`. An unpark ends it in all three places.
    pub fn sleep(
        &self,
        parker: &Parker,
        spin: impl FnOnce(&dyn Fn() -> bool) -> bool,
        in_driver: impl FnOnce(),
        beside: impl FnOnce(),
    ) {
        if let Some(turning) = self.try_take() {
            if parker.start_spin() {
                if spin(&|| parker.is_notified()) {
                    parker.leave_driver();
                } else if parker.enter_driver() {
                    in_driver();
                    parker.leave_driver();
                }
            }
            drop(turning);
        } else {
            beside();
            parker.park();
        }
    }

    /// Any thread. Whether somebody held it when looked at.
    pub fn is_held(&self) -> bool {
        // ordering: Relaxed: out of date when returned.
        self.held.load(Ordering::Relaxed)
    }
}

impl Drop for Turning<'_> {
    fn drop(&mut self) {
        // ordering: Release: D1.
        self.0.held.store(false, Ordering::Release);
    }
}
