//! Timers: one wheel per slot, and one for everybody who is no worker.
//!
//! A future files its timer in the wheel of the slot that polls it, under a lock that nobody else wants at
//! that moment, and cancels it there, on whatever thread it is then. Whoever runs in the driver of a group sleeps until
//! the earliest deadline of the group's wheels ([`Wheels::sleep`]) and turns those that are due and whose owner has not
//! ([`Wheels::fire_due`]). The protocol between them, and its models, are
//! [`shopfloor_protocol::shared_wheel`] and [`shopfloor_protocol::alarm`].
//!
//! Wheels are named by an index: that of the slot, or [`Wheels::outside`]. "My wheel" (`here` below) is the
//! slot's for a thread that runs a slot of this runtime, and the outside one for every other thread,
//! workers of other runtimes and threads inside `block_in_place` included.

mod bucket;
mod clock;
mod slab;
mod wheel;
mod wheels;

pub use clock::Clock;
pub use shopfloor_protocol::shared_wheel::TimerState;
pub use slab::TimerKey;
pub use wheel::{TICK_NS, Wheel};
pub use wheels::{FIRE_MAX, FIRE_MAX_IN_CROWD, Timer, Wheels};
