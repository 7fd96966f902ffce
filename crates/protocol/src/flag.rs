//! A flag that many raise and one lowers: "there is something new since you looked".
//!
//! # Orderings
//! | edge | release side | acquire side | publishes |
//! |---|---|---|---|
//! | G1 | `raise` | `lower` that returns true | what the raiser did before |
//!
//! It wakes nobody: whoever raises it also unparks the one who lowers it, in this order.
//!
//! # Checked by
//! The models `flag::*`.

use crate::sync::{AtomicBool, Ordering};

/// The flag.
#[derive(Debug)]
pub struct Flag(AtomicBool);

impl Flag {
    /// A flag that is raised or not.
    pub fn new(raised: bool) -> Self {
        Self(AtomicBool::new(raised))
    }

    /// Any thread. True: it was not raised before.
    pub fn raise(&self) -> bool {
        // ordering: Release: G1. An exchange, so that the edges of all raisers reach the one who lowers it.
        !self.0.swap(true, Ordering::Release)
    }

    /// The one who looks. True: it was raised, and is not any more.
    #[must_use]
    pub fn lower(&self) -> bool {
        // ordering: Acquire: G1.
        self.0.swap(false, Ordering::Acquire)
    }

    /// Any thread. Whether it was raised when looked at.
    pub fn is_raised(&self) -> bool {
        // ordering: Relaxed: `lower` makes the edge.
        self.0.load(Ordering::Relaxed)
    }
}
