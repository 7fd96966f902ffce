//! Where one worker sleeps: on its own condition variable, or in the driver.
//!
//! # States
//! | state | meaning | who may leave it |
//! |---|---|---|
//! | EMPTY | awake, nobody has called | the owner parks; anybody unparks |
//! | CONDVAR | asleep on the condition variable, or about to be | anybody unparks |
//! | SPINNING | looks at the driver without sleeping | the owner; anybody unparks by one store |
//! | DRIVER | asleep in the driver, or about to be | the owner; anybody unparks and interrupts the driver |
//! | NOTIFIED | a token waits | the owner, which takes it |
//!
//! # Transitions
//! | from → to | by | owes |
//! |---|---|---|
//! | EMPTY → CONDVAR → EMPTY | [`Parker::park`] | - |
//! | EMPTY → SPINNING → EMPTY or DRIVER | [`Parker::start_spin`], [`Parker::leave_driver`], [`Parker::enter_driver`] | - |
//! | EMPTY, SPINNING → DRIVER → EMPTY | [`Parker::enter_driver`], [`Parker::leave_driver`] | - |
//! | any → NOTIFIED | [`Parker::unpark`] | from CONDVAR: notify; from DRIVER: interrupt the driver |
//! | NOTIFIED → EMPTY | the next call of the owner above | - |
//!
//! # Orderings
//! | edge | release side | acquire side | publishes |
//! |---|---|---|---|
//! | P1 | `unpark` | the owner's step that takes the token | what the caller did before |
//!
//! # The hard race
//! `unpark` comes between the owner's step to CONDVAR and its wait: a notification now would wake nobody. The
//! owner holds the mutex from that step until it waits, so `unpark` takes the mutex once before it
//! notifies. In the driver the same is done by the driver itself: an interrupt before the wait ends it.
//!
//! A token that the owner did not need ends one later park at once; parks are always in a loop.
//!
//! # Checked by
//! The models `parker::*`.

use crate::sync::{AtomicU8, Condvar, Mutex, Ordering};
use std::time::Duration;

const EMPTY: u8 = 0;
const CONDVAR: u8 = 1;
const SPINNING: u8 = 2;
const DRIVER: u8 = 3;
const NOTIFIED: u8 = 4;

/// The sleeping place of one thread.
#[derive(Debug)]
pub struct Parker {
    state: AtomicU8,
    mutex: Mutex<()>,
    condvar: Condvar,
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl Parker {
    /// Nobody asleep, no token.
    pub fn new() -> Self {
        Self { state: AtomicU8::new(EMPTY), mutex: Mutex::new(()), condvar: Condvar::new() }
    }

    /// Owner. Sleeps on the condition variable until there is a token, and takes it.
    pub fn park(&self) {
        self.park_with(|guard| (self.condvar.wait(guard), false));
    }

    /// Owner. As [`park`](Self::park) for at most `timeout`. True: the token was taken.
    pub fn park_timeout(&self, timeout: Duration) -> bool {
        self.park_with(|guard| self.condvar.wait_timeout(guard, timeout))
    }

    fn park_with<'a>(
        &'a self,
        mut wait: impl FnMut(crate::sync::MutexGuard<'a, ()>) -> (crate::sync::MutexGuard<'a, ()>, bool),
    ) -> bool {
        if self.take_token() {
            return true;
        }
        let mut guard = self.mutex.lock();
        if !self.step(EMPTY, CONDVAR, Ordering::Relaxed) {
            return self.take_token();
        }
        loop {
            let (again, timed_out) = wait(guard);
            guard = again;
            if self.take_token() {
                return true;
            }
            if timed_out {
                // CONDVAR => EMPTY, or NOTIFIED => EMPTY when the token came in the last moment.
                // ordering: Acquire: P1.
                return self.state.swap(EMPTY, Ordering::Acquire) == NOTIFIED;
            }
        }
    }

    /// Owner. Says that it will look at the driver without sleeping. False: there was a token; it is taken.
    #[must_use]
    pub fn start_spin(&self) -> bool {
        self.step(EMPTY, SPINNING, Ordering::Relaxed) || !self.take_token()
    }

    /// Owner. Whether a token waits, to be looked at in every round of a spin.
    pub fn is_notified(&self) -> bool {
        // ordering: Relaxed: `leave_driver` takes the token, and makes the edge.
        self.state.load(Ordering::Relaxed) == NOTIFIED
    }

    /// Owner. Says that it will sleep in the driver. False: there was a token; it is taken.
    #[must_use]
    pub fn enter_driver(&self) -> bool {
        self.step(EMPTY, DRIVER, Ordering::Relaxed)
            || self.step(SPINNING, DRIVER, Ordering::Relaxed)
            || !self.take_token()
    }

    /// Owner. Back from the driver or from a spin. True: there was a token; it is taken.
    pub fn leave_driver(&self) -> bool {
        // ordering: Acquire: P1.
        self.state.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }

    /// Any thread. Leaves a token and wakes the owner if it sleeps; `interrupt` ends a wait in the driver.
    pub fn unpark(&self, interrupt: impl FnOnce()) {
        // ordering: Release: P1.
        match self.state.swap(NOTIFIED, Ordering::Release) {
            CONDVAR => {
                drop(self.mutex.lock());
                self.condvar.notify_one();
            }
            DRIVER => interrupt(),
            _ => {}
        }
    }

    /// Owner. Takes the token if there is one, without sleeping.
    pub fn take_token(&self) -> bool {
        // ordering: Acquire: P1.
        self.step(NOTIFIED, EMPTY, Ordering::Acquire)
    }

    #[cfg_attr(loom, track_caller)]
    fn step(&self, from: u8, to: u8, success: Ordering) -> bool {
        // ordering: the caller's on success: Acquire if a token is taken, Relaxed if the owner only says where it
        // goes. Relaxed on failure: the value decides the next step, which is a compare-exchange again.
        self.state.compare_exchange(from, to, success, Ordering::Relaxed).is_ok()
    }
}
