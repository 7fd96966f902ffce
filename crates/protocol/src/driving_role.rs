//! Which of the threads in `block_on` drives a current-thread runtime.
//!
//! # States
//! free · taken, with those who wait for it. A thread that finds the role taken leaves its parker; when the
//! driving thread leaves, all who wait are unparked and try again. Nobody waits for a role that is free.
//!
//! # The hard race
//! The driving thread leaves between a waiter's look and its park. The waiter left its parker under the lock
//! in which it looked, so it is found there, and the token makes the park return.
//!
//! # Checked by
//! The models `driving_role::*`.

use crate::parker::Parker;
use crate::sync::{Arc, Mutex};

/// The role.
#[derive(Debug)]
pub struct DrivingRole {
    state: Mutex<RoleState>,
}

#[derive(Debug)]
struct RoleState {
    taken: bool,
    waiting: Vec<Arc<Parker>>,
}

impl Default for DrivingRole {
    fn default() -> Self {
        Self::new()
    }
}

impl DrivingRole {
    /// A free role.
    pub fn new() -> Self {
        Self { state: Mutex::new(RoleState { taken: false, waiting: Vec::new() }) }
    }

    /// Any thread. True: the caller drives, and ends that by [`leave`](Self::leave). False: `parker` is unparked
    /// when the role is free.
    #[must_use]
    pub fn take_or_wait(&self, parker: &Arc<Parker>) -> bool {
        let mut state = self.state.lock();
        if !state.taken {
            state.taken = true;
            return true;
        }
        if !state.waiting.iter().any(|waiting| Arc::ptr_eq(waiting, parker)) {
            state.waiting.push(Arc::clone(parker));
        }
        false
    }

    /// A thread that waited and is not interested any more.
    pub fn stop_waiting(&self, parker: &Arc<Parker>) {
        self.state.lock().waiting.retain(|waiting| !Arc::ptr_eq(waiting, parker));
    }

    /// The driving thread leaves.
    pub fn leave(&self) {
        let waiting = {
            let mut state = self.state.lock();
            state.taken = false;
            std::mem::take(&mut state.waiting)
        };
        for parker in waiting {
            parker.unpark(|| {});
        }
    }
}
